"""The shell that earns one credential, keeps it fresh and keeps it stored."""

from collections.abc import Callable, Mapping
from typing import NoReturn, Protocol

from towline_agent.credential_status import CredentialStatus
from towline_agent.credential_stores import CredentialStore
from towline_agent.enrollment import CertificateOrder
from towline_certs.credentials import Credential
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock


class Asker(Protocol):
    """Under whose name a certificate is asked for."""

    async def client_for(self, *, renewing: bool) -> Client:
        """Return the client to ask with.

        Args:
            renewing: Whether a usable credential of this identity is at hand.
        """
        ...


class CredentialKeeper:
    """Keeps one identity's credential: the cluster's, or that of one add-on registration.

    Args:
        order: What certificate to ask for.
        store: Where the credential and the pending key rest.
        asker: Under whose name to ask. For add-ons: `ChannelAsker(channel)`.
        hub: URL of the hub; a credential stored for another hub is not used.
        beside: What is stored beside `tls.key` and `tls.crt` (`kubeconfig`, `cluster-name`, ...);
            asked again at each look, so that a change of it (a new CA) is stored as well.
        on_credential: Told each credential that is put into use, once it is stored.
        on_status: Told each change of the status.
        pauses: How long to wait after requests that came to nothing.
        clock: Time.
    """

    def __init__(
        self,
        order: CertificateOrder,
        *,
        store: CredentialStore,
        asker: Asker,
        hub: str,
        beside: Callable[[], Mapping[str, bytes]],
        on_credential: Callable[[Credential], None] | None = None,
        on_status: Callable[[CredentialStatus], None] | None = None,
        pauses: Backoff | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        raise NotImplementedError

    @property
    def status(self) -> CredentialStatus:
        """How the credential is doing."""
        raise NotImplementedError

    @property
    def credential(self) -> Credential | None:
        """The credential in use; None until the first is earned."""
        raise NotImplementedError

    def look_again(self) -> None:
        """Wake the keeper: what it asks `beside` for may have changed."""
        raise NotImplementedError

    async def run(self) -> NoReturn:
        """Keep the credential until cancelled. Cancel it at any point: nothing is lost."""
        raise NotImplementedError
