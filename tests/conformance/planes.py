"""The control planes that the suite runs on, and what a test may do to one besides calling it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import aiohttp

from towline_sandbox.binaries import PROGRAMS, Binaries, BinariesMissing, find_binaries
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import ControlPlane

_T = TypeVar("_T")


class Flavor(StrEnum):
    """What a plane is made of."""

    EMBEDDED = "embedded"
    KUBE = "kube"


@cache
def find_missing(flavor: Flavor) -> str | None:
    """Return why a plane of this flavor cannot be had on this machine; None if it can."""
    if flavor is Flavor.KUBE:
        try:
            find_binaries()
        except BinariesMissing as missing:
            return missing.reason
    return None


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane.

    Args:
        flavor: What it is made of.
        control: The plane itself.
    """

    flavor: Flavor
    control: ControlPlane

    @property
    def title(self) -> str:
        """How the end of a test run names it."""
        return f"{self.flavor} {self.control.version}"

    async def forget_history(self) -> None:
        """Make the server forget all that was before now: what is resumed from there is gone.

        Asked of a plane of `open_forgetful` only.
        """
        match self.control:
            case KubePlane():
                await _compact_etcd(self.control)
            case EmbeddedPlane():
                self.control.expire_resource_versions()


def differs(plane: Plane, *, embedded: _T, kube: _T, because: str) -> _T:
    """Return what is expected of this plane where the two are documented to differ.

    Args:
        plane: The plane under test.
        embedded: What the embedded plane does.
        kube: What the real one does.
        because: Why that is not worth changing, for the reader.
    """
    assert because
    return embedded if plane.flavor is Flavor.EMBEDDED else kube


@asynccontextmanager
async def open_plane(flavor: Flavor, name: str = "conformance") -> AsyncIterator[Plane]:
    """Start a plane of this flavor."""
    control: ControlPlane = KubePlane(name) if flavor is Flavor.KUBE else EmbeddedPlane(name)
    async with control:
        yield Plane(flavor, control)


@asynccontextmanager
async def open_forgetful(flavor: Flavor) -> AsyncIterator[Plane]:
    """Start a plane that can be made to forget its history.

    The real server answers from a cache of its own for minutes after etcd has forgotten, so this
    one runs without the cache.
    """
    if flavor is Flavor.EMBEDDED:
        async with open_plane(flavor, "forgetful") as plane:
            yield plane
        return
    with TemporaryDirectory() as folder:
        binaries = _without_watch_cache(find_binaries(), folder=Path(folder))
        async with KubePlane("forgetful", binaries=binaries) as control:
            yield Plane(flavor, control)


def _without_watch_cache(binaries: Binaries, *, folder: Path) -> Binaries:
    for program in PROGRAMS:
        (folder / program).symlink_to(binaries.folder / program)
    wrapper = folder / binaries.kube_apiserver.name
    wrapper.unlink()
    wrapper.write_text(f'#!/bin/sh\nexec "{binaries.kube_apiserver}" "$@" --watch-cache=false\n')
    wrapper.chmod(0o700)
    return Binaries(folder)


async def _compact_etcd(control: KubePlane) -> None:
    """Through etcd's HTTP gateway, on the socket file in the plane's private folder."""
    folder = control._plane.group.folder  # tests only: nobody else has to reach etcd
    connector = aiohttp.UnixConnector(os.fspath(folder / "etcd.sock:1"))
    async with aiohttp.ClientSession("http://etcd", connector=connector) as session:
        async with session.post("/v3/kv/range", json={"key": "YQ=="}) as response:
            revision = (await response.json())["header"]["revision"]
        compaction = {"revision": revision, "physical": True}
        async with session.post("/v3/kv/compaction", json=compaction) as response:
            assert response.status == 200, await response.text()
