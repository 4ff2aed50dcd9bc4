"""How the hub starts, and what it says when it cannot."""

import asyncio
import json
import signal
import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from integration.conftest import MakePlane
from integration.hub.conftest import HUB_USER, RunHub
from integration.hub.spoke import Spoke, join
from support.tasks import background
from towline_api.errors import ConfigError, TransientError
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTERS,
    Resource,
)
from towline_hub import commands, daemon
from towline_hub.clusters import rbac
from towline_hub.crd_installation import hub_crds, install_crds, wait_until_served
from towline_hub.decisions import cluster_commands
from towline_hub.decisions.accept import AcceptError
from towline_hub.object_writer import holds
from towline_hub.permissions import HUB_ROLE, hub_permissions, hub_rules
from towline_hub.settings import HubSettings
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

WRITES_PER_JOIN = 10
"""Besides the Event: accept, hold, approve, tell; a namespace, a role, three bindings, a lease."""


async def _run(kubeconfig: Path, **changes: object) -> None:
    """Run a hub that is expected to give up by itself."""
    settings = HubSettings(
        kubeconfig=kubeconfig,
        **{"startup_limit": timedelta(seconds=1), **changes},  # type: ignore[arg-type]
    )
    async with asyncio.timeout(30):
        await daemon.run(settings, asyncio.Event())


@pytest.mark.parametrize(
    "text", [pytest.param("", id="empty"), pytest.param("{not yaml", id="broken")]
)
async def test_a_kubeconfig_that_is_none_is_one_clear_line(tmp_path: Path, text: str) -> None:
    """What, where, what to do; and no traceback."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        await _run(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


async def test_a_missing_kubeconfig_is_one_clear_line(tmp_path: Path) -> None:
    """The path is what a person can check."""
    with pytest.raises(ConfigError, match="nowhere"):
        await _run(tmp_path / "nowhere")


async def test_an_unreachable_hub_cluster_is_said(
    hub_plane: ControlPlane, tmp_path: Path, unused_tcp_port: int
) -> None:
    """The service manager starts the hub again; the line says what it could not reach."""
    path = tmp_path / "kubeconfig"
    port = hub_plane.server.rsplit(":", 1)[1]
    path.write_text(hub_plane.admin_kubeconfig().replace(f":{port}", f":{unused_tcp_port}"))
    with pytest.raises(TransientError, match=str(unused_tcp_port)):
        await _run(path)


async def test_another_authority_is_never_trusted(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """A hub that fell back to any other trust could be led anywhere."""
    wrong = hub_plane.admin_kubeconfig().replace(_authority(hub_plane), _authority(spoke_plane))
    path = tmp_path / "kubeconfig"
    path.write_text(wrong)
    with pytest.raises(TransientError, match="certificate"):
        await _run(path)


def _authority(plane: ControlPlane) -> str:
    for line in plane.admin_kubeconfig().splitlines():
        if "certificate-authority-data:" in line:
            return line.split(":", 1)[1].strip()
    raise AssertionError("the kubeconfig names no authority")


@pytest.fixture
def unused_tcp_port() -> int:
    """A port nobody listens on: it was the kernel's to give a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_without_crds_the_hub_says_how_to_get_them(
    make_plane: MakePlane, tmp_path: Path
) -> None:
    """Waiting in silence is the worst answer."""
    plane = await make_plane("bare")
    await _permit(plane, installs_crds=False)
    path = tmp_path / "kubeconfig"
    path.write_text(await plane.kubeconfig_for(HUB_USER))
    with pytest.raises(ConfigError, match="--install-crds") as error:
        await _run(path)
    assert "managedclusters.cluster.open-cluster-management.io" in str(error.value)


async def test_crds_of_others_are_left_alone(make_plane: MakePlane, tmp_path: Path) -> None:
    """OCM's own CRDs serve more versions; replacing them would take those away."""
    plane = await make_plane("ocm")
    await _permit(plane, installs_crds=True)
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="admin")
    path = tmp_path / "kubeconfig"
    path.write_text(await plane.kubeconfig_for(HUB_USER))
    async with Client(connection, field_manager="somebody-else") as admin:
        theirs = hub_crds()[0]
        theirs["metadata"]["labels"] = {"installed-by": "somebody-else"}
        theirs["spec"]["names"]["shortNames"] = ["theirs"]
        await admin.apply(CUSTOM_RESOURCE_DEFINITIONS, theirs)
        stop = asyncio.Event()
        settings = HubSettings(kubeconfig=path, install_crds=True)
        async with background(daemon.run(settings, stop), name="run-hub") as hub:
            async with asyncio.timeout(20):
                while await admin.find(CLUSTER_ROLES, "open-cluster-management:bootstrap") is None:
                    assert not hub.done()
                    await asyncio.sleep(0.05)
            stop.set()
            await asyncio.wait([hub])
        name = theirs["metadata"]["name"]
        live = await admin.get(CUSTOM_RESOURCE_DEFINITIONS, name)
        assert live["spec"]["names"]["shortNames"] == ["theirs"]
        others = [
            await admin.get(CUSTOM_RESOURCE_DEFINITIONS, c["metadata"]["name"])
            for c in hub_crds()[1:]
        ]
        ours = hub_crds(conversion=others[0]["spec"]["conversion"])[1:]
        assert all(holds(crd, live) for crd, live in zip(ours, others, strict=True))


async def _permit(plane: ControlPlane, *, installs_crds: bool) -> None:
    kinds: dict[str, Resource] = {r.kind: r for r in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)}
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="admin")
    async with Client(connection, field_manager="test-admin") as admin:
        for obj in hub_permissions(user_subject(HUB_USER), installs_crds=installs_crds):
            await admin.apply(kinds[obj["kind"]], obj)


async def test_bootstrap_rights_are_made_and_kept(admin: Client, run_hub: RunHub) -> None:
    """Without them no agent could even ask."""
    role, binding = rbac.bootstrap_rbac()
    await admin.delete(CLUSTER_ROLES, role["metadata"]["name"], missing_ok=True)
    async with run_hub():
        live = await admin.get(CLUSTER_ROLES, role["metadata"]["name"])
        assert holds(role, live)
        assert holds(binding, await admin.get(CLUSTER_ROLE_BINDINGS, binding["metadata"]["name"]))


async def test_a_second_start_writes_nothing(spoke: Spoke, admin: Client, run_hub: RunHub) -> None:
    """Restarting a hub of ten thousand clusters must not rewrite ten thousand clusters."""
    async with run_hub(), await join(spoke, admin):
        pass
    async with run_hub() as hub:
        # A join proves that everything that was there before has been looked at.
        other = Spoke(spoke.plane, f"{spoke.cluster}-b", spoke.bootstrap)
        async with await join(other, admin):
            pass
        # Requests that wait are told about again, and a webhook on this machine has certificates
        # for as long as its process runs; everything else is this one join.
        telling = (
            "events.events.k8s.io",
            "selfsubjectreviews.authentication.k8s.io",
            "customresourcedefinitions.apiextensions.k8s.io",
        )
        writes = [resource for _, resource in hub.writes() if resource not in telling]
        assert writes.count("namespaces") == 1, writes
        assert len(writes) <= WRITES_PER_JOIN, writes


async def test_the_hub_was_given_no_more_than_it_asked_for(admin: Client, run_hub: RunHub) -> None:
    """The tests of this folder prove that the shipped role suffices only if it is what runs."""
    async with run_hub():
        live = await admin.get(CLUSTER_ROLES, HUB_ROLE)
        assert live["rules"] == hub_rules()


def test_the_commands_print_what_they_did(
    hub_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`towline status` in both forms, and `towline accept` of a cluster nobody knows."""
    path = tmp_path / "kubeconfig"
    path.write_text(hub_plane.admin_kubeconfig())
    _install_crds(hub_plane)
    assert commands.status(["--kubeconfig", str(path)]) == 0
    assert "Clusters" in capsys.readouterr().out
    assert commands.status(["--kubeconfig", str(path), "-o", "json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"at", "clusters", "addons", "pending"}
    with pytest.raises(AcceptError, match="nobody-knows"):
        cluster_commands.accept(["nobody-knows", "--kubeconfig", str(path)])


def _install_crds(plane: ControlPlane) -> None:
    async def install() -> None:
        connection = parse_kubeconfig(plane.admin_kubeconfig(), source="admin")
        async with Client(connection, field_manager=daemon.FIELD_MANAGER) as client:
            await install_crds(client)
            await wait_until_served(client, limit=timedelta(seconds=30), clock=SYSTEM_CLOCK)

    asyncio.run(install())


async def test_a_fleet_is_shown_until_somebody_has_seen_enough(
    hub_plane: ControlPlane, admin: Client, cluster_name: str, tmp_path: Path
) -> None:
    """What changes is told as it happens, and Ctrl-C is how it is meant to end."""
    path = tmp_path / "kubeconfig"
    path.write_text(hub_plane.admin_kubeconfig())
    await install_crds(admin)
    await wait_until_served(admin, limit=timedelta(seconds=30), clock=SYSTEM_CLOCK)
    arguments = ["status", "--watch", "--kubeconfig", str(path), "--cluster", cluster_name]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "towline_sandbox.cli",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            cluster = {
                "apiVersion": MANAGED_CLUSTERS.api_version,
                "kind": MANAGED_CLUSTERS.kind,
                "metadata": {"name": cluster_name},
            }
            await admin.create(MANAGED_CLUSTERS, cluster)
            assert process.stdout is not None
            appeared = (await process.stdout.readline()).decode()
            assert f"cluster {cluster_name}: waiting, not joined" in appeared
            await admin.delete(MANAGED_CLUSTERS, cluster_name)
            assert f"cluster {cluster_name}: gone" in (await process.stdout.readline()).decode()
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, said.decode()) == (0, "")
