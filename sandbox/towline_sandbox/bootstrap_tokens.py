"""Bootstrap tokens: the short-lived passwords that Kubernetes offers to machines about to join."""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time

TOKEN_NAMESPACE = "kube-system"  # noqa: S105 - where Kubernetes looks for them
GROUP_PREFIX = "system:bootstrappers:"
_ALPHABET = string.ascii_lowercase + string.digits


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

    @property
    def bearer(self) -> str:
        """What goes into the Authorization header after `Bearer`."""
        return f"{self.token_id}.{self.secret}"

    def as_secret(self, *, groups: Sequence[str], expires: datetime) -> KubeObject:
        """Return the Secret by which an API server knows the token.

        Args:
            groups: What its holder belongs to besides `system:bootstrappers`.
            expires: From when on the token is refused (and the Secret removed).

        Raises:
            ValueError: A group that Kubernetes would ignore the whole token for.
        """
        for group in groups:
            if not group.startswith(GROUP_PREFIX):
                raise ValueError(
                    f"group {group!r} of a bootstrap token must begin {GROUP_PREFIX!r}"
                )
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"bootstrap-token-{self.token_id}", "namespace": TOKEN_NAMESPACE},
            "type": "bootstrap.kubernetes.io/token",
            "stringData": {
                "token-id": self.token_id,
                "token-secret": self.secret,
                "expiration": format_time(expires),
                "usage-bootstrap-authentication": "true",
                **({"auth-extra-groups": ",".join(groups)} if groups else {}),
            },
        }


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
