"""The store's promise: whenever it stops, the old files or the new ones are there, whole.

Every system call of a write is a place to die at. The tests count them, then run the write once for
each, ending it before or after that call, and look at what another process would find.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from towline_certs import DirectoryStore, NothingStoredError, StoreError, generations, store

OLD = {"kubeconfig": b"old", "tls.key": b"old key", "tls.crt": b"old certificate"}
NEW = {"kubeconfig": b"new", "tls.key": b"new key", "cluster-name": b"c1"}
CALLS = (
    *("close", "fstat", "fsync", "listdir", "mkdir", "open", "read", "readlink"),
    *("rename", "rmdir", "symlink", "unlink", "write"),
)


class Died(BaseException):
    """The process is gone: nothing after this runs, no handler, no clean-up."""


class Kernel:
    """Passes system calls on until the moment it is told to stop at.

    Args:
        stop_at: Number of the call to stop at; None to pass all on.
        before: Whether to stop before that call instead of after it.
        error: What the call fails with; None to die, with every later call.
    """

    def __init__(self, *, stop_at=None, before=True, error=None):
        self.stop_at, self.before, self.error = stop_at, before, error
        self.calls: list[str] = []
        self.open: set[int] = set()
        self.dead = False
        self.os = SimpleNamespace(
            **{name: self.wrap(name) for name in CALLS},
            **{name: getattr(os, name) for name in dir(os) if name.startswith("O_")},
            geteuid=os.geteuid,
        )

    def wrap(self, name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*args, **kwargs):
            if self.dead:
                raise Died
            self.calls.append(name)
            now = len(self.calls) - 1 == self.stop_at
            if now and self.error is not None and name != "close":
                raise OSError(self.error, os.strerror(self.error))
            if now and self.before and self.error is None:
                self.dead = True
                raise Died
            try:
                result = real(*args, **kwargs)
            except OSError:
                if now and self.error is None:
                    self.dead = True
                    raise Died from None
                raise
            if name == "open":
                self.open.add(result)
            elif name == "close":
                self.open.remove(args[0])
            if now and self.error is None:
                self.dead = True
                raise Died
            return result

        return call


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Kernel, Callable[[], object]], Kernel]:
    """Return a function that runs something on a kernel, and gives the kernel back."""

    def run_on(kernel: Kernel, action: Callable[[], object]) -> Kernel:
        with monkeypatch.context() as patch, suppress(Died):
            patch.setattr(store, "os", kernel.os)
            patch.setattr(generations, "os", kernel.os)
            action()
        for descriptor in kernel.open:
            os.close(descriptor)  # as the real one does for the dead, which gives back their locks
        return kernel

    return run_on


def found(path: Path) -> dict[str, bytes] | None:
    try:
        return DirectoryStore(path).read()
    except NothingStoredError:
        return None


def entries(path: Path) -> int:
    return len(list(path.iterdir())) if path.exists() else 0


SCENES = {
    "first write": (None, lambda target: target.write(NEW), NEW),
    "next write": (OLD, lambda target: target.write(NEW), NEW),
    "same write": (OLD, lambda target: target.write(OLD), OLD),
    "removal": (OLD, lambda target: target.remove(), None),
}


def prepare(path: Path, before: dict[str, bytes] | None) -> DirectoryStore:
    target = DirectoryStore(path)
    if before is not None:
        target.write(before)
    else:
        path.mkdir()
    return target


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_dying_at_any_call_leaves_old_or_new_whole(tmp_path, run, scene, before):
    """And the next write succeeds and leaves exactly what an undisturbed one leaves."""
    stored, action, wanted = SCENES[scene]
    whole = prepare(tmp_path / "whole", stored)
    total = len(run(Kernel(), lambda: action(whole)).calls)
    clean = entries(tmp_path / "whole")
    outcomes = set()
    for number in range(total):
        path = tmp_path / f"{number}"
        target = prepare(path, stored)
        kernel = run(Kernel(stop_at=number, before=before), lambda: action(target))  # noqa: B023
        assert kernel.dead
        left = found(path)
        assert left in (stored, wanted), f"after {kernel.calls}"
        outcomes.add(left == wanted)
        for name, content in (left or {}).items():
            assert (path / name).read_bytes() == content or name not in (stored or {})
        action(target)
        assert found(path) == wanted
        assert entries(path) == clean, f"something stayed behind after {kernel.calls}"
    assert outcomes == ({True, False} if stored != wanted else {True})


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_any_failing_call_is_reported_and_loses_nothing(tmp_path, run, scene, error):
    """A full disk is an ordinary day: one clear line, the old files still there."""
    stored, action, wanted = SCENES[scene]
    whole = prepare(tmp_path / "whole", stored)
    calls = run(Kernel(), lambda: action(whole)).calls
    clean = entries(tmp_path / "whole")
    for number, name in enumerate(calls):
        if name == "close":
            continue
        path = tmp_path / f"{number}"
        target = prepare(path, stored)
        with pytest.raises(StoreError) as caught:
            run(Kernel(stop_at=number, error=error), lambda: action(target))  # noqa: B023
        assert str(path) in str(caught.value)
        assert found(path) in (stored, wanted), f"failed at {name}, call {number}"
        action(target)
        assert found(path) == wanted
        assert entries(path) == clean


def test_everything_is_synced_before_it_counts(tmp_path, run):
    """A link to files that are not on disk yet would survive a power cut alone."""
    target = prepare(tmp_path / "store", OLD)
    calls = run(Kernel(), lambda: target.write(NEW)).calls
    switch = calls.index("rename")
    assert calls[:switch].count("fsync") >= len(NEW) + 2
    assert calls[switch - 1] == "fsync"
    assert calls[switch + 1] == "fsync"
    writes = [number for number, name in enumerate(calls) if name == "write"]
    assert all(calls[number + 1] == "fsync" for number in writes)
    # The last file, then the directory that names them all.
    assert calls[writes[-1] + 1 : writes[-1] + 5] == ["fsync", "close", "fsync", "close"]


def test_a_reader_between_any_two_calls_of_a_writer_sees_one_generation(tmp_path, monkeypatch):
    """The old files, then from one moment on the new ones; never a mixture, never nothing."""
    path = tmp_path / "store"
    target = prepare(path, OLD)
    seen: list[dict[str, bytes] | None] = []
    kernel = Kernel()
    looking = False
    for name in CALLS:
        passed_on = getattr(kernel.os, name)

        def look(*args, passed_on=passed_on, **kwargs):
            nonlocal looking
            if not looking:
                looking = True
                seen.append(found(path))
                looking = False
            return passed_on(*args, **kwargs)

        setattr(kernel.os, name, look)
    monkeypatch.setattr(store, "os", kernel.os)
    monkeypatch.setattr(generations, "os", kernel.os)
    target.write(NEW)
    switch = seen.index(NEW)
    assert seen == [OLD] * switch + [NEW] * (len(seen) - switch)
    assert switch > 0


def test_a_writer_between_any_two_calls_of_a_reader_confuses_nobody(tmp_path, monkeypatch):
    """The reader may get the old or the new generation, and must notice when its own is cleared."""
    path = tmp_path / "store"
    prepare(path, OLD)
    total = None
    number = 0
    while total is None or number < total:
        DirectoryStore(path).write(OLD)
        kernel = Kernel()
        count = 0
        writing = False
        for name in CALLS:
            passed_on = getattr(kernel.os, name)

            def interfere(*args, passed_on=passed_on, **kwargs):
                nonlocal count, writing
                if not writing:
                    count += 1
                    if count - 1 == number:  # noqa: B023
                        writing = True
                        DirectoryStore(path).write(NEW)
                        writing = False
                return passed_on(*args, **kwargs)

            setattr(kernel.os, name, interfere)
        with monkeypatch.context() as patch:
            patch.setattr(store, "os", kernel.os)
            patch.setattr(generations, "os", kernel.os)
            assert DirectoryStore(path).read() in (OLD, NEW)
        total = count if total is None else max(total, 1)
        number += 1


def test_a_reader_gives_up_on_a_directory_that_never_rests(tmp_path, monkeypatch):
    """Everything that waits has a limit."""
    path = tmp_path / "store"
    target = prepare(path, OLD)
    numbers = iter(range(1000))
    real = generations.read_generation

    def read_and_switch(root, generation, *, where):
        files = real(root, generation, where=where)
        monkeypatch.setattr(store, "read_generation", real)
        target.write({"tls.key": b"%d" % next(numbers)})
        monkeypatch.setattr(store, "read_generation", read_and_switch)
        return files | {"torn": b""}

    monkeypatch.setattr(store, "read_generation", read_and_switch)
    with pytest.raises(StoreError, match="changed 5 times"):
        DirectoryStore(path).read()
