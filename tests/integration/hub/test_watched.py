"""A hub as those see it who watch it: its health, its readiness, its metrics."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, join
from support.waiting import until
from towline_api.names import HUB_NAMESPACE
from towline_api.resources import LEASES, MANAGED_CLUSTERS, NAMESPACES
from towline_kube.client import Client
from towline_kube.errors import AlreadyExists
from towline_sandbox.embedded.faults import Calls, Refuse
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.plane import EmbeddedPlane


def free_address() -> str:
    """Return an address nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@asynccontextmanager
async def asking(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://{address}") as session:
        yield session


async def answer_of(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    try:
        async with session.get(path) as answer:
            return answer.status, await answer.text()
    except aiohttp.ClientConnectorError:
        return 0, "nobody listens"


async def until_ready(session: aiohttp.ClientSession) -> None:
    last: tuple[int, str] = (0, "")

    async def ready() -> bool:
        nonlocal last
        last = await answer_of(session, "/readyz")
        return last[0] == 200

    await until(ready, what=lambda: last)


async def test_a_join_shows_in_the_metrics(run_hub: RunHub, spoke: Spoke, admin: Client) -> None:
    """Decision, wait, join, certificate and calls, each under the name the documents give it."""
    address = free_address()
    async with run_hub(listen=address), asking(address) as session:
        await until_ready(session)
        assert (await answer_of(session, "/healthz"))[0] == 200
        await (await join(spoke, admin)).close()

        async def counted() -> str:
            _, text = await answer_of(session, "/metrics")
            has = 'towline_hub_decisions_total{kind="cluster",outcome="approve"' in text
            return text if has else ""

        text = await until(counted, what=lambda: "no decision counted")
    assert re.search(r'towline_hub_decision_wait_seconds_count\{.*outcome="approve"\} [1-9]', text)
    assert 'towline_hub_passes_total{controller="approve-requests",result="done"}' in text
    assert 'towline_hub_clusters{standing="accepted"}' in text
    assert "towline_hub_leader 1.0" in text
    assert "process_resident_memory_bytes" in text
    assert re.search(r'towline_api_requests_total\{code="200",.*verb="watch"\}', text)


@pytest.mark.planes("embedded", because="it makes the API server forget who the hub is")
async def test_a_hub_whose_credential_is_refused_is_healthy_and_not_ready(
    run_hub: RunHub, hub_plane: EmbeddedPlane, admin: Client, cluster_name: str
) -> None:
    """A restart would not help; and whoever looks is told what the API server says."""
    address = free_address()
    refusal = Refuse(ApiFailure(401, "Unauthorized", "Unauthorized"))
    async with run_hub(listen=address), asking(address) as session:
        await until_ready(session)
        # Watches go on; one that is just being opened would fail as well.
        rule = hub_plane.faults.add(refusal, Calls(user_agent="towline-hub/", verb="create"))
        try:
            # Something to do, so that the hub makes a call.
            body = {"metadata": {"name": cluster_name}, "spec": {"hubAcceptsClient": True}}
            await admin.create(MANAGED_CLUSTERS, body)

            async def not_ready() -> str:
                status, text = await answer_of(session, "/readyz")
                return text if status == 503 else ""

            text = await until(not_ready, what=lambda: "it is ready all the same")
            assert "[+]caches ok" in text
            assert "[-]api-server failed: create selfsubjectreviews" in text
            assert "the credential was not accepted" in text
            assert (await answer_of(session, "/healthz"))[0] == 200
        finally:
            hub_plane.faults.remove(rule)
        await until_ready(session)


async def test_one_that_stands_by_is_ready_and_reports_on_no_fleet(
    run_hub: RunHub, admin: Client
) -> None:
    """A rolling update waits for readiness before it ends the one that leads."""
    try:
        await admin.create(NAMESPACES, {"metadata": {"name": HUB_NAMESPACE}})
    except AlreadyExists:
        await admin.delete(LEASES, "towline-hub", namespace=HUB_NAMESPACE, missing_ok=True)
    one, two = free_address(), free_address()
    async with (
        run_hub(listen=one, leader_election=True),
        run_hub(listen=two, leader_election=True),
        asking(one) as first,
        asking(two) as second,
    ):
        await until_ready(first)
        await until_ready(second)
        shown = [(await answer_of(session, "/metrics"))[1] for session in (first, second)]
    leaders = [text for text in shown if "towline_hub_leader 1.0" in text]
    standing_by = [text for text in shown if "towline_hub_leader 0.0" in text]
    assert (len(leaders), len(standing_by)) == (1, 1)
    assert "towline_hub_cluster_leases{" in leaders[0]
    assert "towline_hub_queue_depth{" in leaders[0]
    assert "towline_hub_cluster_leases{" not in standing_by[0]
    assert "towline_hub_queue_depth{" not in standing_by[0]
    assert 'verb="watch"' in standing_by[0]
