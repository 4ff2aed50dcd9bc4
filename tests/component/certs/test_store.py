import os
import stat
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from towline_certs import DirectoryStore, NothingStoredError, StoreError, StoreProblem
from towline_certs.generations import LARGEST_FILE

OLD = {"kubeconfig": b"old", "tls.key": b"old key", "tls.crt": b"old certificate"}
NEW = {"kubeconfig": b"new", "tls.key": b"new key", "cluster-name": b"c1"}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Return a store in a directory that is not there yet."""
    return DirectoryStore(tmp_path / "deep" / "credential")


def generation_of(store: DirectoryStore) -> Path:
    return store.path / (store.path / "..data").readlink()


def problem_of(call) -> StoreProblem:
    with pytest.raises(StoreError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value.reason


def test_nothing_is_stored_before_the_first_write(store):
    """Normal at the first start, so it is an error of its own."""
    with pytest.raises(NothingStoredError):
        store.read()
    store.path.mkdir(parents=True)
    with pytest.raises(NothingStoredError):
        store.read()


def test_files_are_read_as_they_were_written(store):
    """And replaced as a whole: a file that is gone is gone."""
    store.write(OLD)
    assert store.read() == OLD
    store.write(NEW)
    assert store.read() == NEW
    assert not (store.path / "tls.crt").is_symlink()


def test_other_programs_find_the_files_at_fixed_paths(store):
    """An add-on in another language opens `tls.key` in a directory and knows nothing of us."""
    store.write(OLD)
    assert (store.path / "tls.key").read_bytes() == b"old key"
    store.write(NEW)
    assert (store.path / "tls.key").read_bytes() == b"new key"
    assert {entry.name for entry in store.path.iterdir() if not entry.name.startswith("..")} == {
        *NEW
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read(store, umask):
    """Whatever the process was started with."""
    before = os.umask(umask)
    try:
        store.write(OLD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(generation_of(store).stat().st_mode) == 0o700
    for entry in generation_of(store).iterdir():
        assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o700


def test_only_one_generation_stays(store):
    """An old key is of use to nobody but a thief."""
    for number in range(5):
        store.write(OLD | {"tls.key": b"%d" % number})
    assert [entry.name for entry in store.path.iterdir() if entry.is_dir()].count("..data") == 1
    assert len([e for e in store.path.iterdir() if e.is_dir() and not e.is_symlink()]) == 1


def test_bytes_cannot_move_between_a_name_and_its_content(store):
    """The digest keeps apart what would read the same when run together."""
    store.write({"a": b"bc"})
    (generation_of(store) / "a").rename(generation_of(store) / "ab")
    (generation_of(store) / "ab").write_bytes(b"c")
    assert problem_of(store.read) is StoreProblem.CORRUPTED


def test_writing_the_same_again_changes_nothing(store):
    """A reconciler writes on every pass; watchers of the directory must not wake up."""
    store.write(OLD)
    before = generation_of(store)
    store.write(OLD)
    assert generation_of(store) == before


def test_removing_leaves_an_empty_directory(store):
    """The directory may be a mounted volume, so it stays."""
    store.remove()
    store.write(OLD)
    (store.path / "note").write_text("of somebody else")
    store.remove()
    with pytest.raises(NothingStoredError):
        store.read()
    assert [entry.name for entry in store.path.iterdir()] == ["note"]
    store.write(NEW)
    assert store.read() == NEW


CHARACTERS = string.ascii_letters + string.digits + "_-"
names = st.builds(str.__add__, st.sampled_from(CHARACTERS), st.text(CHARACTERS + ".", max_size=20))
contents = st.dictionaries(names, st.binary(max_size=100), min_size=1, max_size=5)


# Every example waits for the disk several times, for as long as the disk likes.
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=settings().max_examples // 4,
    deadline=None,
)
@given(st.lists(contents, min_size=1, max_size=4))
def test_whatever_is_written_last_is_read(tmp_path, generations):
    """Names and contents are those of any Secret."""
    store = DirectoryStore(tmp_path / "store")
    for files in generations:
        store.write(files)
        assert store.read() == files


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"": b""},
        {"..data": b""},
        {"../up": b""},
        {"a/b": b""},
        {"..": b""},
        {"a\n": b""},
        {"a" * 254: b""},
        {"a": bytes(LARGEST_FILE + 1)},
    ],
)
def test_what_cannot_be_in_a_secret_is_a_mistake_of_the_caller(store, files):
    """Names come from a Secret of the hub's choosing; none of them leaves the directory."""
    with pytest.raises(ValueError, match=r"cannot name|at least one|expected up to"):
        store.write(files)
    assert not store.path.exists()


def change_file(generation: Path) -> None:
    (generation / "tls.key").write_bytes(b"another key")


def remove_file(generation: Path) -> None:
    (generation / "tls.key").unlink()


def add_file(generation: Path) -> None:
    (generation / "extra").touch(mode=0o600)


def remove_generation(generation: Path) -> None:
    for entry in generation.iterdir():
        entry.unlink()
    generation.rmdir()


def open_file(generation: Path) -> None:
    (generation / "tls.key").chmod(0o640)


def open_generation(generation: Path) -> None:
    generation.chmod(0o711)


def link_file(generation: Path) -> None:
    (generation / "tls.key").unlink()
    (generation / "tls.key").symlink_to("/etc/hostname")


def pipe_file(generation: Path) -> None:
    (generation / "tls.key").unlink()
    os.mkfifo(generation / "tls.key", 0o600)


def nest_directory(generation: Path) -> None:
    (generation / "tls.key").unlink()
    (generation / "tls.key").mkdir(mode=0o700)


def grow_file(generation: Path) -> None:
    os.truncate(generation / "tls.key", LARGEST_FILE + 1)


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (change_file, StoreProblem.CORRUPTED),
        (remove_file, StoreProblem.CORRUPTED),
        (add_file, StoreProblem.CORRUPTED),
        (remove_generation, StoreProblem.CORRUPTED),
        (open_file, StoreProblem.NOT_PRIVATE),
        (open_generation, StoreProblem.NOT_PRIVATE),
        (link_file, StoreProblem.FOREIGN),
        (pipe_file, StoreProblem.FOREIGN),
        (nest_directory, StoreProblem.FOREIGN),
        (grow_file, StoreProblem.FOREIGN),
    ],
)
def test_what_somebody_tampered_with_is_not_used(store, tamper, problem):
    """A key of somebody else's, or one that others could read, is worse than none."""
    store.write(OLD)
    tamper(generation_of(store))
    assert problem_of(store.read) is problem


@pytest.mark.parametrize(
    "tamper", [change_file, remove_file, add_file, remove_generation, open_file, link_file]
)
def test_writing_heals_what_somebody_tampered_with(store, tamper):
    """The agent enrols again and writes; nobody has to clean up first."""
    store.write(OLD)
    tamper(generation_of(store))
    store.write(OLD)
    assert store.read() == OLD


@pytest.mark.parametrize("name", ["tls.key", "..data"])
@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_a_directory_of_somebody_else_is_left_alone(store, name, kind):
    """A directory given by mistake must not lose its files to us."""
    store.path.mkdir(parents=True)
    entry = store.path / name
    match kind:
        case "file":
            entry.write_bytes(b"theirs")
        case "link":
            entry.symlink_to("..2026_06_01_12_00_00.123456789")
        case _:
            entry.mkdir()
    before = sorted(store.path.iterdir())
    assert problem_of(lambda: store.write(OLD)) is StoreProblem.FOREIGN
    assert sorted(store.path.iterdir()) == before
    if name == "..data":
        assert problem_of(store.read) is StoreProblem.FOREIGN
        assert problem_of(store.remove) is StoreProblem.FOREIGN


def test_a_file_where_the_directory_should_be_is_named(store):
    """A wrong path in the settings is told apart from a first start."""
    store.path.parent.mkdir(parents=True)
    store.path.write_text("x")
    assert problem_of(store.read) is StoreProblem.FOREIGN
    assert problem_of(lambda: store.write(OLD)) is StoreProblem.FOREIGN
    assert problem_of(store.remove) is StoreProblem.FOREIGN


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_another_user_are_not_used(store):
    """Whoever owns a file can change it after we looked."""
    store.write(OLD)
    os.chown(generation_of(store) / "tls.key", 12345, -1)
    assert problem_of(store.read) is StoreProblem.FOREIGN


def test_a_second_writer_is_turned_away(store):
    """Two agents in one directory would clear away each other's generations."""
    store.write(OLD)
    with store._directory() as root, store._only_writer(root):
        assert problem_of(lambda: store.write(NEW)) is StoreProblem.UNSTABLE
        assert problem_of(store.remove) is StoreProblem.UNSTABLE
    store.write(NEW)
    assert store.read() == NEW
