"""An embedded plane for each test: they are cheap, and each test breaks its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from support.raw_api import RawApi, raw_api
from towline_sandbox.embedded.plane import EmbeddedPlane


@pytest.fixture
def plane() -> Iterator[EmbeddedPlane]:
    """Return a plane that nobody else uses."""
    with EmbeddedPlane("tested") as running:
        yield running


@pytest.fixture
async def api(plane: EmbeddedPlane) -> AsyncIterator[RawApi]:
    """Return the plane as its administrator sees it."""
    async with raw_api(plane.admin_kubeconfig()) as found:
        yield found
