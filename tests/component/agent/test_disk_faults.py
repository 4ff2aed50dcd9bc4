"""A disk that is full or read-only, under an agent that keeps its credential in a directory.

The agent asks for nothing whose key it could not keep, says what is wrong, goes on with what it
has, and takes up where it was once the disk is well.
"""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from support.joining import JoinHub, RunningAgent, agent_settings, join_hub, running_agent
from support.waiting import eventually, until
from towline_agent.credentials import stores as credential_stores
from towline_agent.credentials.status import CredentialState
from towline_api.resources import MANAGED_CLUSTERS
from towline_certs import generations, store
from towline_kube.clock import SYSTEM_CLOCK
from towline_sandbox.embedded.plane import EmbeddedPlane

CLUSTER = "cluster1"
_CHANGES = ("mkdir", "symlink", "unlink", "rename", "rmdir", "write")


class Disk:
    """Stands for `os` where a store writes, and fails as a disk does."""

    def __init__(self) -> None:
        self.error: int | None = None
        """What every change fails with; None for a disk that is well."""

    def __getattr__(self, name: str) -> Any:
        return self._failing(name, getattr(os, name)) if name in _CHANGES else getattr(os, name)

    def _failing(self, name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*given: Any, **named: Any) -> Any:
            # A full disk still takes things away.
            if self.error is not None and (self.error != errno.ENOSPC or name != "unlink"):
                raise OSError(self.error, os.strerror(self.error))
            return change(*given, **named)

        return attempt


class MovableClock:
    """The machine's clock, set ahead as far as a test wants."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        return SYSTEM_CLOCK.now() + self.shift

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()

    async def sleep(self, delay: timedelta) -> None:
        await SYSTEM_CLOCK.sleep(delay)


@dataclass
class Scene:
    """An agent whose state is on a disk that can fail."""

    hub: JoinHub
    agent: RunningAgent
    disk: Disk
    clock: MovableClock
    state: Path

    async def complains(self, error: int) -> None:
        words = os.strerror(error)

        def is_told() -> bool:
            return words in self.agent.session.keeper.status.message

        await eventually(is_told, what=lambda: self.agent.session.keeper.status)

    async def calls_hub(self) -> None:
        client = await self.agent.session.channel.wait_ready(timeout=timedelta(seconds=20))
        await client.get(MANAGED_CLUSTERS, CLUSTER)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    failing = Disk()
    for module in (generations, store):
        monkeypatch.setattr(module, "os", failing)
    return failing


@asynccontextmanager
async def scene(folder: Path, disk: Disk) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        planes = [stack.enter_context(EmbeddedPlane(name)) for name in ("hub", "spoke")]
        hub = await stack.enter_async_context(join_hub(*planes, cluster=CLUSTER))
        state = folder / "state"
        settings = await agent_settings(
            hub, *planes, folder=folder, state_dir=state, client_cert_expiration=timedelta(hours=1)
        )
        clock = MovableClock()
        agent = await stack.enter_async_context(running_agent(settings, clock=clock))
        yield Scene(hub, agent, disk, clock, state)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
async def test_no_request_is_made_whose_key_cannot_be_kept(
    tmp_path: Path, disk: Disk, error: int
) -> None:
    """A key that is lost with the process would leave a request behind at every restart."""
    disk.error = error
    async with scene(tmp_path, disk) as world:
        await world.complains(error)
        assert await world.hub.requests() == []
        assert await world.hub.managed_cluster() is None, "nobody is told a name that is not kept"
        disk.error = None
        await world.hub.joined()
        await world.calls_hub()
        assert len(await world.hub.requests()) == 1


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
async def test_a_renewal_waits_for_the_disk_and_the_channel_goes_on(
    tmp_path: Path, disk: Disk, error: int
) -> None:
    """The certificate at hand is good for a while yet; and then the renewal is made up for."""
    async with scene(tmp_path, disk) as world:
        await world.hub.joined()
        keeper = world.agent.session.keeper
        await world.calls_hub()
        first = keeper.credential
        disk.error = error
        world.clock.shift = timedelta(minutes=50)
        keeper.look_again()
        await world.complains(error)
        await world.calls_hub()
        assert len(await world.hub.requests()) == 1
        assert keeper.credential == first
        disk.error = None
        await eventually(lambda: keeper.renewals == 2, what=lambda: keeper.status)
        await world.calls_hub()
        assert len(world.agent.sessions) == 1
        assert len(await world.hub.requests()) == 2


async def test_a_directory_that_was_removed_is_made_again(tmp_path: Path, disk: Disk) -> None:
    """Somebody cleaned up, or a volume came back empty: the credential at hand is stored anew."""
    async with scene(tmp_path, disk) as world:
        await world.hub.joined()
        keeper = world.agent.session.keeper
        await eventually(
            lambda: keeper.status.state is CredentialState.HOLDING, what=lambda: keeper.status
        )
        shutil.rmtree(world.state)

        async def is_back() -> bool:
            return await asyncio.to_thread((world.state / "current" / "tls.key").exists)

        await until(is_back, what=lambda: keeper.status)
        assert not world.agent.task.done()
        await world.calls_hub()
        assert len(await world.hub.requests()) == 1


async def test_a_system_without_watches_left_ends_nothing(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watches are few on a busy machine; a directory can do without, as it is read now and then."""

    def none_left(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("Too many open files (os error 24)")

    monkeypatch.setattr(credential_stores, "awatch", none_left)
    async with scene(tmp_path, disk) as world:
        await world.hub.joined()
        await world.calls_hub()
        assert not world.agent.task.done()
