"""What every control plane of the sandbox offers, whatever it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from towline_api.errors import TowlineError
from towline_api.names import BOOTSTRAP_GROUP

DEFAULT_CREDENTIAL_LIFETIME = timedelta(hours=24)
"""Of kubeconfigs made on demand: longer than any demo, shorter than anybody keeps one."""


class PlaneError(TowlineError):
    """A control plane could not be started, or is not running any more."""


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """One thing that was seen working.

    Args:
        name: What was checked, for example `default service account exists`.
        after: Time from the start of the plane until it was seen.
    """

    name: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class Readiness:
    """Proof that a plane does what towline needs of it, gathered while it started.

    Args:
        checks: What was seen working, in that order.
        version: What the API server calls itself, for example `v1.37.2`.
        took: Time from the start of the plane until the last check passed.
    """

    checks: tuple[ReadinessCheck, ...]
    version: str
    took: timedelta


@runtime_checkable
class ControlPlane(Protocol):
    """A Kubernetes control plane that lives as long as its `async with` block.

    Nothing in it is bound to one event loop: a plane entered in one loop serves callers in others.
    Kubeconfigs hold their credentials inline, so that people can hand them to kubectl as they are.
    """

    @property
    def name(self) -> str:
        """What the plane was called when it was made."""
        ...

    @property
    def flavor(self) -> str:
        """What the plane is made of, in a few words, for example `real kube-apiserver`."""
        ...

    @property
    def server(self) -> str:
        """Address of the API server, for example `https://127.0.0.1:41377`."""
        ...

    @property
    def ca_pem(self) -> bytes:
        """Certificate that the API server's own certificate is verified with."""
        ...

    @property
    def version(self) -> str:
        """What the API server calls itself, for example `v1.37.2`."""
        ...

    @property
    def readiness(self) -> Readiness:
        """What was seen working before the `async with` block was entered."""
        ...

    def admin_kubeconfig(self) -> str:
        """Return the kubeconfig of a user who may do everything."""
        ...

    async def kubeconfig_for(
        self,
        user: str,
        *,
        groups: Sequence[str] = (),
        lifetime: timedelta = DEFAULT_CREDENTIAL_LIFETIME,
    ) -> str:
        """Return a kubeconfig with a fresh client certificate for this user.

        Args:
            user: User name as the API server is to see it.
            groups: Groups besides `system:authenticated`.
            lifetime: How long from now the certificate is valid.
        """
        ...

    async def bootstrap_kubeconfig(
        self,
        *,
        lifetime: timedelta = DEFAULT_CREDENTIAL_LIFETIME,
        groups: Sequence[str] = (BOOTSTRAP_GROUP,),
    ) -> str:
        """Return a kubeconfig with a fresh bootstrap token.

        Args:
            lifetime: How long from now the token is valid.
            groups: Groups besides `system:bootstrappers` and `system:authenticated`; each has to
                begin with `system:bootstrappers:`, as Kubernetes demands.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
