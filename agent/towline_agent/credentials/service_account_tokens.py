"""Tokens of an add-on's service account on the hub: what they say, and when to ask for another.

Pure. A token is read without checking its signature: it came from the hub over the hub's own
channel, and nobody but the hub decides whether it is good.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from towline_api.condition_types import REASON_TOKEN_FAILED, REASON_TOKEN_REFRESHED
from towline_api.errors import WireError
from towline_api.metadata import ObjectKey
from towline_api.timestamps import format_time

SHARE_LEFT = 0.2
"""Share of a token's life that is left when another is asked for; a fifth, as in OCM."""
SHORTEST_LIFETIME = timedelta(minutes=10)
"""API servers give no token for less."""
DEFAULT_LIFETIME = timedelta(hours=24)
"""Long enough to live through a hub that is away for most of a day, since the next one is asked for
after four fifths of it; short, because a token that was copied opens the hub for that long."""


@dataclass(frozen=True, slots=True)
class TokenOrder:
    """Which tokens to ask for.

    Args:
        account: The service account on the hub.
        lifetime: How long a token is to serve; the API server may give another.
    """

    account: ObjectKey
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class ServiceAccountToken:
    """A token, with what it says about itself.

    Args:
        text: The token.
        uid: UID of the service account it stands for.
        issued_at: When it was issued.
        expires_at: When it ends.
    """

    text: str = field(repr=False)
    uid: str
    issued_at: datetime
    expires_at: datetime

    @property
    def refresh_at(self) -> datetime:
        """When to ask for the next."""
        return self.expires_at - (self.expires_at - self.issued_at) * SHARE_LEFT

    def find_fault(self, *, uid: str | None, now: datetime) -> str | None:
        """Return why another token is needed; None while this one serves.

        Args:
            uid: UID of the account as the hub names it; None while that is not known.
            now: The present.
        """
        if uid is not None and self.uid != uid:
            return "the service account was made anew, so its old tokens are dead"
        if now >= self.expires_at:
            return f"the token expired at {format_time(self.expires_at)}"
        if now >= self.refresh_at:
            return f"the token expires at {format_time(self.expires_at)}"
        return None


def parse_token(text: str) -> ServiceAccountToken:
    """Return a token with what it says.

    Raises:
        WireError: It is no token of a service account, or says not whose and for how long.
    """
    try:
        _, payload, _ = text.split(".")
        padded = payload + "=" * (-len(payload) % 4)
        claims = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        token = ServiceAccountToken(
            text,
            uid=str(claims["kubernetes.io"]["serviceaccount"]["uid"]),
            issued_at=datetime.fromtimestamp(int(claims["iat"]), UTC),
            expires_at=datetime.fromtimestamp(int(claims["exp"]), UTC),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, binascii.Error) as error:
        # Nothing of the text itself: it may be a token all the same.
        raise WireError("not a token of a service account", field="token") from error
    if token.expires_at <= token.issued_at:
        raise WireError("a token that ends before it begins", field="token")
    return token


def find_token(files: dict[str, bytes], *, key: str) -> ServiceAccountToken | None:
    """Return the token among stored files; None if there is none that can be read."""
    try:
        return parse_token(files[key].decode()) if files.get(key) else None
    except (WireError, UnicodeDecodeError):
        return None


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What the condition `TokenRefreshed` should say."""

    status: Literal["True", "False"]
    reason: str
    message: str


def refresh_report(
    token: ServiceAccountToken | None, *, failure: str | None
) -> RefreshReport | None:
    """Return what to tell the hub about an add-on's token; None while there is nothing to tell.

    Args:
        token: The token in use, if there is one.
        failure: Why the next could not be had, until one is.
    """
    if failure is not None:
        return RefreshReport("False", REASON_TOKEN_FAILED, f"Failed to create token: {failure}")
    if token is None:
        return None
    end = format_time(token.expires_at)
    return RefreshReport("True", REASON_TOKEN_REFRESHED, f"Addon token refreshed, expires at {end}")
