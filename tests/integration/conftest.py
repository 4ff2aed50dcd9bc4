"""Real control planes for the tests of this folder: a hub and a spoke for each worker.

Starting a plane takes seconds, so the tests of a session share two. Each test keeps to names of
its own (`cluster_name`) and leaves the rest alone; one that has to break a plane, or wants other
settings, asks `make_plane` for one that nobody else has.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from support.planes_plugin import record_missing, record_plane
from towline_sandbox.binaries import Binaries, BinariesMissing, find_binaries
from towline_sandbox.kube_plane import KubePlane

_HERE = Path(__file__).parent
_LIMIT_SECONDS = 120  # the first test of a worker waits for its planes to start

MakePlane = Callable[..., Awaitable[KubePlane]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and give them time for real servers."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.kube)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_LIMIT_SECONDS))


@pytest.fixture(scope="session")
def binaries(request: pytest.FixtureRequest) -> Binaries:
    """The programs of a control plane; a machine without them skips the test and says why."""
    try:
        return find_binaries()
    except BinariesMissing as missing:
        record_missing(request.config, reason=missing.reason)
        pytest.skip(missing.reason)


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


@pytest.fixture
def cluster_name() -> str:
    """A managed cluster's name that no other test uses."""
    return f"c-{secrets.token_hex(4)}"
