"""The live channel to the hub: one client whose credential changes under it."""

from datetime import timedelta

from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.kubeconfig import Connection


class HubChannel:
    """The agent's own connection to the hub, good for as long as the agent lives.

    `offer` hands it a newer credential or a newer trusted CA. `run` proves each offer with one
    authenticated call before it is put into use, so readiness means that the hub knows us; calls in
    flight end with the credential they began with.

    Args:
        user: The user name the hub must see; None takes whoever the credential names.
        clock: Time, for pauses between attempts.
    """

    def __init__(self, *, user: str | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        raise NotImplementedError

    @property
    def client(self) -> Client:
        """The client. The same object for the channel's whole life.

        Raises:
            HubNotReadyError: The hub has not accepted any credential yet; see `wait_ready`.
        """
        raise NotImplementedError

    @property
    def connection(self) -> Connection:
        """How the hub is reached now: server, trusted CA, credential.

        Raises:
            HubNotReadyError: As for `client`.
        """
        raise NotImplementedError

    async def wait_ready(self, *, timeout: timedelta | None = None) -> Client:
        """Return the client once the hub has answered a call made with our own credential.

        Without a timeout this may take days: a person may have to approve the cluster first.
        """
        raise NotImplementedError

    def offer(self, connection: Connection) -> None:
        """Put a connection into use as soon as it is proven; the last offer wins."""
        raise NotImplementedError
