"""The bootstrap tokens with which clusters may join this hub, without what nobody should see."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from towline_api import names
from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, TOKEN_SECRET_PREFIX, TOKEN_SECRET_TYPE
from towline_api.metadata import creation_time_of, name_of
from towline_api.resources import SECRETS, KubeObject
from towline_api.timestamps import InvalidTimeError, parse_time
from towline_certs.bootstrap_identity import bound_cluster, is_bound
from towline_kube.client import Client


@dataclass(frozen=True, slots=True)
class ListedToken:
    """What may be shown of a token at any time.

    Args:
        token_id: Its public half.
        cluster: The one cluster it is good for; None if for any new one.
        created: When it was made.
        expires: When it ends; None if it never does, or nobody can read when.
        description: What it is for, in the words of whoever made it.
        problem: Why the API server takes it for nothing although it has not ended; None if it does.
    """

    token_id: str
    cluster: str | None
    created: datetime
    expires: datetime | None
    description: str
    problem: str | None

    def is_expired(self, now: datetime) -> bool:
        """Return whether its time is over."""
        return self.expires is not None and self.expires <= now


async def list_tokens(client: Client) -> list[ListedToken]:
    """Return the tokens with which clusters may join, without what they are: oldest first."""
    found = await client.list(
        SECRETS, namespace=TOKEN_NAMESPACE, field_selector=f"type={TOKEN_SECRET_TYPE}"
    )
    tokens = [token for token in map(read_token, found.items) if token is not None]
    return sorted(tokens, key=lambda token: (token.created, token.token_id))


def read_token(secret: KubeObject) -> ListedToken | None:
    """Return what may be shown of a bootstrap token's Secret; None if it is not for joining."""
    name = name_of(secret)
    if secret.get("type") != TOKEN_SECRET_TYPE or not name.startswith(TOKEN_SECRET_PREFIX):
        return None
    # The secret half is not even looked at.
    data = {
        key: decoded_value(value)
        for key, value in (secret.get("data") or {}).items()
        if key != "token-secret"
    }
    groups = [group.strip() for group in data.get("auth-extra-groups", "").split(",")]
    if names.BOOTSTRAP_GROUP not in groups and not is_bound(groups):
        return None
    expires, problem = _read_expiry(data)
    cluster = bound_cluster(groups)
    token_id = name.removeprefix(TOKEN_SECRET_PREFIX)
    if is_bound(groups) and cluster is None:
        problem = "its groups do not name exactly one cluster"
    elif data.get("usage-bootstrap-authentication") != "true":
        problem = "it may not be used to authenticate"
    elif data.get("token-id") != token_id:
        problem = "its name does not agree with its token-id"
    return ListedToken(
        token_id,
        cluster=cluster,
        created=creation_time_of(secret),
        expires=expires,
        description=data.get("description", ""),
        problem=problem,
    )


def _read_expiry(data: Mapping[str, str]) -> tuple[datetime | None, str | None]:
    text = data.get("expiration")
    if not text:
        return None, None
    try:
        return parse_time(text), None
    except InvalidTimeError:
        return None, "nobody can read when it ends"


def decoded_value(value: object) -> str:
    """Return one value of a Secret's data; empty if it is not readable text."""
    try:
        return base64.b64decode(str(value), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
