"""Real control planes for what is about them alone, whatever planes the other tests run on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from support.planes_plugin import record_plane
from towline_sandbox.binaries import Binaries
from towline_sandbox.kube_plane import KubePlane

_HERE = Path(__file__).parent

MakePlane = Callable[..., Awaitable[KubePlane]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.kube)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hub_plane(request: pytest.FixtureRequest, binaries: Binaries) -> AsyncIterator[KubePlane]:
    """The plane that plays the hub, shared by all tests of this worker."""
    async with KubePlane("hub", binaries=binaries) as plane:
        record_plane(request.config, plane)
        yield plane


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def spoke_plane(
    request: pytest.FixtureRequest, binaries: Binaries
) -> AsyncIterator[KubePlane]:
    """The plane that plays a managed cluster, shared by all tests of this worker."""
    async with KubePlane("spoke", binaries=binaries) as plane:
        record_plane(request.config, plane)
        yield plane


@pytest_asyncio.fixture
async def make_plane(
    request: pytest.FixtureRequest, binaries: Binaries
) -> AsyncIterator[MakePlane]:
    """Start further planes, which end with the test.

    Called as `await make_plane("hub", certificate_lifetime=timedelta(minutes=10))`.
    """
    async with AsyncExitStack() as running:

        async def make(name: str, *, certificate_lifetime: timedelta | None = None) -> KubePlane:
            plane = KubePlane(name, certificate_lifetime=certificate_lifetime, binaries=binaries)
            await running.enter_async_context(plane)
            record_plane(request.config, plane)
            return plane

        yield make
