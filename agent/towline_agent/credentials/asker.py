"""Under whose name a certificate is asked for."""

from datetime import timedelta
from typing import Protocol

from towline_agent.channel.hub_channel import HubChannel
from towline_kube.client import Client

_CHANNEL_PATIENCE = timedelta(seconds=30)


class Asker(Protocol):
    """Under whose name a certificate is asked for."""

    async def client_for(self, *, renewing: bool) -> Client:
        """Return the client to ask with.

        Args:
            renewing: Whether a usable credential of this identity is at hand.
        """
        ...


class ChannelAsker:
    """Asks under the cluster's own identity, as for every add-on."""

    def __init__(self, channel: HubChannel) -> None:
        self._channel = channel

    async def client_for(self, *, renewing: bool) -> Client:  # noqa: ARG002 - the same for both
        """Return the channel's client, once the channel is up."""
        return await self._channel.wait_ready(timeout=_CHANNEL_PATIENCE)
