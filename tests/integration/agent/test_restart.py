"""An agent killed at any point of its join goes on where it stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.joining import JoinHub, agent_settings, running_agent
from support.waiting import until
from towline_agent.settings import AgentSettings
from towline_kube.client import Call
from towline_sandbox.plane import ControlPlane


class Killed(BaseException):
    """The process ends here. Not an `Exception`, so that nothing of ours handles it."""


@asynccontextmanager
async def agent_process(
    settings: AgentSettings, *, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `towline agent run` as in life; whatever the body leaves of it is killed."""
    flags = {
        "--bootstrap-kubeconfig": settings.bootstrap_kubeconfig,
        "--spoke-kubeconfig": settings.spoke_kubeconfig,
        "--cluster-name": settings.cluster_name,
        "--hub-return-spread": "1s",
        "--namespace": settings.namespace,
    }
    words = [str(word) for pair in flags.items() for word in pair]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "towline_sandbox.cli", "agent", "run", *words),
            stdout=output,
            stderr=output,
            env={key: value for key, value in os.environ.items() if key in ("PATH", "HOME")},
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


STAGES: dict[str, tuple[bool, bool, Callable[[JoinHub], Awaitable[object]]]] = {
    "key-stored": (False, False, lambda hub: hub.secret("hub-kubeconfig-secret-pending")),
    "request-posted": (False, False, lambda hub: hub.pending_requests()),
    "cluster-created": (False, False, lambda hub: hub.managed_cluster()),
    "accepted": (False, True, lambda hub: hub.has_condition("HubAcceptedManagedCluster")),
    "credential-stored": (True, False, lambda hub: hub.secret()),
    "joined": (True, True, lambda hub: hub.has_condition("ManagedClusterJoined")),
}
"""What the hub decides before the kill (approves, accepts), and what is seen at the kill."""


@pytest.mark.parametrize("stage", STAGES)
async def test_the_process_is_killed_at_each_stage(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path, stage: str
) -> None:
    """SIGKILL, as by an out-of-memory node: the same request goes on, and the join ends well."""
    hub.approves, hub.accepts, reached = STAGES[stage]
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    log = tmp_path / "agent.log"
    async with agent_process(settings, log=log) as process:
        await until(lambda: reached(hub), what=lambda: f"{stage} not reached: {log.read_text()}")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    before = {request["metadata"]["name"] for request in await hub.requests()}
    async with agent_process(settings, log=log) as process:
        if not hub.approves:
            await until(hub.pending_requests, what=log.read_text)
            assert len(await hub.pending_requests()) == 1
        hub.approves = hub.accepts = True
        await hub.joined()
        ups = 2 if stage == "joined" else 1

        async def is_up() -> bool:
            return log.read_text().count("hub channel is up") >= ups

        await until(is_up, what=log.read_text)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0, log.read_text()
    after = {request["metadata"]["name"] for request in await hub.requests()}
    assert len(after) == 1
    assert before <= after


@pytest.mark.timeout(300)
async def test_the_agent_is_killed_after_every_single_call(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Every answer it ever gets may be its last; never a second pending request, always joined."""
    prefix = hub.cluster
    number, killed = 0, True
    while killed:
        number += 1
        hub.cluster = f"{prefix}-{number}"
        folder = tmp_path / str(number)
        folder.mkdir()
        settings = await agent_settings(
            hub, hub_plane, spoke_plane, folder=folder, hub_kubeconfig_secret=f"s-{number}"
        )
        killed = await _run_until_call(number, settings, hub)
        async with running_agent(settings, parts={}):
            assert len(await hub.pending_requests()) <= 1
            await hub.joined()
        assert len(await hub.requests()) == 1, f"killed after call {number}"
    assert number > 15, "a join takes more calls than that"


async def _run_until_call(number: int, settings: AgentSettings, hub: JoinHub) -> bool:
    """Run an agent until this call of its has been answered; return whether it came so far."""
    made = 0
    killed = False

    def count(_: Call) -> None:
        nonlocal made
        made += 1
        if made == number:
            raise Killed

    try:
        async with running_agent(settings, parts={}, on_hub_call=count, on_spoke_call=count):
            await hub.joined()
    except* Killed:
        killed = True
    return killed
