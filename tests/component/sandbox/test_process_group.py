"""Processes and their folder end with the caller, whatever ends the caller."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.processes import is_running, running_in
from support.waiting import eventually
from towline_sandbox.plane import PlaneError
from towline_sandbox.private_folder import create_private_folder
from towline_sandbox.process_group import ProcessGroup, Program

SHELL = {"PATH": "/usr/bin:/bin"}
SLEEPER = Program("sleeper", ("/bin/sleep", "600"), SHELL)

CALLER = """
import asyncio, os, sys
from pathlib import Path
from towline_sandbox.private_folder import create_private_folder
from towline_sandbox.process_group import ProcessGroup, Program

async def main(how):
    group = ProcessGroup(create_private_folder("caller", root=Path(sys.argv[1])))
    group.start(Program("one", ("/bin/sleep", "600"), {}))
    group.start(Program("two", ("/bin/sleep", "600"), {}))
    try:
        print(group.folder, flush=True)
        if how == "exception":
            raise RuntimeError("as ordered")
        if how == "exit":
            sys.exit(3)
        if how == "abrupt":
            os._exit(4)
        await asyncio.sleep(600)
    finally:
        await group.stop()

asyncio.run(main(sys.argv[2]))
"""


@pytest.fixture
async def group(tmp_path: Path) -> AsyncIterator[ProcessGroup]:
    """A group that is stopped in any case."""
    group = ProcessGroup(create_private_folder("test", root=tmp_path / "root"))
    yield group
    await group.stop()


def start_caller(root: Path, *, how: str) -> subprocess.Popen[str]:
    """Start a process that owns a group and ends in this way."""
    return subprocess.Popen(
        [sys.executable, "-c", CALLER, str(root), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def folder_of(caller: subprocess.Popen[str]) -> Path:
    """Return the folder of the caller's group; the caller prints it first of all."""
    assert caller.stdout is not None
    return Path(caller.stdout.readline().strip())


def folders_in(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()]


async def until_running(folder: Path, *, count: int) -> list[int]:
    """Wait until this many processes run in the folder, the supervisor among them."""
    await eventually(lambda: len(running_in(folder)) == count, what=lambda: running_in(folder))
    return running_in(folder)


async def test_stopping_ends_the_processes_and_removes_the_folder(group: ProcessGroup) -> None:
    """The ordinary end."""
    group.start(SLEEPER)
    pids = await until_running(group.folder, count=2)
    await group.stop()
    assert not group.folder.exists()
    assert [pid for pid in pids if is_running(pid)] == []


async def test_a_program_that_ends_says_how(group: ProcessGroup) -> None:
    """Without that, a plane whose etcd is gone would be waited for until the limit."""
    script = "echo going down; exit 7"
    group.start(Program("failing", ("/bin/sh", "-c", script), SHELL))
    group.start(Program("killed", ("/bin/sh", "-c", "kill -9 $$"), SHELL))
    group.start(Program("absent", ("/nowhere/etcd",), SHELL))
    names = ("failing", "killed", "absent")
    await eventually(
        lambda: all(group.ending(name) for name in names),
        what=lambda: [group.ending(name) for name in names],
    )
    assert group.ending("failing") == "exited with status 7"
    assert group.log_tail("failing") == "going down"
    assert group.ending("killed") == "was killed by SIGKILL"
    assert "could not be started" in (group.ending("absent") or "")
    assert "/nowhere/etcd" in (group.ending("absent") or "")


async def test_a_running_program_has_no_ending(group: ProcessGroup) -> None:
    """And a log that is empty or not there is no reason to fail."""
    group.start(SLEEPER)
    await until_running(group.folder, count=2)
    assert group.ending("sleeper") is None
    assert group.log_tail("sleeper") == ""
    assert group.log_tail("never-started") == ""


async def test_only_the_last_lines_of_a_log_are_told(group: ProcessGroup) -> None:
    """An error that fills the screen is not read."""
    script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done"
    group.start(Program("chatty", ("/bin/sh", "-c", script), SHELL))
    await eventually(lambda: group.ending("chatty") is not None, what=lambda: "still running")
    assert group.log_tail("chatty", lines=2) == "line 2999\nline 3000"


async def test_programs_see_nothing_of_the_callers_environment(group: ProcessGroup) -> None:
    """Proxies, credentials and settings of the caller stay with the caller."""
    os.environ["TOWLINE_TEST_MARK"] = "leaked"
    try:
        group.start(Program("env", ("/usr/bin/env",), {"ONLY": "this"}))
        await eventually(lambda: group.ending("env") is not None, what=lambda: "still running")
    finally:
        del os.environ["TOWLINE_TEST_MARK"]
    assert group.log_tail("env") == "ONLY=this"


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("exception", None),
        ("exit", None),
        ("abrupt", None),
        ("sleep", signal.SIGINT),
        ("sleep", signal.SIGTERM),
        ("sleep", signal.SIGKILL),
    ],
    ids=["exception", "sys.exit", "os._exit", "SIGINT", "SIGTERM", "SIGKILL"],
)
async def test_nothing_survives_the_caller(
    tmp_path: Path, how: str, number: signal.Signals | None
) -> None:
    """A test process is killed by people, by CI and by the kernel; none of them tidies up."""
    with start_caller(tmp_path / "root", how=how) as caller:
        folder = folder_of(caller)
        if number is not None:
            await until_running(folder, count=3)
            caller.send_signal(number)
        await eventually(lambda: caller.poll() is not None, what=lambda: "caller still runs")
        assert caller.returncode != 0
        await eventually(
            lambda: not running_in(folder) and not folder.exists(),
            what=lambda: (running_in(folder), sorted(folder.parent.iterdir())),
        )


async def test_an_interrupt_from_the_terminal_does_not_reach_the_group(
    group: ProcessGroup,
) -> None:
    """Ctrl-C goes to the whole foreground group; the caller has to decide what it means."""
    group.start(SLEEPER)
    for pid in await until_running(group.folder, count=2):
        assert os.getsid(pid) == group.supervisor_pid
        assert os.getpgid(pid) != os.getpgid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_the_processes_end_with_a_killed_supervisor(group: ProcessGroup) -> None:
    """Nobody would be left to end them."""
    group.start(SLEEPER)
    pids = await until_running(group.folder, count=2)
    os.kill(group.supervisor_pid, signal.SIGKILL)
    await eventually(lambda: not any(map(is_running, pids)), what=lambda: running_in(group.folder))
    assert group.ending("sleeper") == "went down with its supervisor"
    with pytest.raises(PlaneError, match="its supervisor is gone"):
        group.start(SLEEPER)
    await group.stop()
    assert not group.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_the_next_start_sweeps_what_a_killed_pair_left(tmp_path: Path) -> None:
    """Caller and supervisor killed at once: the one case in which a folder is left for a while."""
    root = tmp_path / "root"
    with start_caller(root, how="sleep") as caller:
        folder = folder_of(caller)
        pids = await until_running(folder, count=3)
        # Stopped first, so that neither sees the other's end.
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        caller.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not any(map(is_running, pids)), what=lambda: running_in(folder))
    assert [path.name for path in folders_in(root)] == [folder.name]
    create_private_folder("next", root=root).release()
    assert [path.name[:4] for path in folders_in(root)] == ["next"]


async def test_a_terminated_supervisor_cleans_up_as_well(group: ProcessGroup) -> None:
    """What a person does who finds it in the list of processes."""
    group.start(SLEEPER)
    pids = await until_running(group.folder, count=2)
    os.kill(group.supervisor_pid, signal.SIGTERM)
    await eventually(lambda: not group.folder.exists(), what=lambda: running_in(group.folder))
    assert [pid for pid in pids if pid != group.supervisor_pid and is_running(pid)] == []


async def test_several_groups_do_not_see_each_other(tmp_path: Path) -> None:
    """A hub and a spoke run side by side; one ends, the other goes on."""
    first, second = (
        ProcessGroup(create_private_folder("same-name", root=tmp_path / "root")) for _ in range(2)
    )
    try:
        first.start(SLEEPER)
        second.start(SLEEPER)
        await until_running(first.folder, count=2)
        await until_running(second.folder, count=2)
        await first.stop()
        assert not first.folder.exists()
        assert len(running_in(second.folder)) == 2
    finally:
        await first.stop()
        await second.stop()


async def test_a_group_can_be_stopped_twice(group: ProcessGroup) -> None:
    """Clean-up code that is not sure asks again."""
    await group.stop()
    await group.stop()


def test_a_group_outlives_the_loop_it_was_started_in(tmp_path: Path) -> None:
    """Test sessions start planes in one event loop and use them in others."""

    async def start() -> ProcessGroup:
        group = ProcessGroup(create_private_folder("loops", root=tmp_path / "root"))
        group.start(SLEEPER)
        await until_running(group.folder, count=2)
        return group

    group = asyncio.run(start())
    assert group.ending("sleeper") is None
    asyncio.run(group.stop())
    assert not group.folder.exists()
