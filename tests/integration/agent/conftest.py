"""A hub that decides as each test says, on the shared planes."""

from collections.abc import AsyncIterator

import pytest_asyncio

from support.joining import JoinHub, join_hub
from towline_sandbox.plane import ControlPlane


@pytest_asyncio.fixture
async def hub(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, cluster_name: str
) -> AsyncIterator[JoinHub]:
    """One cluster's corner of the shared hub; it approves and accepts until told otherwise."""
    async with join_hub(hub_plane, spoke_plane, cluster=cluster_name) as hub:
        yield hub
