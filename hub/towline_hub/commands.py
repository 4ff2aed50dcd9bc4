"""The hub's commands: `towline hub run`, `towline status`, `towline crds`.

Each takes the arguments after its own words and returns the exit status. Errors that a person can
act on are raised as `TowlineError`; the dispatcher prints them in one line.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from towline_hub import daemon
from towline_hub.decisions.operator_client import operator_client
from towline_hub.fleet.selection import narrowed
from towline_hub.fleet.status import FleetStatus, collect_status
from towline_hub.settings import HubSettings, StatusSettings
from towline_kube.logs import configure_logging
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load
from towline_kube.termination import told_to_end
from towline_kube.tls_buffers import keep_tls_buffers_small

if TYPE_CHECKING:
    from rich.console import Console


def run(arguments: Sequence[str]) -> int:
    """Run the hub until SIGTERM or SIGINT; return the exit status."""
    settings = load(HubSettings, arguments, prog="towline hub run")
    configure_logging(settings.log_format, settings.log_level)
    keep_tls_buffers_small()
    asyncio.run(_run(settings))
    return 0


async def _run(settings: HubSettings) -> None:
    with told_to_end() as stop:
        await daemon.run(settings, stop)


def status(arguments: Sequence[str]) -> int:
    """Show clusters, add-ons and requests that wait; return the exit status."""
    # Here, so that `towline hub run` does not carry what only terminals need.
    from rich.console import Console

    from towline_hub.fleet.report import print_status, status_json

    settings = load(StatusSettings, arguments, prog="towline status")
    if settings.watch:
        asyncio.run(_watch(settings, console=Console()))
        return 0
    fleet = _narrowed(asyncio.run(_status(settings)), settings)
    if settings.output is OutputKind.JSON:
        json.dump(status_json(fleet), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        print_status(fleet, console=Console())
    return 0


async def _status(settings: StatusSettings) -> FleetStatus:
    async with operator_client(settings.kubeconfig) as client:
        return await collect_status(client)


async def _watch(settings: StatusSettings, *, console: "Console") -> None:
    from towline_hub.fleet.watch_command import watch_until_told

    async with operator_client(settings.kubeconfig) as client:
        await watch_until_told(
            client,
            narrow=partial(_narrowed, settings=settings),
            console=console,
            as_json=settings.output is OutputKind.JSON,
        )


def _narrowed(fleet: FleetStatus, settings: StatusSettings) -> FleetStatus:
    return narrowed(fleet, clusters=frozenset(settings.cluster), only_problems=settings.problems)


def crds(arguments: Sequence[str]) -> int:
    """Print every CRD as YAML, for `kubectl apply -f -`; return the exit status."""
    if arguments:
        sys.stderr.write(f"towline crds takes no arguments; found {' '.join(arguments)}\n")
        return 2
    # Here, for the same reason.
    import yaml

    from towline_api.crds import SPOKE_KINDS
    from towline_api.crds import crds as all_crds
    from towline_hub.crd_installation import hub_crds

    # Those of add-ons serve one version until a hub that runs adds the one that it converts to.
    definitions = [*hub_crds(), *all_crds(SPOKE_KINDS)]
    yaml.safe_dump_all(definitions, sys.stdout, sort_keys=False, explicit_start=True)
    return 0
