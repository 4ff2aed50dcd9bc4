"""What the container image is filled with, by the steps of the container file, without an image."""

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "deploy" / "requirements" / "run.lock"

_REFUSE = """
import re, sys
from importlib.metadata import packages_distributions

lock = sys.argv[1]
allowed = {re.match(r"[a-z0-9-]+", line)[0] for line in open(lock) if "==" in line} | {"towline"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        owners = owned.get(name.partition(".")[0], ["towline"])
        if not {re.sub("[._]", "-", each.lower()) for each in owners} & allowed:
            raise ImportError(f"{name} is not in the image")

owned = packages_distributions()
sys.meta_path.insert(0, Refuse())
"""
_IMPORT = f"""{_REFUSE}
from towline_sandbox.cli import COMMANDS
for command in COMMANDS:
    if command.words[0] not in ("sandbox", "demo"):
        command.load()
        print(*command.words)
"""


def test_every_command_of_the_image_does_without_what_the_sandbox_needs() -> None:
    """Hub and agent in production must not find a module missing at their first start."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, str(LOCK)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert {"hub run", "agent run", "doctor", "explain"} <= set(done.stdout.splitlines())
    # A twin: the embedded plane does need more.
    script = f"{_REFUSE}import celpy"
    refused = subprocess.run(
        [sys.executable, "-c", script, str(LOCK)], capture_output=True, text=True, timeout=60
    )
    assert "celpy is not in the image" in refused.stderr


@pytest.mark.timeout(180)
def test_the_wheel_and_the_compiled_files_are_the_same_each_time(tmp_path: Path) -> None:
    """Whoever builds the image from the same sources can compare it with ours."""
    sources = tmp_path / "sources"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        sources.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, sources)
    for name in ("agent", "api", "certs", "hub", "kube", "sandbox"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    # The second time elsewhere, and with other times on the files.
    elsewhere = tmp_path / "elsewhere" / "copied"
    shutil.copytree(sources, elsewhere, copy_function=shutil.copyfile)
    made = [
        build(tree, into=tmp_path / each)
        for tree, each in ((sources, "first"), (elsewhere, "second"))
    ]
    first, second = ({path.name: path for path in folder.glob("*.whl")} for folder in made)
    assert list(first) == list(second)
    assert all(filecmp.cmp(first[name], second[name], shallow=False) for name in first)
    (wheel,) = first.values()
    once, again = tmp_path / "once" / "same-path", tmp_path / "again" / "same-path"
    install(wheel, into=once)
    shutil.copytree(once, again)
    one, other = compiled(once), compiled(again)
    assert sorted(one) == sorted(other)
    assert len(one) > 200
    assert [name for name in one if one[name] != other[name]] == []
    # From the wheel alone, data files and all.
    printed = subprocess.run(
        [sys.executable, "-m", "towline_sandbox.cli", "manifests", "hub"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PYTHONPATH": str(once), "PATH": os.environ["PATH"]},
    )
    assert "kind: CustomResourceDefinition" in printed.stdout, printed.stderr


def build(sources: Path, *, into: Path) -> Path:
    """Build the wheel as the container file does, offline."""
    into.mkdir()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", str(into), str(sources)),
        ],
        check=True,
        timeout=100,
        env={**os.environ, "SOURCE_DATE_EPOCH": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    return into


def install(wheel: Path, *, into: Path) -> None:
    """Install a wheel into a folder, as the container file does."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--no-compile", "--target", str(into), str(wheel)),
        ],
        check=True,
        timeout=100,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )


def compiled(target: Path) -> dict[str, bytes]:
    """Compile what is in a folder; return every file's content."""
    subprocess.run(
        [
            *(sys.executable, "-m", "compileall", "-q", "-j", "1"),
            # As if both were in one place, as they are in an image.
            *("-s", str(target), "--invalidation-mode", "unchecked-hash", str(target)),
        ],
        check=True,
        timeout=100,
    )
    return {
        path.relative_to(target).as_posix(): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file() and path.name != "direct_url.json" and path.name != "RECORD"
    }
