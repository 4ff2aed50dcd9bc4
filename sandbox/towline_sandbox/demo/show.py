"""Runs the acts one after another and tells by the exit status whether everything held."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import cast

from rich.console import Console

from towline_api import names
from towline_hub.fleet.report import print_status
from towline_hub.fleet.status import collect_status
from towline_kube.settings import load
from towline_kube.task_groups import TaskGroup
from towline_sandbox.demo import configuring, joining, refusing, rotating
from towline_sandbox.demo.programs import Program
from towline_sandbox.demo.settings import DemoSettings
from towline_sandbox.demo.stage import ADDON, CERTIFICATE_LIFETIMES, CLUSTER, Stage, set_stage
from towline_sandbox.demo.steps import StepFailedError, Story, console_reporter, write_json
from towline_sandbox.output_kind import OutputKind
from towline_sandbox.plane_kinds import make_plane
from towline_sandbox.private_folder import create_private_folder

EXIT_TERMINATED = 143  # 128 + SIGTERM, as shells report it
_LOG_LINES = 15


def main(arguments: Sequence[str]) -> int:
    """Run `towline demo` and return its exit status: 0 if every step held.

    Raises:
        ConfigError: An option cannot be used.
        BinariesMissing: There is no control plane on this machine.
    """
    settings = load(DemoSettings, arguments, prog="towline demo")
    try:
        return asyncio.run(_show_until_terminated(settings))
    except asyncio.CancelledError:
        return EXIT_TERMINATED


async def _show_until_terminated(settings: DemoSettings) -> int:
    """Treat SIGTERM like Ctrl-C, so that it ends everything that was started as well."""
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, cast("asyncio.Task[int]", asyncio.current_task()).cancel
    )
    return await show(settings)


async def show(settings: DemoSettings) -> int:
    """Show everything on two fresh planes; return the exit status."""
    as_json = settings.output is OutputKind.JSON
    # Machines read standard output; what a person should see on the way goes to standard error.
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    story = Story(console_reporter(console))
    private = create_private_folder("demo")
    folder = private.path
    try:
        async with AsyncExitStack() as stack:
            try:
                stage = await _raise_planes(story, stack, folder, settings)
                await _perform(story, stage, console)
            except* StepFailedError:  # on its own, or out of the task group around the caller
                _show_logs(console, folder)
            else:
                if settings.keep:
                    await _keep(stage, console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        private.release()
    if as_json:
        write_json(story.steps, sys.stdout)
    total = sum(step.seconds for step in story.steps)
    verdict = "[bold green]everything held" if story.ok else "[bold red]a step failed"
    console.print(f"{verdict}[/] after {total:.1f} s")
    return 0 if story.ok else 1


async def _raise_planes(
    story: Story, stack: AsyncExitStack, folder: Path, settings: DemoSettings
) -> Stage:
    kind = settings.plane
    lifetime = settings.certificate_lifetime or CERTIFICATE_LIFETIMES[kind]
    with story.step("two control planes come up: a hub cluster and a managed cluster") as seen:
        planes = (
            make_plane(kind, "hub", certificate_lifetime=lifetime),
            make_plane(kind, "spoke"),
        )
        async with TaskGroup() as group:
            for plane in planes:
                group.create_task(
                    stack.enter_async_context(plane), name=f"start-plane/{plane.name}"
                )
        for plane in planes:
            seen.append(f"{plane.name}: {plane.flavor} {plane.version} at {plane.server}")
    return await stack.enter_async_context(set_stage(*planes, folder=folder))


async def _perform(story: Story, stage: Stage, console: Console) -> None:
    hub = await joining.start_hub(story, stage)
    agent, started = await joining.start_agent(story, stage)
    cluster_requests = f"{names.CLUSTER_NAME_LABEL}={CLUSTER},!{names.ADDON_NAME_LABEL}"
    await joining.show_approval(
        story, stage, whose=f"cluster {CLUSTER}", selector=cluster_requests, watch=agent
    )
    await joining.show_acceptance(story, stage)
    await joining.show_joined(story, stage, agent=agent, started=started)
    await joining.show_lease(story, stage)
    await configuring.enable_addon(story, stage)
    addon_requests = f"{names.CLUSTER_NAME_LABEL}={CLUSTER},{names.ADDON_NAME_LABEL}={ADDON}"
    await joining.show_approval(
        story, stage, whose=f"add-on {ADDON}", selector=addon_requests, watch=agent
    )
    await configuring.show_credential(story, stage)
    async with rotating.calling(stage) as caller:
        await configuring.show_configuration(story, stage, started=started)
        await configuring.show_change(story, stage)
        await configuring.show_health(story, stage)
        await refusing.show_refusal(story, stage)
        await rotating.show_rotation(story, caller)
    await _show_status(story, stage, console, programs=(hub, agent))


async def _show_status(
    story: Story, stage: Stage, console: Console, *, programs: Sequence[Program]
) -> None:
    with story.step("towline status") as seen:
        fleet = await collect_status(stage.hub)
        for program in programs:
            program.check_running()
            memory = program.resident_mebibytes
            if memory is not None:
                seen.append(f"{program.name}: {memory:.0f} MiB resident")
    print_status(fleet, console=console)


async def _keep(stage: Stage, console: Console) -> None:
    """Print how to look around, and wait to be interrupted."""
    console.print("\n[bold]Everything is running.[/] Look around with:")
    for plane in (stage.hub_plane, stage.spoke_plane):
        path = stage.keep(f"{plane.name}-admin", plane.admin_kubeconfig())
        console.print(f"  export KUBECONFIG={path}   # {plane.name}, administrator")
    console.print(f"  logs are in {stage.folder}; Ctrl-C ends it all")
    await asyncio.sleep(timedelta(days=365).total_seconds())


def _show_logs(console: Console, folder: Path) -> None:
    for log in sorted(folder.glob("logs/*.log")):
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        console.print(f"{log.name} ends:", *lines, sep="\n  ", markup=False)
