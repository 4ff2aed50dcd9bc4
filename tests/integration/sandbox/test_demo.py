"""The demonstration shows every step it promises and tells the truth by its exit status."""

import json
import os
import signal
import sys
from asyncio import create_subprocess_exec, subprocess, timeout
from pathlib import Path

import pytest

from integration.channel.programs import Program
from towline_sandbox.plane_kinds import PlaneKind

_PROMISED = (
    "control planes",
    "hub starts",
    "agent starts",
    "cluster cluster1 asks for an identity",
    "granted exactly its RBAC",
    "joined",
    "lease",
    "enables the add-on",
    "add-on helloworld asks for an identity",
    "configuration is applied",
    "change on the hub reaches",
    "pruned",
    "hostile request is refused",
    "rotate live",
    "towline status",
)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("plane", PlaneKind, ids="on its own {} planes".format)
async def test_the_demo_shows_every_step_and_leaves_nothing_behind(
    tmp_path: Path, plane: PlaneKind
) -> None:
    """Machines read the steps from standard output; temporary files are gone afterwards."""
    # Beside other tests, five seconds may be over before an agent gets to renew anything.
    arguments = ["--plane", plane, "-o", "json", "--certificate-lifetime", "15s"]
    demo = await create_subprocess_exec(
        *(sys.executable, "-m", "towline_sandbox.cli", "demo", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    async with timeout(170):
        out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    steps = json.loads(out)
    assert all(step["ok"] for step in steps)
    assert all(isinstance(step["seconds"], float) for step in steps)
    titles = "\n".join(step["step"] for step in steps)
    assert [promise for promise in _PROMISED if promise not in titles] == []
    assert files_below(tmp_path) == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_demo_ends_at_once_and_says_that_it_did_not_succeed(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Being told to end in the middle is no success, and no process or file survives it.

    Real planes end with whoever started them: `test_kube_plane_ends` shows that.
    """
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    demo = Program(
        ["demo", "--plane", PlaneKind.EMBEDDED],
        log=tmp_path / "demo.log",
        environment={"TMPDIR": str(temporary)},
    )
    demo.start()
    await demo.until_said("hub starts")
    assert files_below(temporary) != []
    demo.send(number)
    assert demo.finish() == 128 + number
    assert "Traceback" not in demo.said
    assert files_below(temporary) == []


def files_below(folder: Path) -> list[Path]:
    """Return every file that is left, whatever its folder, but for the empty lock planes share."""
    return [path for path in folder.rglob("*") if not path.is_dir() and path.name != ".lock"]
