"""The planes under test, and what every test of the suite starts from.

A worker starts the planes its tests need, once. Each test has a namespace and names of its own, so
that no test knows of another.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from conformance.api import Api
from conformance.callers import Callers
from conformance.crds import install, widget_crd
from conformance.furnished import make_namespace
from conformance.planes import Flavor, Plane, find_missing, open_forgetful, open_plane
from support.conformance_count import PLANE_PROPERTY
from support.planes_plugin import record_missing, record_plane

_HERE = f"{Path(__file__).parent}/"
_LIMIT_SECONDS = 120  # the first test of a worker waits for its plane to start


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test once for each plane, or the marked one; all of a plane's tests together."""
    if "flavor" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("planes")
        marks = {Flavor.KUBE: (pytest.mark.kube,)}
        metafunc.parametrize(
            "flavor",
            [
                pytest.param(flavor, id=str(flavor), marks=marks.get(flavor, ()))
                for flavor in (only.args if only else _flavors(metafunc.config))
            ],
            indirect=True,
            scope="session",
        )


def _flavors(config: pytest.Config) -> list[Flavor]:
    wanted = [Flavor(name) for name in config.getoption("--plane") or ()]
    found = []
    for flavor in Flavor:
        missing = find_missing(flavor)
        if missing is None and (not wanted or flavor in wanted):
            found.append(flavor)
        elif missing is not None and flavor in wanted:
            raise pytest.UsageError(f"--plane {flavor}: {missing}")
        elif missing is not None:
            record_missing(config, reason=f"{flavor}: {missing}")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time for real servers."""
    for item in items:
        if str(item.path).startswith(_HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_LIMIT_SECONDS))


@pytest.fixture(scope="session")
def flavor(request: pytest.FixtureRequest) -> Flavor:
    """What the plane under test is made of."""
    found: Flavor = request.param
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[Plane]:
    """The plane under test, shared by all tests of this worker."""
    async with open_plane(flavor) as opened:
        record_plane(request.config, opened.control)
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def forgetful_plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[Plane]:
    """A plane whose history can be taken away."""
    async with open_forgetful(flavor) as opened:
        record_plane(request.config, opened.control)
        yield opened


@pytest.fixture(autouse=True)
def _counted(plane: Plane, request: pytest.FixtureRequest) -> None:
    """Let the end of the run say how many tests passed on which plane."""
    request.node.user_properties.append((PLANE_PROPERTY, plane.title))


@pytest.fixture
async def callers(plane: Plane) -> AsyncIterator[Callers]:
    """Whoever calls the plane in this test."""
    async with AsyncExitStack() as stack:
        yield Callers(plane, stack)


@pytest.fixture
async def api(callers: Callers) -> Api:
    """The plane as its administrator sees it."""
    return await callers.admin()


@pytest.fixture
def name() -> str:
    """A name that no other test uses, good for everything."""
    return f"t-{secrets.token_hex(4)}"


@pytest.fixture
async def namespace(api: Api) -> str:
    """A namespace of this test alone."""
    made = f"ns-{secrets.token_hex(4)}"
    await make_namespace(api, made)
    return made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def widget_group(plane: Plane) -> str:
    """The name of a definition that tests of Widgets share, as the real server takes seconds."""
    name = f"shared-{secrets.token_hex(4)}"
    async with AsyncExitStack() as stack:
        await install(await Callers(plane, stack).admin(), widget_crd(name))
    return name
