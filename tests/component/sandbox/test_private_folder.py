"""Private folders are closed to others, and leftovers go."""

import os
import stat
from pathlib import Path

import pytest

from towline_api.errors import ConfigError
from towline_sandbox.private_folder import create_private_folder


def test_a_folder_is_closed_to_others(tmp_path: Path) -> None:
    """It will hold the keys of a whole control plane."""
    folder = create_private_folder("hub", root=tmp_path / "root")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.path.parent.stat().st_mode) == 0o700
    folder.release()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Several planes run at once, started at different times."""
    used = create_private_folder("hub", root=tmp_path / "root")
    create_private_folder("hub", root=tmp_path / "root").release()
    assert used.path.exists()
    used.release()


def test_a_folder_whose_owner_is_gone_is_swept(tmp_path: Path) -> None:
    """The lock ends with the process, however it ended."""
    left = create_private_folder("hub", root=tmp_path / "root")
    (left.path / "server.key").write_text("secret")
    left.release()
    kept = create_private_folder("spoke", root=tmp_path / "root")
    assert [path for path in kept.path.parent.iterdir() if path.is_dir()] == [kept.path]
    kept.release()


def test_an_interrupted_sweep_is_finished_by_the_next(tmp_path: Path) -> None:
    """A folder without a lock file is one that was being removed."""
    root = tmp_path / "root"
    create_private_folder("hub", root=root).release()
    half_removed = root / ".swept-hub-1"
    half_removed.mkdir()
    (half_removed / "etcd.log").write_text("")
    kept = create_private_folder("spoke", root=root)
    assert not half_removed.exists()
    kept.release()


def test_a_name_becomes_a_harmless_part_of_the_path(tmp_path: Path) -> None:
    """Names come from people and tests."""
    folder = create_private_folder("../../etc/passwd " + "x" * 300, root=tmp_path / "root")
    assert folder.path.parent == tmp_path / "root"
    assert len(folder.path.name) < 50
    folder.release()


def test_a_root_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    """Its name can be guessed, so somebody else on the machine may have made it first."""
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(ConfigError, match=r"closed to others; found mode drwxrwxrwx"):
        create_private_folder("hub", root=root)


def test_a_root_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Following it would write keys wherever it points."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "root").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="must be a folder"):
        create_private_folder("hub", root=tmp_path / "root")


def test_the_lock_is_not_inherited_by_accident(tmp_path: Path) -> None:
    """A program started by the caller would keep the folder alive for ever."""
    folder = create_private_folder("hub", root=tmp_path / "root")
    assert not os.get_inheritable(folder.lock)
    folder.release()
