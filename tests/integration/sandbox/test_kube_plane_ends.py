"""Real planes leave no process and no file, whatever happens to who started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import is_running, running_in
from support.waiting import eventually
from towline_sandbox.binaries import Binaries
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import PlaneError

CALLER = """
import asyncio, sys
from contextlib import AsyncExitStack
from pathlib import Path
from towline_sandbox.binaries import Binaries
from towline_sandbox.kube_plane import KubePlane

async def main():
    binaries = Binaries(Path(sys.argv[1]))
    async with AsyncExitStack() as planes:
        for name in sys.argv[2:]:
            await planes.enter_async_context(KubePlane(name, binaries=binaries))
        print("up", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the planes of this test keep their folders."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"towline-sandbox-{os.getuid()}"


def start_caller(
    binaries: Binaries, *, root: Path, planes: tuple[str, ...]
) -> subprocess.Popen[str]:
    """Start a process that runs these planes."""
    return subprocess.Popen(
        [sys.executable, "-c", CALLER, str(binaries.folder), *planes],
        env={**os.environ, "TMPDIR": str(root.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()] if root.exists() else []


async def until_all_is_gone(root: Path, *, seen: list[Path]) -> None:
    await eventually(
        lambda: folders(root) == [] and not any(map(running_in, seen)),
        what=lambda: (folders(root), [running_in(path) for path in seen]),
    )


async def test_a_running_plane_ends_with_an_exception_in_its_block(
    binaries: Binaries, root: Path
) -> None:
    """A person's Ctrl-C is one, and arrives as it is: nothing is left when the caller has ended."""
    with start_caller(binaries, root=root, planes=("one",)) as caller:
        seen = until_up(caller, root=root, planes=1)
        caller.send_signal(signal.SIGINT)
    assert caller.returncode == -signal.SIGINT
    assert folders(root) == []
    assert running_in(seen[0]) == []


async def test_running_planes_end_with_their_caller(binaries: Binaries, root: Path) -> None:
    """The end that no program sees coming; with several planes at once."""
    with start_caller(binaries, root=root, planes=("one", "two")) as caller:
        seen = until_up(caller, root=root, planes=2)
        caller.kill()
    await until_all_is_gone(root, seen=seen)


def until_up(caller: subprocess.Popen[str], *, root: Path, planes: int) -> list[Path]:
    """Wait for a caller's planes; return their folders."""
    assert caller.stdout is not None
    assert caller.stdout.readline() == "up\n"
    seen = folders(root)
    # A supervisor, etcd, the API server and the controllers of each.
    assert [len(running_in(folder)) for folder in seen] == [4] * planes
    return seen


async def test_a_plane_that_is_still_starting_ends_with_its_caller(
    binaries: Binaries, root: Path
) -> None:
    """Test runs are killed at any moment."""
    with start_caller(binaries, root=root, planes=("early",)) as caller:
        await eventually(
            lambda: any(len(running_in(folder)) >= 3 for folder in folders(root)),
            what=lambda: folders(root),
        )
        seen = folders(root)
        caller.kill()
    await until_all_is_gone(root, seen=seen)


async def test_a_plane_whose_supervisor_was_killed_ends_and_says_so(
    binaries: Binaries, root: Path
) -> None:
    """Its programs must not go on without it, and its user must learn why nothing answers."""
    async with KubePlane("orphan", binaries=binaries) as plane:
        (folder,) = folders(root)
        pids = running_in(folder)
        (supervisor,) = [pid for pid in pids if os.getsid(pid) == pid]
        os.kill(supervisor, signal.SIGKILL)
        await eventually(lambda: not any(map(is_running, pids)), what=lambda: running_in(folder))
        with pytest.raises(PlaneError, match="'orphan' is broken: etcd went down with its super"):
            await plane.bootstrap_kubeconfig()
    assert folders(root) == []
