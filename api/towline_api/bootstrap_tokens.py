"""Bootstrap tokens: the short-lived passwords that Kubernetes offers to machines about to join."""

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from towline_api.resources import SECRETS, KubeObject
from towline_api.timestamps import format_time

TOKEN_NAMESPACE = "kube-system"  # noqa: S105 - where Kubernetes looks for them
TOKEN_SECRET_TYPE = "bootstrap.kubernetes.io/token"  # noqa: S105 - a kind of Secret
TOKEN_SECRET_PREFIX = "bootstrap-token-"  # noqa: S105 - of the Secrets' names
TOKEN_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]", re.ASCII)
"""What a token's Secret may name; Kubernetes ignores tokens that name anything else."""
USER_PREFIX = "system:bootstrap:"

_ALPHABET = string.ascii_lowercase + string.digits
_TOKEN_ID = re.compile(r"[a-z0-9]{6}", re.ASCII)
_TOKEN = re.compile(r"(?P<id>[a-z0-9]{6})\.(?P<secret>[a-z0-9]{16})", re.ASCII)


@dataclass(frozen=True, slots=True)
class BootstrapToken:
    """A token as its holder shows it: `ID.SECRET`.

    Args:
        token_id: The public half; names the Secret.
        secret: The half that proves possession.
    """

    token_id: str
    secret: str = field(repr=False)

    @classmethod
    def create(cls) -> Self:
        """Return a fresh token from the system's random source."""
        return cls(_random(6), _random(16))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the token a person typed.

        Raises:
            ValueError: It is none; the message does not show it.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise ValueError(
                "not a bootstrap token: expected six characters, a dot and sixteen more, all of "
                "them of a-z and 0-9"
            )
        return cls(match["id"], match["secret"])

    @property
    def bearer(self) -> str:
        """What goes into the Authorization header after `Bearer`."""
        return f"{self.token_id}.{self.secret}"

    def as_secret(
        self,
        *,
        groups: Sequence[str],
        expires: datetime,
        description: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> KubeObject:
        """Return the Secret by which an API server knows the token.

        It may be used to authenticate and for nothing else, signing for one.

        Args:
            groups: What its holder belongs to besides `system:bootstrappers`.
            expires: From when on the token is refused (and the Secret removed).
            description: For people.
            labels: Of the Secret.

        Raises:
            ValueError: A group that Kubernetes would ignore the whole token for.
        """
        for group in groups:
            if not TOKEN_GROUP.fullmatch(group):
                raise ValueError(
                    f"group {group!r} of a bootstrap token must begin 'system:bootstrappers:', and "
                    "go on with at most 256 of a-z, 0-9, : and -, the last a letter or a digit"
                )
        metadata: dict[str, Any] = {
            "name": token_secret_name(self.token_id),
            "namespace": TOKEN_NAMESPACE,
        }
        if labels:
            metadata["labels"] = dict(labels)
        return {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": metadata,
            "type": TOKEN_SECRET_TYPE,
            "stringData": {
                **({"description": description} if description else {}),
                "token-id": self.token_id,
                "token-secret": self.secret,
                "expiration": format_time(expires),
                "usage-bootstrap-authentication": "true",
                **({"auth-extra-groups": ",".join(groups)} if groups else {}),
            },
        }


def is_token_id(text: str) -> bool:
    """Return whether a text could be the public half of a token."""
    return _TOKEN_ID.fullmatch(text) is not None


def token_secret_name(token_id: str) -> str:
    """Return the name of the Secret by which an API server knows a token."""
    return f"{TOKEN_SECRET_PREFIX}{token_id}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
