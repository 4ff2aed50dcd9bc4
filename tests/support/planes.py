"""The kinds of control plane that tests run on, and which of them a run has."""

import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from functools import cache

import pytest

from support.planes_plugin import record_missing
from towline_sandbox.binaries import BinariesMissing, find_binaries
from towline_sandbox.embedded.storage.store import Snapshot
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import ControlPlane

EMPTY_HUB_PLANE = pytest.StashKey[Snapshot]()
"""What the embedded plane that plays the hub in integration tests began with."""

_EMBEDDED_MODULE = "towline_sandbox.embedded.plane"


class Flavor(StrEnum):
    """What a plane is made of."""

    EMBEDDED = "embedded"
    KUBE = "kube"


@cache
def find_missing(flavor: Flavor) -> str | None:
    """Return why a plane of this flavor cannot be had on this machine; None if it can.

    Looked up once: every test asks when it is collected, and finding the real one's programs reads
    the sources that they were built from.
    """
    match flavor:
        case Flavor.EMBEDDED:
            if importlib.util.find_spec(_EMBEDDED_MODULE) is None:
                return f"there is no {_EMBEDDED_MODULE}"
        case Flavor.KUBE:
            try:
                find_binaries()
            except BinariesMissing as missing:
                return missing.reason
    return None


@asynccontextmanager
async def open_plane(
    flavor: Flavor, name: str, *, certificate_lifetime: timedelta | None = None
) -> AsyncIterator[ControlPlane]:
    """Start a plane of this flavor."""
    make: Callable[..., ControlPlane] = KubePlane
    if flavor is Flavor.EMBEDDED:
        from towline_sandbox.embedded.plane import EmbeddedPlane

        make = EmbeddedPlane
    async with make(name, certificate_lifetime=certificate_lifetime) as plane:
        yield plane


def flavors(config: pytest.Config) -> list[Flavor]:
    """Return the flavors to run on: those asked for with `--plane`, or all that can be had.

    Raises:
        pytest.UsageError: One that was asked for cannot be had.
    """
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


def parametrize_planes(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `flavor` once for each plane, all tests of a plane together.

    The marker `planes("kube", because=...)` keeps a test to the planes it names.
    """
    if "flavor" not in metafunc.fixturenames:
        return
    chosen = _chosen(metafunc.config, metafunc.definition)
    if not chosen:
        return  # deselect_planeless takes it out
    marks = {Flavor.KUBE: (pytest.mark.kube,)}
    metafunc.parametrize(
        "flavor",
        [pytest.param(flavor, id=str(flavor), marks=marks.get(flavor, ())) for flavor in chosen],
        indirect=True,
        scope="session",
    )


def deselect_planeless(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out the tests whose planes this run does not have: the last line says which and why."""
    left = [
        item
        for item in items
        if "flavor" in getattr(item, "fixturenames", ()) and not _chosen(config, item)
    ]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _chosen(config: pytest.Config, item: pytest.Item) -> list[Flavor]:
    """Return the planes that a test runs on, as far as this run has them.

    The marker `planes` names them. A test without it runs on whatever `--plane` says, and else on
    the embedded plane alone, which the conformance suite holds to the real one.
    """
    marker = item.get_closest_marker("planes")
    if marker is not None:
        return [flavor for flavor in flavors(config) if flavor in marker.args]
    found = flavors(config)
    return found if config.getoption("--plane") else found[:1]
