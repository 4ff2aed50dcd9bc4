"""An embedded plane in a process of its own, and the command that runs one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.raw_api import raw_api
from towline_sandbox.embedded.plane_process import PlaneProcess
from towline_sandbox.plane import ControlPlane, PlaneError


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read_private(path: str) -> str:
    assert Path(path).stat().st_mode & 0o777 == 0o600
    return Path(path).read_text()


def is_file(path: str) -> bool:
    return Path(path).exists()


async def test_it_is_a_plane_like_the_others() -> None:
    """Whoever holds it does not notice that another process serves."""
    async with PlaneProcess("apart") as plane:
        assert isinstance(plane, ControlPlane)
        assert plane.pid != os.getpid()
        async with raw_api(plane.admin_kubeconfig()) as api:
            assert (await api.call("GET", "/version")).body["gitVersion"] == plane.version
        async with raw_api(await plane.kubeconfig_for("joe")) as api:
            assert (await api.call("GET", "/api/v1/nodes")).status == 403
        async with raw_api(await plane.bootstrap_kubeconfig()) as api:
            assert (await api.call("GET", "/api")).status == 200
        events = plane.audit_events()
        assert [(event.user, event.status) for event in events][1] == ("joe", 403)
        pid = plane.pid
    assert not is_running(pid)


async def test_what_cannot_be_done_is_said() -> None:
    """A mistake of the caller's is an error of the caller's, and the plane goes on."""
    async with PlaneProcess("asked") as plane:
        with pytest.raises(PlaneError, match="must begin"):
            await plane.bootstrap_kubeconfig(groups=["other"])
        async with raw_api(plane.admin_kubeconfig()) as api:
            assert (await api.call("GET", "/livez")).status == 200


async def test_a_process_that_died_is_noticed() -> None:
    """Not a hang, and not a kubeconfig for nobody."""
    async with PlaneProcess("killed") as plane:
        os.kill(plane.pid, signal.SIGKILL)
        with pytest.raises(PlaneError, match=r"is gone|ended with status"):
            await plane.kubeconfig_for("joe")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_sandbox_up_runs_until_told_to_end(number: signal.Signals) -> None:
    """It tells where the plane is once it serves, and leaves neither process nor file behind."""
    command = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "towline_sandbox.cli",
        "sandbox",
        "up",
        "--name",
        "shown",
        "-o",
        "json",
        stdout=subprocess.PIPE,
    )
    assert command.stdout is not None
    try:
        told = json.loads(await command.stdout.readline())
        assert told["name"] == "shown"
        kubeconfig = read_private(told["kubeconfigs"]["admin"])
        assert told["server"] in kubeconfig
        async with raw_api(kubeconfig) as api:
            assert (await api.call("GET", "/readyz")).text == "ok"
        command.send_signal(number)
        assert await command.wait() == 0
        assert not is_file(told["kubeconfigs"]["admin"])
    finally:
        if command.returncode is None:
            command.kill()
            await command.wait()
