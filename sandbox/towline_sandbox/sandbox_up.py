"""`towline sandbox up`: one control plane for as long as a person, or a program, wants it."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import AliasChoices, Field

from towline_kube.settings import ProgramSettings, load
from towline_kube.termination import told_to_end
from towline_sandbox.output_kind import OutputKind
from towline_sandbox.plane import ControlPlane
from towline_sandbox.plane_kinds import PlaneKind, make_plane
from towline_sandbox.private_folder import create_private_folder


class SandboxSettings(ProgramSettings):
    """Settings of `towline sandbox up`."""

    plane: PlaneKind = PlaneKind.EMBEDDED
    """What the control plane is: `embedded` needs nothing but Python and is up at once, `kube` is
    the real kube-apiserver."""
    name: str = Field(default="sandbox", min_length=1)
    """What it is called; also names the cluster in its kubeconfigs."""
    output: OutputKind = Field(
        default=OutputKind.TEXT, validation_alias=AliasChoices("o", "output")
    )
    """`text` for people; `json` for programs: one line, once the plane is up."""


def main(arguments: Sequence[str]) -> int:
    """Run `towline sandbox up` until interrupted or terminated; return its exit status.

    Raises:
        ConfigError: An option cannot be used.
        BinariesMissing: There is no real control plane on this machine.
        PlaneError: The plane did not come up.
    """
    settings = load(SandboxSettings, arguments, prog="towline sandbox up")
    return asyncio.run(stay_up(settings))


async def stay_up(settings: SandboxSettings) -> int:
    """Run a plane until this process is told to end; return the exit status."""
    plane = make_plane(settings.plane, settings.name)
    # A plane's own processes must not outlive this one, however impatient somebody is.
    with told_to_end(heeds_a_second=False) as told:
        async with _entered(plane, unless=told) as is_up:
            if is_up:
                async with _kubeconfigs(plane) as paths:
                    _tell(plane, paths, as_json=settings.output is OutputKind.JSON)
                    await told.wait()
    return 0


@asynccontextmanager
async def _entered(plane: ControlPlane, *, unless: asyncio.Event) -> AsyncIterator[bool]:
    """Start a plane, or give up starting it when told to end; tell whether it is up."""
    starting = asyncio.create_task(plane.__aenter__(), name=f"start-plane/{plane.name}")
    ending = asyncio.create_task(unless.wait(), name="told-to-end")
    try:
        await asyncio.wait((starting, ending), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        yield False
        return
    starting.result()
    try:
        yield True
    finally:
        await plane.__aexit__(None, None, None)


@asynccontextmanager
async def _kubeconfigs(plane: ControlPlane) -> AsyncIterator[Mapping[str, Path]]:
    """Keep the plane's kubeconfigs in files that nobody else can read."""
    private = create_private_folder(f"up-{plane.name}")
    try:
        found = {
            "admin": plane.admin_kubeconfig(),
            "bootstrap": await plane.bootstrap_kubeconfig(),
        }
        paths = {}
        for who, kubeconfig in found.items():
            paths[who] = path = private.path / f"{who}.kubeconfig"
            path.touch(mode=0o600)
            path.write_text(kubeconfig, encoding="utf-8")
        yield paths
    finally:
        shutil.rmtree(private.path, ignore_errors=True)
        private.release()


def _tell(plane: ControlPlane, paths: Mapping[str, Path], *, as_json: bool) -> None:
    if as_json:
        told = {
            "name": plane.name,
            "flavor": plane.flavor,
            "version": plane.version,
            "server": plane.server,
            "kubeconfigs": {who: str(path) for who, path in paths.items()},
        }
        text = json.dumps(told)
    else:
        text = (
            f"# {plane.name}: {plane.flavor} {plane.version} at {plane.server}\n"
            f"export KUBECONFIG={paths['admin']}   # the administrator's\n"
            f"# for `towline agent run --bootstrap-kubeconfig`: {paths['bootstrap']}\n"
            "# until Ctrl-C"
        )
    print(text, file=sys.stdout, flush=True)  # noqa: T201 - what was asked for
