"""Building the programs of a control plane, once, into the user's cache.

They come from the published Go modules that the small module in `sandbox/binaries` pins; its go.mod
is the only place that says which release.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from towline_api.errors import TowlineError
from towline_sandbox.binaries import (
    ASSETS_VARIABLE,
    MODULE,
    Binaries,
    cache_folder,
    find_binaries,
    kubernetes_version,
    pinned_version,
)
from towline_sandbox.build_steps import BuildError, Progress, ToolFailed, run_tool
from towline_sandbox.file_lock import file_lock
from towline_sandbox.go_toolchain import GoToolchain, obtain_go

# Measured from empty caches on two cores.
_TIME = "about 7 minutes on two cores"
_GB = 1_000_000_000
_MODULES_BYTES = 7 * _GB // 10
_COMPILED_BYTES = 4 * _GB
_PROGRAMS_BYTES = 3 * _GB // 10

_NETWORK_TROUBLE = (
    "dial tcp",
    "no such host",
    "i/o timeout",
    "proxyconnect",
    "connection refused",
    "connection reset",
    "TLS handshake",
    "x509:",
    "407 ",
    "502 ",
    "503 ",
)
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


async def build_binaries(
    *,
    environment: Mapping[str, str] | None = None,
    module: Path = MODULE,
    progress: Progress | None = None,
) -> Binaries:
    """Return the programs built from the module, building them when nobody has yet.

    Two builds at once wait for each other, and an interrupted one leaves nothing that could be
    taken for a finished one.

    Args:
        environment: Says where the cache and the tools are; by default this process's own.
        module: The Go module to build.
        progress: Told how far it is; by default on standard error.

    Raises:
        BuildError: It cannot be built; says why and what to do.
        BinariesMissing: The module is not there.
    """
    environment = dict(os.environ if environment is None else environment)
    progress = progress or Progress()
    target = cache_folder(environment=environment, module=module)
    target.parent.mkdir(parents=True, exist_ok=True)

    def tell_waiting() -> None:
        progress.say(f"waiting for somebody else who is building in {target.parent}")

    async with file_lock(target.parent / ".lock", on_wait=tell_waiting):
        built = Binaries(target)
        if not built.missing:
            return built
        go = await obtain_go(
            module=module,
            cache=target.parent.parent / "go",
            env=environment,
            progress=progress,
        )
        draft = target.parent / f".{target.name}.part"
        shutil.rmtree(draft, ignore_errors=True)  # of a build that was interrupted
        try:
            await _Build(go, module, draft, _go_environment(environment), progress).run(target)
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        progress.say(f"built {target}")
        return built


@dataclass(frozen=True, slots=True)
class _Build:
    go: GoToolchain
    module: Path
    draft: Path
    env: Mapping[str, str]
    progress: Progress

    async def run(self, target: Path) -> None:
        """Build into the draft folder and see that what was built runs."""
        kubernetes = kubernetes_version(self.module)
        etcd = pinned_version("go.etcd.io/etcd/server/v3", self.module)
        modules, compiled = (Path(line) for line in await self._go("env", "GOMODCACHE", "GOCACHE"))
        self.progress.say(
            f"building Kubernetes {kubernetes} and etcd {etcd} with {self.go.program}; "
            f"takes {_TIME}, once"
        )
        self.progress.say(
            f"needs {_MODULES_BYTES / _GB:.1f} GB in {modules} and {_COMPILED_BYTES / _GB:.1f} GB "
            f"in {compiled} (`{self.go.program} clean -cache -modcache` gives them back), and "
            f"{_PROGRAMS_BYTES / _GB:.1f} GB in {target}"
        )
        is_warm = (modules / f"k8s.io/kubernetes@{kubernetes}").is_dir()
        _check_space(
            {
                modules: 0 if is_warm else _MODULES_BYTES,
                compiled: 0 if is_warm else _COMPILED_BYTES,
                target: 2 * _PROGRAMS_BYTES,
            }
        )
        packages = await self._download()
        await self._compile(packages, version=kubernetes)
        for program, version in (
            ("etcd", etcd.removeprefix("v")),
            ("kube-apiserver", kubernetes),
            ("kube-controller-manager", kubernetes),
        ):
            await self._check_runs(program, version=version)

    async def _download(self) -> int:
        """Fetch the modules and return how many packages there are to compile."""
        self.progress.say("downloading the modules")
        downloaded = 0

        def count(line: str) -> None:
            nonlocal downloaded
            downloaded += line.startswith("go: downloading")

        try:
            packages = await self._go(
                "list",
                "-deps",
                "./cmd/...",
                on_line=count,
                on_tick=lambda: self.progress.update(f"{downloaded} modules downloaded"),
            )
        except ToolFailed as error:
            if error.mentions(*_NETWORK_TROUBLE):
                raise BuildError(
                    "the Go modules could not be downloaded; see to the network, or set "
                    f"HTTPS_PROXY or GOPROXY to what is within reach from here: {error.output[-1]}"
                ) from error
            raise
        return len(packages)

    async def _compile(self, packages: int, *, version: str) -> None:
        self.progress.say(f"compiling up to {packages} packages")
        flags = " ".join(["-s -w", *(f"-X {p}.gitVersion={version}" for p in _VERSION_PACKAGES)])
        compiled = 0

        def count(_: str) -> None:
            nonlocal compiled
            compiled += 1

        await self._go(
            "build",
            "-v",
            f"-ldflags={flags}",
            f"-o={self.draft}/",
            "./cmd/...",
            on_line=count,
            on_tick=lambda: self.progress.update(f"{compiled} of {packages} packages compiled"),
        )

    async def _check_runs(self, program: str, *, version: str) -> None:
        output = await run_tool(
            [str(self.draft / program), "--version"], cwd=self.draft, env=self.env
        )
        if not re.search(rf"\b{re.escape(version)}\b", "\n".join(output)):
            raise BuildError(
                f"the {program} just built says it is {output}, expected {version}; "
                f"report this with the output of `{self.go.program} version`"
            )

    async def _go(
        self,
        *arguments: str,
        on_line: Callable[[str], None] = lambda _: None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> list[str]:
        return await run_tool(
            [str(self.go.program), *arguments],
            cwd=self.module,
            env=self.env,
            on_line=on_line,
            on_tick=on_tick,
        )


def _check_space(needed: Mapping[Path, int]) -> None:
    """Raise when a file system has less room than all that is to go there."""
    by_device: dict[int, list[tuple[Path, int]]] = {}
    for path, size in needed.items():
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        by_device.setdefault(existing.stat().st_dev, []).append((existing, size))
    for demands in by_device.values():
        place = demands[0][0]
        total = sum(size for _, size in demands)
        free = shutil.disk_usage(place).free
        if free < total:
            raise BuildError(
                f"not enough room to build a control plane: {total / _GB:.1f} GB are needed on the "
                f"disk of {place}, {free / _GB:.1f} GB are free; make room, or point GOMODCACHE, "
                "GOCACHE and XDG_CACHE_HOME to a larger disk"
            )


def _go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        **environment,
        "CGO_ENABLED": "0",  # no C compiler is needed, and the programs run anywhere
        "GOFLAGS": "-mod=readonly -buildvcs=false -trimpath",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the programs unless they are there, print their folder, return the exit status.

    Args:
        arguments: What follows the command; by default what this process was called with.
    """
    argparse.ArgumentParser(
        description="Build the control plane of the sandbox once and print where it is. "
        f"With {ASSETS_VARIABLE} set, that folder is checked and nothing is built."
    ).parse_args(arguments)
    try:
        assets = os.environ.get(ASSETS_VARIABLE)
        binaries = find_binaries() if assets else asyncio.run(build_binaries())
    except TowlineError as error:
        print(f"towline: {error}", file=sys.stderr)  # noqa: T201 - the one line a user gets
        return 1
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells report it
    print(binaries.folder)  # noqa: T201 - what was asked for
    return 0


if __name__ == "__main__":
    sys.exit(main())
