"""One join, from the start of the agent's process until hub and agent are quiet again."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from call_counts import AGENT_TO_HUB, HUB_TO_HUB, TimedCall, towline_calls
from milestones import ENABLED, GREETING, JOINED, NAMESPACE, milestones_of, watching_for
from process_use import Memory, cpu_seconds_of, memory_of
from towline_agent.permissions import agent_permissions
from towline_api import names
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    NAMESPACES,
    KubeObject,
    Resource,
)
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.demo.programs import Program, running
from towline_sandbox.demo.stage import ADDON
from towline_sandbox.grants import AGENT_USER, HUB_USER, grant, new_namespace
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.waiting import until

_JOIN_LIMIT = timedelta(seconds=90)
_QUIET_FOR = timedelta(seconds=2)
_QUIET_LIMIT = timedelta(seconds=20)
_OPERATOR_NAMESPACE = "open-cluster-management"
_DEFAULTS = "helloworld-defaults"

FIRST_CALL = "agent's first call"
REQUESTED = "certificate requested"
APPROVED = "certificate request approved"
_REQUESTS = "certificatesigningrequests.certificates.k8s.io"


@dataclass(frozen=True, slots=True)
class Place:
    """Where joins happen: a hub that runs, and whoever looks on.

    Args:
        plane: The hub cluster.
        admin: Its administrator.
        program: The hub's process.
        folder: Private folder for kubeconfigs and logs.
    """

    plane: KubePlane
    admin: Client
    program: Program
    folder: Path


@dataclass(frozen=True, slots=True)
class Join:
    """What one join took.

    Args:
        cluster: Name of the managed cluster.
        seconds: From the start of the agent's process to each step.
        calls: What hub and agent called until both were quiet.
        started: When the agent's process was started.
        agent_cpu_until_joined: Processor seconds of the agent until it had joined.
        agent_cpu: Processor seconds of the agent until all was quiet.
        hub_cpu: Processor seconds of the hub in the same time.
        agent_memory: Of the agent when all was quiet.
        hub_memory: Of the hub when all was quiet.
    """

    cluster: str
    seconds: dict[str, float]
    calls: list[TimedCall]
    started: datetime
    agent_cpu_until_joined: float
    agent_cpu: float
    hub_cpu: float
    agent_memory: Memory
    hub_memory: Memory


async def start_hub(stack: AsyncExitStack, *, folder: Path, environment: dict[str, str]) -> Place:
    """Start a hub plane and the hub's process on it, and define the add-on as an operator would."""
    plane = await stack.enter_async_context(KubePlane("hub", audit=True))
    admin = await stack.enter_async_context(admin_of(plane))
    await grant(admin, hub_permissions(user_subject(HUB_USER), installs_crds=True))
    program = await stack.enter_async_context(
        running(
            "hub",
            [
                "hub", "run", "--install-crds",
                "--kubeconfig", _keep(folder, "hub", await plane.kubeconfig_for(HUB_USER)),
                "--auto-approve-groups", names.BOOTSTRAP_GROUP,
            ],
            folder=folder,
            environment={"TOWLINE_LOG_FORMAT": "json", **environment},
        )
    )  # fmt: skip

    async def ready() -> KubeObject | None:
        program.check_running()
        return await admin.find(CLUSTER_ROLES, names.BOOTSTRAP_CLUSTER_ROLE)

    await until("the hub's bootstrap role", ready, within=_JOIN_LIMIT)
    await _define_addon(admin)
    return Place(plane, admin, program, folder)


async def join(
    place: Place, cluster: str, stack: AsyncExitStack, *, environment: dict[str, str]
) -> tuple[Join, Program, KubePlane]:
    """Join a cluster that nobody has seen before, from a spoke plane that is fresh as well.

    Args:
        place: Where.
        cluster: Name of the cluster.
        stack: Ends the agent and its plane; until then they run on.
        environment: For the agent's process.
    """
    plane = await stack.enter_async_context(KubePlane(cluster, audit=True))
    spoke = await stack.enter_async_context(admin_of(plane))
    await grant(spoke, agent_permissions(user_subject(AGENT_USER)))
    arguments = [
        "agent", "run",
        "--cluster-name", cluster,
        "--bootstrap-kubeconfig",
        _keep(place.folder, f"{cluster}-bootstrap", await place.plane.bootstrap_kubeconfig()),
        "--spoke-kubeconfig",
        _keep(place.folder, f"{cluster}-spoke", await plane.kubeconfig_for(AGENT_USER)),
    ]  # fmt: skip
    hub_cpu = cpu_seconds_of(place.program.process.pid)
    milestones = milestones_of(cluster, hub=place.admin, spoke=spoke)
    async with watching_for(milestones) as watch, asyncio.timeout(_JOIN_LIMIT.total_seconds()):
        started, wall = time.monotonic(), datetime.now(UTC)
        agent = await stack.enter_async_context(
            running(
                f"agent-{cluster}",
                arguments,
                folder=place.folder,
                environment={"TOWLINE_LOG_FORMAT": "json", **environment},
            )
        )
        await watch.wait_for(NAMESPACE)
        await _enable_addon(place.admin, cluster)
        watch.seen[ENABLED] = time.monotonic()
        await watch.wait_for(JOINED)
        until_joined = cpu_seconds_of(agent.process.pid)
        await watch.wait_for_all()
    calls = await until_quiet(place.plane, plane, since=wall)
    for program in (agent, place.program):
        program.check_running()
    seconds = {label: seen - started for label, seen in watch.seen.items()}
    seconds |= _seconds_of_calls(calls, since=wall)
    return (
        Join(
            cluster=cluster,
            seconds=dict(sorted(seconds.items(), key=lambda item: item[1])),
            calls=calls,
            started=wall,
            agent_cpu_until_joined=until_joined,
            agent_cpu=cpu_seconds_of(agent.process.pid),
            hub_cpu=cpu_seconds_of(place.program.process.pid) - hub_cpu,
            agent_memory=memory_of(agent.process.pid),
            hub_memory=memory_of(place.program.process.pid),
        ),
        agent,
        plane,
    )


def admin_of(plane: KubePlane) -> Client:
    """Return a client of the plane's administrator."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source=f"plane {plane.name}")
    return Client(connection, field_manager="towline-benchmark", user_agent="benchmark")


async def until_quiet(hub: KubePlane, spoke: KubePlane, *, since: datetime) -> list[TimedCall]:
    """Return what hub and agent called since then, once neither called for two seconds.

    Heartbeats can come in between, so that this is not waited for without a limit.
    """
    deadline = datetime.now(UTC) + _QUIET_LIMIT
    while True:
        calls = towline_calls(hub.audit_events(), spoke.audit_events(), since=since)
        now = datetime.now(UTC)
        if (calls and now - calls[-1].at > _QUIET_FOR) or now > deadline:
            return calls
        await asyncio.sleep(_QUIET_FOR.total_seconds() / 4)


def _seconds_of_calls(calls: Sequence[TimedCall], *, since: datetime) -> dict[str, float]:
    """Return the steps that show in the calls, not in any object's state."""
    steps: tuple[tuple[str, Callable[[TimedCall], bool]], ...] = (
        (FIRST_CALL, lambda call: call.caller != HUB_TO_HUB),
        (REQUESTED, lambda c: c.caller == AGENT_TO_HUB and c.call == f"create {_REQUESTS}"),
        (APPROVED, lambda c: c.call.endswith(f"{_REQUESTS}/approval")),
    )
    found = {}
    for label, is_step in steps:
        first = next((call for call in calls if is_step(call)), None)
        if first is not None:
            found[label] = (first.at - since).total_seconds()
    return found


def _keep(folder: Path, name: str, kubeconfig: str) -> str:
    # A folder of its own: the agent watches its kubeconfig's, and logs are written to this one.
    path = folder / name / "kubeconfig"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_text(kubeconfig)
    return str(path)


async def _define_addon(hub: Client) -> None:
    await hub.apply(NAMESPACES, new_namespace(_OPERATOR_NAMESPACE))
    await hub.apply(
        ADDON_DEPLOYMENT_CONFIGS,
        _object(
            ADDON_DEPLOYMENT_CONFIGS,
            _DEFAULTS,
            namespace=_OPERATOR_NAMESPACE,
            spec={"customizedVariables": [{"name": "LOG_LEVEL", "value": "info"}]},
        ),
    )
    supported = {
        "group": ADDON_DEPLOYMENT_CONFIGS.group,
        "resource": ADDON_DEPLOYMENT_CONFIGS.plural,
        "defaultConfig": {"namespace": _OPERATOR_NAMESPACE, "name": _DEFAULTS},
    }
    await hub.apply(
        CLUSTER_MANAGEMENT_ADDONS,
        _object(CLUSTER_MANAGEMENT_ADDONS, ADDON, spec={"supportedConfigs": [supported]}),
    )


async def _enable_addon(hub: Client, cluster: str) -> None:
    greeting = _object(CONFIG_MAPS, GREETING, namespace=cluster, data={"message": "hello"})
    await hub.create(CONFIG_MAPS, greeting)
    await hub.create(
        MANAGED_CLUSTER_ADDONS, _object(MANAGED_CLUSTER_ADDONS, ADDON, namespace=cluster, spec={})
    )


def _object(
    resource: Resource, name: str, *, namespace: str | None = None, **content: object
) -> KubeObject:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **content,
    }
