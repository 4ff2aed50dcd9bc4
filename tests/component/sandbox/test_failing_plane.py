"""A plane that cannot start says which program failed and what it wrote, and leaves nothing."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest

from support.processes import running_in
from support.tasks import background
from support.waiting import eventually
from towline_sandbox.binaries import PROGRAMS, Binaries
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import PlaneError
from towline_sandbox.ports import reserve_port

WAITS = "exec sleep 600"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the planes of this test keep their folders."""
    root = tmp_path / "planes"
    monkeypatch.setattr("towline_sandbox.private_folder.folders_root", lambda: root)
    return root


def scripts(folder: Path, **bodies: str) -> Binaries:
    """Return programs that do what these scripts say."""
    folder.mkdir(exist_ok=True)
    for name in PROGRAMS:
        body = bodies.get(name.replace("-", "_"), WAITS)
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return Binaries(folder)


def folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()] if root.exists() else []


async def until_nothing_is_left(root: Path) -> None:
    await eventually(lambda: folders(root) == [], what=lambda: folders(root))


async def test_the_error_ends_with_what_the_program_last_wrote(tmp_path: Path, root: Path) -> None:
    """Its log goes with the folder, so the error is the only place to read it."""
    script = "echo 'panic: database is on fire'; exit 2"
    plane = KubePlane("burning", binaries=scripts(tmp_path / "bin", etcd=script))
    expected = r"'burning' is broken: etcd exited with status 2; it last wrote:\npanic: .* on fire"
    with pytest.raises(PlaneError, match=expected):
        await plane.__aenter__()
    await until_nothing_is_left(root)


async def test_a_plane_that_takes_too_long_tells_how_far_it_came(
    tmp_path: Path, root: Path
) -> None:
    """Nobody waits for ever, and the first question is what did work."""
    plane = KubePlane(
        "slow", binaries=scripts(tmp_path / "bin"), start_limit=timedelta(milliseconds=300)
    )
    with pytest.raises(PlaneError, match=r"'slow' did not come up in .*; seen working: nothing"):
        await plane.__aenter__()
    await until_nothing_is_left(root)


async def test_a_port_that_somebody_took_is_given_up(tmp_path: Path, root: Path) -> None:
    """Another try with another port; and an end to it if that never helps."""
    script = "echo 'listen tcp 127.0.0.1:1: bind: address already in use'; exit 1"
    chosen: list[int] = []

    def choose() -> socket.socket:
        holder = reserve_port()
        chosen.append(holder.getsockname()[1])
        return holder

    binaries = scripts(tmp_path / "bin", kube_apiserver=script)
    plane = KubePlane("unlucky", binaries=binaries, choose_port=choose)
    with pytest.raises(PlaneError, match=r"kube-apiserver exited.*\n.*address already in use"):
        await plane.__aenter__()
    assert len(chosen) == 3
    await until_nothing_is_left(root)


async def test_a_missing_program_is_named(tmp_path: Path, root: Path) -> None:
    """For example when somebody cleans the cache meanwhile."""
    binaries = scripts(tmp_path / "bin")
    binaries.etcd.unlink()
    plane = KubePlane("partial", binaries=binaries)
    with pytest.raises(PlaneError, match=r"etcd could not be started: .*No such file"):
        await plane.__aenter__()
    await until_nothing_is_left(root)


async def test_a_failed_plane_can_be_tried_again(tmp_path: Path, root: Path) -> None:
    """It is as if it had never been entered."""
    plane = KubePlane("again", binaries=scripts(tmp_path / "bin", etcd="exit 1"))
    for _ in range(2):
        with pytest.raises(PlaneError, match="etcd exited with status 1"):
            await plane.__aenter__()
    with pytest.raises(PlaneError, match="is not running"):
        plane.logs("etcd")


async def test_no_process_is_left_by_a_start_that_is_given_up(tmp_path: Path, root: Path) -> None:
    """Ctrl-C while a plane comes up."""
    plane = KubePlane("cancelled", binaries=scripts(tmp_path / "bin"))
    async with background(plane.__aenter__(), name="start-plane") as start:
        await eventually(
            lambda: any(len(running_in(folder)) == 3 for folder in folders(root)),
            what=lambda: folders(root),
        )
        seen = folders(root)
        start.cancel()
    assert start.cancelled()
    await until_nothing_is_left(root)
    assert [pid for folder in seen for pid in running_in(folder)] == []


def test_reserved_ports_are_all_different() -> None:
    """Two planes that start at once must not be given the same."""
    holders = [reserve_port() for _ in range(50)]
    try:
        assert len({holder.getsockname()[1] for holder in holders}) == len(holders)
    finally:
        for holder in holders:
            holder.close()
