"""The embedded plane as its users hold it: entering, leaving, credentials, its thread."""

import asyncio
import dataclasses
import io
import json
import socket
import threading
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp
import pytest

from support.raw_api import RawApi, raw_api
from towline_api.resources import CONFIG_MAPS, SELF_SUBJECT_REVIEWS
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.plane import ControlPlane, PlaneError

PATH = CONFIG_MAPS.path(namespace="default")
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def user_of(api: RawApi) -> str:
    answer = await api.call("POST", SELF_SUBJECT_REVIEWS.path(), REVIEW)
    assert answer.status == 201
    return str(answer.body["status"]["userInfo"]["username"])


def test_it_is_a_control_plane(plane: EmbeddedPlane) -> None:
    """Whoever works with one kind of plane works with the other."""
    assert isinstance(plane, ControlPlane)


async def test_nothing_is_left_when_the_block_ends() -> None:
    """Hundreds of planes live in one test run: a thread or a port each would add up."""
    before = set(threading.enumerate())
    async with EmbeddedPlane("gone") as plane:
        port = urlsplit(plane.server).port
        assert set(threading.enumerate()) - before
    assert set(threading.enumerate()) <= before
    with socket.socket() as attempt:
        assert attempt.connect_ex(("127.0.0.1", port)) != 0
    with pytest.raises(PlaneError, match="not running"):
        plane.admin_kubeconfig()


def test_one_plane_serves_the_loops_of_several_tests(plane: EmbeddedPlane) -> None:
    """A fixture shared by tests outlives each test's event loop."""

    async def name_of_caller() -> str:
        async with raw_api(plane.admin_kubeconfig()) as api:
            return await user_of(api)

    assert asyncio.run(name_of_caller()) == asyncio.run(name_of_caller())


def test_a_block_that_fails_ends_the_plane() -> None:
    """What went wrong is the caller's business, not a reason to leave a server behind."""
    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError), EmbeddedPlane("broken"):
        _ = 1 / 0
    assert set(threading.enumerate()) <= before


async def test_a_taken_port_is_no_plane(plane: EmbeddedPlane) -> None:
    """The error comes to whoever enters, not to a thread that nobody looks at."""
    port = urlsplit(plane.server).port
    assert port is not None
    with pytest.raises(OSError, match="in use"):
        async with EmbeddedPlane("second", port=port):
            pass


async def test_a_kubeconfig_makes_its_holder_the_user(plane: EmbeddedPlane) -> None:
    """The name in the certificate is the name that rules speak about."""
    async with raw_api(await plane.kubeconfig_for("joe", groups=["g"])) as api:
        assert await user_of(api) == "joe"
        refused = await api.call("GET", PATH)
    assert refused.status == 403
    assert 'User "joe" cannot list resource "configmaps"' in refused.body["message"]


async def test_a_bootstrap_kubeconfig_lets_its_holder_in(plane: EmbeddedPlane) -> None:
    """It is what a cluster begins to join with."""
    async with raw_api(await plane.bootstrap_kubeconfig()) as api:
        assert (await user_of(api)).startswith("system:bootstrap:")


async def test_an_expired_certificate_is_answered_not_cut_off(plane: EmbeddedPlane) -> None:
    """401 tells an agent to begin anew; a broken handshake would tell it to try again."""
    kubeconfig = await plane.kubeconfig_for("late", lifetime=timedelta(minutes=1))
    plane.shift_clock(timedelta(minutes=2))
    async with raw_api(kubeconfig) as api:
        answer = await api.call("GET", PATH)
    assert (answer.status, answer.body["reason"]) == (401, "Unauthorized")


async def test_a_certificate_of_somebody_else_gets_nowhere(plane: EmbeddedPlane) -> None:
    """A documented difference: the real server answers 401, here the handshake fails."""
    ours = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
    with EmbeddedPlane("other") as other:
        theirs = parse_kubeconfig(other.admin_kubeconfig(), source="test")
    mixed = dataclasses.replace(
        ours,
        client_certificate_pem=theirs.client_certificate_pem,
        client_key_pem=theirs.client_key_pem,
    )
    with pytest.raises(AssertionError, match="could not be reached"):
        async with raw_api(mixed) as api:
            await api.call("GET", "/version")


async def test_calls_are_counted_as_an_audit_log_does(plane: EmbeddedPlane, api: RawApi) -> None:
    """The crash-point harness and the benchmarks read calls from either plane."""
    await api.call("POST", PATH, config_map("a"))
    await api.call("GET", f"{PATH}/nowhere")
    created, missing = plane.audit_events()
    assert (created.verb, created.resource, created.namespace) == (
        "create",
        "configmaps",
        "default",
    )
    assert (created.status, missing.status, missing.name) == (201, 404, "nowhere")
    assert created.user == "towline-sandbox-admin"


async def test_it_comes_back_at_the_same_address(plane: EmbeddedPlane, api: RawApi) -> None:
    """A restart of the API server is nothing that clients may fall over."""
    await api.call("POST", PATH, config_map("kept"))
    before = plane.server
    plane.stop_serving()
    with pytest.raises(AssertionError, match="could not be reached"):
        await api.call("GET", PATH)
    plane.serve_again()
    assert plane.server == before
    assert (await api.call("GET", f"{PATH}/kept")).status == 200


async def test_a_connection_that_was_half_made_is_closed_like_all_others(
    plane: EmbeddedPlane, api: RawApi
) -> None:
    """A client whose TLS was still being agreed on would go on as if nothing had happened."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
    address = urlsplit(plane.server)
    assert address.hostname is not None
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    await api.call("GET", PATH)  # over a later connection: so the server has taken that one
    plane.stop_serving()
    try:
        await writer.start_tls(ssl_context(connection), server_hostname=address.hostname)
        writer.write(b"GET /version HTTP/1.1\r\nHost: plane\r\n\r\n")
        answer = await reader.read(12)
    except OSError:
        answer = b""
    finally:
        writer.close()
    assert answer == b""


async def test_a_larger_body_than_is_read_is_refused(plane: EmbeddedPlane) -> None:
    """Kubernetes reads three MiB."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
    body = io.BytesIO(json.dumps({**config_map("big"), "data": {"x": "x" * (3 << 20)}}).encode())
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl_context(connection))
        ) as session,
        session.post(
            f"{plane.server}{PATH}", data=body, headers={"Content-Type": "application/json"}
        ) as response,
    ):
        assert response.status == 413
        assert (await response.json())["reason"] == "RequestEntityTooLarge"


async def test_a_watcher_that_hangs_up_is_forgotten(plane: EmbeddedPlane) -> None:
    """Agents come and go for days; what nobody reads must not be kept for them."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
    store = plane._running.server.store
    before = sum(map(len, store._subscriptions.values()))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=ssl_context(connection))
    ) as session:
        watch = await session.get(f"{plane.server}{PATH}?watch=1")
        await watch.content.readline()
        assert sum(map(len, store._subscriptions.values())) == before + 1
        watch.close()
    async with asyncio.timeout(5):
        while sum(map(len, store._subscriptions.values())) != before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_metrics_count_calls(api: RawApi) -> None:
    """A person who may read them sees how a controller behaves."""
    await api.call("GET", f"{PATH}/nowhere")
    text = (await api.call("GET", "/metrics")).text
    line = 'apiserver_request_total{verb="get",resource="configmaps",subresource="",code="404"} 1'
    assert line in text.splitlines()
