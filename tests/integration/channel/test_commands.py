"""The commands a person types: what they print, and the one line they say when it goes wrong."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from integration.channel.programs import WITHOUT_COLLECTOR, Outcome, run_command
from support.plane_clients import admin_client
from support.waiting import until
from towline_api.conditions import is_true
from towline_api.crds import crds
from towline_api.metadata import name_of
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS
from towline_sandbox.plane import ControlPlane
from towline_sandbox.ports import reserve_port

pytestmark = pytest.mark.planes("kube", because="hub and agent as programs meet the real thing")

KUBECTL = shutil.which("kubectl")


@pytest_asyncio.fixture
async def plane_without_crds(spoke_plane: ControlPlane) -> AsyncIterator[ControlPlane]:
    """A managed cluster has none of a hub's CRDs, and shall have none afterwards."""
    async with admin_client(spoke_plane) as admin:

        async def remove() -> None:
            for crd in crds():
                await admin.delete(CUSTOM_RESOURCE_DEFINITIONS, name_of(crd), missing_ok=True)

        async def removed() -> bool:
            found = await admin.list(CUSTOM_RESOURCE_DEFINITIONS)
            return {name_of(crd) for crd in found.items}.isdisjoint(map(name_of, crds()))

        await remove()
        await until(removed, what=lambda: "CRDs of other tests do not go")
        yield spoke_plane
        await remove()


@pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on PATH")
async def test_the_printed_crds_are_taken_by_kubectl_with_strict_validation(
    plane_without_crds: ControlPlane, tmp_path: Path
) -> None:
    """Who will not let the hub install CRDs applies what `towline crds` prints."""
    kubeconfig = tmp_path / "admin.kubeconfig"
    kubeconfig.write_text(plane_without_crds.admin_kubeconfig())
    # On a hub where they are missing, status says so instead of showing an empty fleet.
    early = await run_command("status", "--kubeconfig", str(kubeconfig))
    assert "managedclusters.cluster.open-cluster-management.io" in one_line(early)

    printed = await run_command("crds")
    assert (printed.status, printed.err) == (0, "")
    for server_side, outcome in (("--server-side", "serverside-applied"), ("", "configured")):
        words = ["apply", *([server_side] if server_side else []), "--validate=strict", "-f", "-"]
        applied = await kubectl(kubeconfig, *words, stdin=printed.out)
        assert applied.status == 0, applied
        assert applied.out.count(outcome) == len(crds()), applied
        assert "unknown" not in applied.err.lower(), applied
    async with admin_client(plane_without_crds) as admin:

        async def established() -> bool:
            found = await admin.list(CUSTOM_RESOURCE_DEFINITIONS)
            served = {name_of(crd) for crd in found.items if is_true(crd, "Established")}
            return served >= {name_of(crd) for crd in crds()}

        await until(established, what=lambda: "not every CRD is established")
    status = ("status", "--kubeconfig", str(kubeconfig))

    async def answers() -> str:
        found = await run_command(*status, "-o", "json")
        return found.out if found.status == 0 else ""

    seen = json.loads(await until(answers, what=lambda: "status fails"))
    assert (seen["clusters"], seen["addons"], seen["pending"]) == ([], [], [])
    assert "Clusters" in (await run_command(*status)).out
    # A twin: strict validation finds what is no field of a CRD.
    spoilt = printed.out.replace("  scope:", "  scoop: x\n  scope:", 1)
    refused = await kubectl(kubeconfig, "apply", "--validate=strict", "-f", "-", stdin=spoilt)
    assert refused.status != 0
    assert "scoop" in refused.err


async def test_a_cluster_nobody_knows_is_one_line_with_what_to_look_at(
    hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """The likeliest mistake of all: a misspelt name."""
    kubeconfig = tmp_path / "admin.kubeconfig"
    kubeconfig.write_text(hub_plane.admin_kubeconfig())
    async with admin_client(hub_plane) as admin:
        for crd in crds():
            await admin.apply(CUSTOM_RESOURCE_DEFINITIONS, crd)
    for name in ("no-such-cluster", "Not_A_Name"):
        said = one_line(await run_command("accept", name, "--kubeconfig", str(kubeconfig)))
        assert name in said
    assert "there is no managed cluster 'no-such-cluster' on this hub" in one_line(
        await run_command("accept", "no-such-cluster", "--kubeconfig", str(kubeconfig))
    )


@pytest.mark.parametrize("words", [("status",), ("accept", "c1"), ("hub", "run")], ids=" ".join)
@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param("", "empty", id="empty"),
        pytest.param("{not yaml", "YAML", id="no-yaml"),
        pytest.param("- a list", "", id="list"),
        pytest.param("kind: Config\ncurrent-context: gone\n", "gone", id="no-such-context"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_one_line_that_names_the_file(
    words: tuple[str, ...], content: str | None, names: str, tmp_path: Path
) -> None:
    """Never a traceback, never a silent fall-back to another cluster."""
    kubeconfig = tmp_path / "broken.kubeconfig"
    if content is not None:
        kubeconfig.write_text(content)
    said = one_line(await run_command(*words, "--kubeconfig", str(kubeconfig)))
    assert str(kubeconfig) in said
    assert names.lower() in said.lower()


@pytest.mark.parametrize(
    "words",
    [("status",), ("accept", "c1"), ("token", "create", "--cluster", "c1"), ("join-command",)],
    ids=" ".join,
)
async def test_a_hub_that_cannot_be_reached_is_one_line_that_names_it(
    words: tuple[str, ...], hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """A wrong port, a stopped hub: the address says which."""
    with reserve_port() as nobody_listens:
        port = nobody_listens.getsockname()[1]
        server = f"https://127.0.0.1:{port}"
        kubeconfig = tmp_path / "unreachable.kubeconfig"
        kubeconfig.write_text(hub_plane.admin_kubeconfig().replace(hub_plane.server, server))
        said = one_line(await run_command(*words, "--kubeconfig", str(kubeconfig)))
    assert f"127.0.0.1:{port}" in said


async def test_a_hub_of_another_authority_is_one_line_that_says_so(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """A wrong CA is no network trouble, and must not be told as such."""
    kubeconfig = tmp_path / "wrong-ca.kubeconfig"
    text = hub_plane.admin_kubeconfig().replace(hub_plane.server, spoke_plane.server)
    kubeconfig.write_text(text)
    said = one_line(await run_command("status", "--kubeconfig", str(kubeconfig)))
    assert "certificate" in said.lower()


async def test_a_person_without_the_right_is_told_which_is_missing(
    hub_plane: ControlPlane, tmp_path: Path
) -> None:
    """What to ask the administrator for."""
    kubeconfig = tmp_path / "nobody.kubeconfig"
    kubeconfig.write_text(await hub_plane.kubeconfig_for("somebody-without-rights"))
    for words in (("status",), ("accept", "c1")):
        said = one_line(await run_command(*words, "--kubeconfig", str(kubeconfig)))
        assert "somebody-without-rights" in said
        assert re.search(r"cannot (list|get) resource \S+ in API group", said), said


def one_line(outcome: Outcome) -> str:
    """Return the one line a command that failed has said; nothing else may be said."""
    assert outcome.status == 1, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("towline: "), outcome.err
    assert len(outcome.err.splitlines()) == 1, outcome.err
    return outcome.err


async def kubectl(kubeconfig: Path, *words: str, stdin: str) -> Outcome:
    """Run kubectl to its end."""
    process = await asyncio.create_subprocess_exec(
        str(KUBECTL),
        f"--kubeconfig={kubeconfig}",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent), **WITHOUT_COLLECTOR},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())
