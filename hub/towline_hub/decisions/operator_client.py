"""The client of a person at the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from towline_kube.client import Client, user_agent
from towline_kube.discovery import discover_connection

OPERATOR_FIELD_MANAGER = "towline-cli"


@asynccontextmanager
async def operator_client(kubeconfig: Path | None) -> AsyncIterator[Client]:
    """Open a client of the hub, as whoever the kubeconfig says.

    Args:
        kubeconfig: By default as kubectl finds it.

    Raises:
        ConfigError: There is none, or it cannot be used.
    """
    connection = discover_connection(kubeconfig)
    async with Client(
        connection, field_manager=OPERATOR_FIELD_MANAGER, user_agent=user_agent("cli")
    ) as client:
        yield client
