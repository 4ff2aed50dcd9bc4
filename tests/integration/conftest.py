"""Control planes for the tests of this folder: a hub and a spoke of each kind for each worker.

Starting a real plane takes seconds, so the tests of a session share two. Each test keeps to names
of its own (`cluster_name`) and leaves the rest alone; one that has to break a plane, or wants other
settings, asks `make_plane` for one that nobody else has.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from support.planes import (
    EMPTY_HUB_PLANE,
    Flavor,
    deselect_planeless,
    open_plane,
    parametrize_planes,
)
from support.planes_plugin import record_missing, record_plane
from towline_sandbox.binaries import Binaries, BinariesMissing, find_binaries
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.plane import ControlPlane

_HERE = Path(__file__).parent
_LIMIT_SECONDS = 120  # the first test of a worker waits for its planes to start

MakePlane = Callable[..., Awaitable[ControlPlane]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test on each kind of plane."""
    parametrize_planes(metafunc)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the tests of this folder time for real servers."""
    deselect_planeless(config, items)
    for item in items:
        if _HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_LIMIT_SECONDS))


@pytest.fixture(scope="session")
def flavor(request: pytest.FixtureRequest) -> Flavor:
    """What the planes of a test are made of."""
    found: Flavor = request.param
    return found


@pytest.fixture(scope="session")
def binaries(request: pytest.FixtureRequest) -> Binaries:
    """The programs of a real plane; a machine without them skips the test and says why."""
    try:
        return find_binaries()
    except BinariesMissing as missing:
        record_missing(request.config, reason=missing.reason)
        pytest.skip(missing.reason)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hub_plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[ControlPlane]:
    """The plane that plays the hub, shared by all tests of this worker."""
    async with open_plane(flavor, "hub") as plane:
        record_plane(request.config, plane)
        if isinstance(plane, EmbeddedPlane):
            request.config.stash[EMPTY_HUB_PLANE] = plane.snapshot()
        yield plane


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def spoke_plane(
    request: pytest.FixtureRequest, flavor: Flavor
) -> AsyncIterator[ControlPlane]:
    """The plane that plays a managed cluster, shared by all tests of this worker."""
    async with open_plane(flavor, "spoke") as plane:
        record_plane(request.config, plane)
        yield plane


@pytest_asyncio.fixture
async def make_plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[MakePlane]:
    """Start further planes, which end with the test.

    Called as `await make_plane("hub", certificate_lifetime=timedelta(minutes=10))`.
    """
    async with AsyncExitStack() as running:

        async def make(name: str, *, certificate_lifetime: timedelta | None = None) -> ControlPlane:
            opened = open_plane(flavor, name, certificate_lifetime=certificate_lifetime)
            plane = await running.enter_async_context(opened)
            record_plane(request.config, plane)
            return plane

        yield make


@pytest.fixture
def cluster_name() -> str:
    """A managed cluster's name that no other test uses."""
    return f"c-{secrets.token_hex(4)}"
