"""An agent as those see it who look at it: its states, its health, its metrics, its command."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.joining import JoinHub, RunningAgent, agent_settings, running_agent
from support.played_hub import PlayedHub
from support.waiting import until
from towline_agent import AddonAgent, AddonSettings, HubChannel
from towline_agent.settings import AgentSettings
from towline_agent.status.command import status
from towline_api.metadata import name_of
from towline_api.resources import MANAGED_CLUSTER_ADDONS, MANAGED_CLUSTERS, SECRETS
from towline_certs.credentials import from_secret_data
from towline_certs.identities import AddonIdentity
from towline_kube.clock import SystemClock
from towline_kube.listen_address import parse_listen_address
from towline_sandbox.embedded.faults import Calls, Refuse
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.plane import ControlPlane

ADDON = "helloworld"
MINUTE = timedelta(minutes=1)


class WrongClock(SystemClock):
    """The machine's clock, wrong by as much as the test says."""

    def __init__(self) -> None:
        self.wrong_by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.wrong_by


class Watched:
    """An agent's endpoint, asked as curl would."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, path: str) -> tuple[int, str]:
        try:
            async with self._session.get(f"/{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientConnectorError:
            return 0, "nobody listens"

    async def until(self, path: str, code: int, *patterns: str) -> str:
        """Return what a path answers once it does with this code, and matches all of these."""
        last: tuple[int, str] = (0, "")

        async def matches() -> bool:
            nonlocal last
            last = await self.ask(path)
            return last[0] == code and all(re.search(p, last[1]) for p in patterns)

        await until(matches, what=lambda: f"{patterns} not in {last}")
        return last[1]

    async def until_state(self, state: str, reason: str) -> str:
        """Return the line about the cluster's state once it is this one."""
        code = 200 if state in ("registered", "renewing") else 503
        text = await self.until("readyz", code, rf"state .*{state} \({reason}\) since")
        return next(line for line in text.splitlines() if "]state " in line)


def free_address() -> str:
    """Return an address nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@asynccontextmanager
async def watching(address: str) -> AsyncIterator[Watched]:
    async with aiohttp.ClientSession(f"http://{address}") as session:
        yield Watched(session)


MakeSettings = Callable[..., Awaitable[AgentSettings]]


@pytest.fixture
def make_settings(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> MakeSettings:
    async def make(**changes: Any) -> AgentSettings:
        return await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path, **changes)

    return make


def shift(agent: RunningAgent, clock: WrongClock, wrong_by: timedelta) -> None:
    """Set the agent's clock, and have it looked at at once."""
    clock.wrong_by = wrong_by
    agent.session.keeper.look_again()


async def test_an_agent_shows_each_of_its_states(hub: JoinHub, make_settings: MakeSettings) -> None:
    """From nothing to removed; healthy all along, and ready only where the hub can be used."""
    hub.approves = hub.accepts = False
    address, clock = free_address(), WrongClock()
    settings = await make_settings(listen=address, client_cert_expiration=10 * MINUTE)
    async with running_agent(settings, parts={}, clock=clock) as agent, watching(address) as it:
        await it.until_state("requested", "WaitingForApproval")
        (request,) = await hub.pending_requests()
        await hub.decide(request, "Denied", message="not you")
        assert "not you" in await it.until_state("denied", "RequestRefused")
        shift(agent, clock, MINUTE)
        line = await it.until_state("requested", "WaitingForApproval")
        hub.approves = True
        later = await it.until_state("requested", "WaitingForAcceptance")
        assert since(later) == since(line), "it is the same state for another reason"
        await it.until("readyz", 503, r"\[\+\]hub ok")
        hub.accepts = True
        await it.until_state("registered", "Registered")
        hub.approves = False
        shift(agent, clock, 9 * MINUTE)
        await it.until_state("renewing", "WaitingForApproval")
        shift(agent, clock, 12 * MINUTE)
        line = await it.until_state("expired", "CertificateExpired")
        validity = agent.session.keeper.facts.validity
        assert validity is not None
        assert since(line) == f"{validity.not_after:%FT%TZ}"
        assert (await it.ask("healthz"))[0] == 200, "a restart would not help"
        clock.wrong_by = MINUTE
        hub.approves = True
        await it.until_state("registered", "Registered")
        hub.accepts = False
        await hub.deny()
        await it.until_state("denied", "DeniedOnHub")
        hub.accepts = True
        await it.until_state("registered", "Registered")
        hub.accepts = False
        await hub.hub.delete(MANAGED_CLUSTERS, hub.cluster)
        await it.until_state("removed", "DeletedOnHub")
        text = await it.until("metrics", 200, r'towline_agent_state\{.*state="removed"\} 1\.0')
        assert len(re.findall(r"towline_agent_state\{.*\} 1\.0", text)) == 1
        assert (await it.ask("healthz"))[0] == 200


def since(line: str) -> str:
    found = re.search(r"since (\S+Z)", line)
    assert found is not None
    return found[1]


async def test_a_join_shows_in_the_metrics(hub: JoinHub, make_settings: MakeSettings) -> None:
    """State, certificate, lease and calls, under the names the document gives them."""
    address = free_address()
    async with (
        running_agent(await make_settings(listen=address), parts={}),
        watching(address) as it,
    ):
        await hub.joined()
        text = await it.until(
            "metrics",
            200,
            r'towline_agent_state\{.*state="registered"\} 1\.0',
            r"towline_agent_lease_renewals_total 1\.0",
        )
    assert re.search(r'towline_agent_certificate_renewals_total\{addon="",.*\} 1\.0', text)
    assert re.search(r'requests_total\{code="201",.*side="hub",verb="create"\} 1\.0', text)
    assert re.search(r'requests_total\{code="20\d",.*side="spoke"', text)
    assert "towline_agent_certificate_expiry_timestamp_seconds{" in text
    assert "process_resident_memory_bytes" in text


async def test_looking_at_an_agent_at_rest_costs_its_hub_nothing(
    hub: JoinHub, make_settings: MakeSettings
) -> None:
    """A kubelet asks every few seconds, on ten thousand clusters."""
    address = free_address()
    async with (
        running_agent(await make_settings(listen=address), parts={}) as agent,
        watching(address) as it,
    ):
        await hub.until_condition("ClusterCertificateRotated")
        await until(hub.lease_time, what=lambda: "no beat")
        await it.until_state("registered", "Registered")
        question = ("create", "selfsubjectreviews.authentication.k8s.io")
        before = agent.hub_calls[question]
        for path in ("readyz", "healthz", "metrics", "status") * 25:
            assert (await it.ask(path))[0] == 200
        assert agent.hub_calls[question] == before


@pytest.mark.planes("embedded", because="it makes the API server forget who the agent is")
async def test_an_agent_the_hub_does_not_know_is_healthy_and_not_ready(
    hub: JoinHub, make_settings: MakeSettings, hub_plane: EmbeddedPlane
) -> None:
    """Whoever looks is told what the hub says; the certificate is good for all the agent knows."""
    address = free_address()
    async with (
        running_agent(await make_settings(listen=address), parts={}) as agent,
        watching(address) as it,
    ):
        await it.until_state("registered", "Registered")
        user = agent.session.identity.user
        refusal = Refuse(ApiFailure(500, "InternalError", "the disk is full"))
        rule = hub_plane.faults.add(refusal, Calls(user=user))
        try:
            cluster = await hub.managed_cluster()
            assert cluster is not None
            # Something to do, so that the agent makes a call.
            cluster["status"]["version"] = {"kubernetes": "v0.0.0"}
            await hub.hub.patch_status(MANAGED_CLUSTERS, cluster, {"conditions": []})
            await it.until("readyz", 503, r"\[-\]hub failed: .*the disk is full")
            assert (await it.ask("healthz"))[0] == 200
        finally:
            hub_plane.faults.remove(rule)
        await it.until("readyz", 200, "readyz check passed")


async def test_the_command_asks_the_agent_or_else_what_it_stored(
    hub: JoinHub,
    make_settings: MakeSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same answer with and without a running agent; and no key in any of it."""
    address = free_address()
    settings = await make_settings(listen=address)
    stored = [
        f"--spoke-kubeconfig={settings.spoke_kubeconfig}",
        f"--namespace={settings.namespace}",
        "-o=json",
    ]
    assert await said(capsys, *stored) == (1, "unregistered", "NothingStored")
    async with running_agent(settings, parts={}), watching(address) as it:
        await it.until_state("registered", "Registered")
        for where in (f"--endpoint=http://{address}", f"--listen={address}"):
            assert await said(capsys, where, "-o=json") == (0, "registered", "Registered")
    assert await said(capsys, f"--listen={address}", *stored) == (0, "registered", "Registered")
    secret = await hub.secret()
    assert secret is not None
    code, text = await run_status(capsys, *stored[:2])
    assert code == 0
    assert re.search(rf"Cluster +{hub.cluster}", text)
    assert re.search(r"Certificate +\S+Z to \S+Z", text)
    for name in ("tls.key", "tls.crt"):
        body = from_secret_data(secret["data"])[name].decode().splitlines()[1]
        assert body not in text
    hub.accepts = False
    await hub.deny()
    assert await said(capsys, *stored) == (1, "denied", "DeniedOnHub")
    await hub.hub.delete(MANAGED_CLUSTERS, hub.cluster)
    assert (await said(capsys, *stored))[0] == 1
    await hub.spoke.delete(SECRETS, name_of(secret), namespace=hub.namespace)
    assert await said(capsys, *stored) == (1, "unregistered", "NothingStored")


async def test_the_command_reads_a_directory_and_names_the_request_that_waits(
    hub: JoinHub,
    make_settings: MakeSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An agent outside of a cluster, ended while it waited: the request is found by its name."""
    hub.approves = hub.accepts = False
    state_dir = tmp_path / "state"
    settings = await make_settings(state_dir=state_dir)
    async with running_agent(settings, parts={}):
        (request,) = await until(hub.pending_requests, what=lambda: "no request")
    code, text = await run_status(capsys, f"--state-dir={state_dir}", "-o=json")
    document = json.loads(text)
    assert (code, document["state"], document["request"]) == (1, "requested", name_of(request))
    assert document["cluster"] == hub.cluster
    assert "PRIVATE KEY" not in text


async def said(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str, str]:
    code, text = await run_status(capsys, *flags)
    document = json.loads(text)
    return code, document["state"], document["reason"]


async def run_status(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    capsys.readouterr()
    # Beside the loop of the planes and the agent, as in a process of its own.
    code = await asyncio.to_thread(status, flags)
    return code, capsys.readouterr().out


async def test_each_addon_has_a_state_and_a_line_of_its_own(
    hub: JoinHub, make_settings: MakeSettings
) -> None:
    """An add-on waits, comes in, and goes; the cluster's own state is another matter."""
    played = PlayedHub(hub.hub, hub.spoke, hub.cluster)
    await played.prepare()
    await played.make_namespace(hub.cluster)
    address = free_address()
    settings = await make_settings(listen=address, addon_namespaces=[hub.cluster])
    async with running_agent(settings), watching(address) as it:
        await it.until_state("registered", "Registered")
        hub.approves = False
        await played.install(ADDON, namespace=hub.cluster)
        waiting = rf"\[-\]addon/{ADDON} failed: requested \(WaitingForApproval\) since"
        text = await it.until("readyz", 503, waiting)
        assert "[+]state ok: registered" in text
        hub.approves = True
        await it.until("readyz", 200, rf"\[\+\]addon/{ADDON} ok: registered \(Registered\) since")
        text = await it.until("metrics", 200, rf'applied_total\{{addon="{ADDON}"\}} [1-9]')
        secret = f"secret {hub.cluster}/{ADDON}-hub-kubeconfig"
        assert f'towline_agent_state{{addon="{ADDON}",credential="{secret}"' in text
        (addon,) = json.loads((await it.ask("status"))[1])["addons"]
        assert addon["credentials"][0]["store"] == secret
        assert addon["credentials"][0]["certificate"]["until"] is not None
        await played.hub.delete(MANAGED_CLUSTER_ADDONS, ADDON, namespace=hub.cluster)

        async def is_gone() -> bool:
            return ADDON not in (await it.ask("readyz"))[1] + (await it.ask("metrics"))[1]

        await until(is_gone, what=lambda: "it is still shown")


async def test_an_embedding_program_has_the_same_endpoint(
    hub: JoinHub, make_settings: MakeSettings
) -> None:
    """The program is its cluster's whole agent; and a second one in the process mixes nothing."""
    base = await make_settings()
    one, two = free_address(), free_address()
    first = AddonAgent(
        "first",
        settings=AddonSettings(**{**base.model_dump(), "listen": one}),
    )
    second = AddonAgent(
        "second",
        settings=AddonSettings(
            listen=parse_listen_address(two), hub_kubeconfig=Path("/nowhere"), **spoke(base)
        ),
    )
    async with first, watching(one) as it:
        await it.until_state("registered", "Registered")
        async with second, watching(two) as other:
            line = await other.until_state("unregistered", "WaitingForCredential")
            assert "mounted" in line
            await other.until("metrics", 200, 'state="unregistered"} 1.0')
            text = await it.until("metrics", 200, 'state="registered"} 1.0')
            assert "/nowhere" not in text


async def test_an_addon_s_own_program_behind_an_agent_has_it_as_well(
    hub: JoinHub, hub_plane: ControlPlane, make_settings: MakeSettings, tmp_path: Path
) -> None:
    """Its credential is another agent's to renew; its way to the hub and its work are its own."""
    played = PlayedHub(hub.hub, hub.spoke, hub.cluster)
    await played.prepare()
    await played.make_namespace(hub.cluster)
    await played.install(ADDON, namespace=hub.cluster)
    identity = AddonIdentity(hub.cluster, ADDON, "agent")
    kubeconfig = tmp_path / "hub-kubeconfig"
    address = free_address()
    settings = AddonSettings(
        listen=parse_listen_address(address),
        hub_kubeconfig=kubeconfig,
        cluster_name=hub.cluster,
        addon_namespace=hub.cluster,
        **spoke(await make_settings(addon_namespaces=[hub.cluster])),
    )
    agent = AddonAgent(ADDON, settings=settings)
    works = asyncio.Event()

    @agent.task
    async def forward(_: HubChannel) -> None:
        if not works.is_set():
            raise ZeroDivisionError("a bug of the add-on")

    async with agent, watching(address) as it:
        await it.until_state("unregistered", "WaitingForCredential")
        granted = await hub_plane.kubeconfig_for(identity.user, groups=identity.groups)
        kubeconfig.write_text(granted)
        text = await it.until("readyz", 503, rf"\[-\]addon/{ADDON} failed: .*a bug of the add-on")
        assert "[+]state ok: registered (Registered) since" in text
        shown = await it.until("metrics", 200, r'code_failures_total\{.*role="task"\} [1-9]')
        assert re.search(r'requests_total\{code="20\d",.*side="hub"', shown)
        assert (await it.ask("healthz"))[0] == 200
        works.set()
        text = await it.until("readyz", 200, r"\[\+\]hub ok")
        assert f"[+]addon/{ADDON} ok" in text


def spoke(settings: AgentSettings) -> dict[str, Any]:
    return {"spoke_kubeconfig": settings.spoke_kubeconfig}
