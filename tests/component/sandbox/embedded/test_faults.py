"""Faults on demand, through real connections: what the caller sees, and what took effect."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta

import aiohttp
import pytest

from support.raw_api import RawApi
from support.tasks import background
from support.waiting import eventually
from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.embedded.faults import Ask, Calls, Delay, Drop, Moment, Refuse, Repeat, Seen
from towline_sandbox.embedded.model.failures import too_many_requests
from towline_sandbox.embedded.plane import EmbeddedPlane

PATH = CONFIG_MAPS.path(namespace="default")
CREATES = Calls(verb="create", resource="configmaps")


def config_map(name: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def is_there(api: RawApi, name: str) -> bool:
    return (await api.call("GET", f"{PATH}/{name}")).status == 200


@pytest.mark.parametrize(
    ("moment", "took_effect"),
    [
        pytest.param(Moment.BEFORE, False, id="before"),
        pytest.param(Moment.AFTER, True, id="after"),
    ],
)
async def test_a_dropped_call_is_not_answered(
    plane: EmbeddedPlane, api: RawApi, moment: Moment, took_effect: bool
) -> None:
    """A caller cannot tell the two apart, which is why it has to be ready for both."""
    plane.faults.add(Drop(moment), CREATES, nth=1)
    with pytest.raises(AssertionError, match="could not be reached"):
        await api.call("POST", PATH, config_map("a"))
    assert await is_there(api, "a") is took_effect
    assert (await api.call("POST", PATH, config_map("b"))).status == 201


async def test_only_the_nth_call_meets_its_fault(plane: EmbeddedPlane, api: RawApi) -> None:
    """Enumerating crash points means to break one call and no other."""
    rule = plane.faults.add(Drop(), CREATES, nth=2)
    assert (await api.call("POST", PATH, config_map("a"))).status == 201
    assert not await is_there(api, "b")  # another verb does not count
    with pytest.raises(AssertionError, match="could not be reached"):
        await api.call("POST", PATH, config_map("b"))
    assert (await api.call("POST", PATH, config_map("c"))).status == 201
    assert rule.met == 3


async def test_a_repeated_call_takes_effect_twice(plane: EmbeddedPlane, api: RawApi) -> None:
    """What a library does that sends again what got no answer."""
    plane.faults.add(Repeat(), CREATES)
    answer = await api.call("POST", PATH, config_map("a"))
    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")


async def test_a_refusal_says_when_to_come_back(plane: EmbeddedPlane) -> None:
    """Too many requests: clients go by the header."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
    plane.faults.add(Refuse(too_many_requests("slow down", retry_after_seconds=7)))
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=ssl_context(connection))
        ) as session,
        session.get(f"{plane.server}{PATH}") as response,
    ):
        assert response.status == 429
        assert response.headers["Retry-After"] == "7"
        assert (await response.json())["details"] == {"retryAfterSeconds": 7}


async def test_whoever_is_asked_sees_both_moments_and_decides(
    plane: EmbeddedPlane, api: RawApi
) -> None:
    """A crash-point harness stops its program at one of them, and lets nothing more of it pass."""
    seen: list[tuple[str, Moment]] = []

    def pass_on(call: Seen, moment: Moment) -> bool:
        seen.append((call.verb, moment))
        return call.verb != "create"

    rule = plane.faults.add(Ask(pass_on), Calls(user="towline-sandbox-admin"))
    assert not await is_there(api, "a")
    with pytest.raises(AssertionError, match="could not be reached"):
        await api.call("POST", PATH, config_map("a"))
    plane.faults.remove(rule)
    assert not await is_there(api, "a")
    assert seen == [("get", Moment.BEFORE), ("get", Moment.AFTER), ("create", Moment.BEFORE)]


async def test_a_delayed_call_takes_effect_all_the_same(plane: EmbeddedPlane, api: RawApi) -> None:
    """Slow is not wrong."""
    plane.faults.add(Delay(timedelta(milliseconds=1)), CREATES)
    assert (await api.call("POST", PATH, config_map("a"))).status == 201


async def test_a_call_that_is_held_does_not_hold_the_server(
    plane: EmbeddedPlane, api: RawApi
) -> None:
    """Whoever holds calls for minutes does not want to wait for them at the end of the test."""
    rule = plane.faults.add(Delay(timedelta(minutes=5)), CREATES)
    async with background(_lost(api.call("POST", PATH, config_map("a"))), name="held"):
        await eventually(lambda: rule.met > 0, what=lambda: plane.calls)
        began = time.monotonic()
        await asyncio.to_thread(plane.restart)
        assert time.monotonic() - began < 60
    assert not await is_there(api, "a")


async def _lost(call: Awaitable[object]) -> None:
    with pytest.raises(AssertionError, match="could not be reached"):
        await call


async def test_rules_go_by_who_calls(plane: EmbeddedPlane, api: RawApi) -> None:
    """One program of several is to be cut off, not all of them."""
    plane.faults.add(Drop(), Calls(user="somebody else"))
    plane.faults.add(Drop(), Calls(user_agent="not-this-one/"))
    plane.faults.add(Drop(), Calls(where=lambda seen: seen.name == "b"))
    assert not await is_there(api, "a")
    with pytest.raises(AssertionError, match="could not be reached"):
        await is_there(api, "b")


async def test_a_watch_that_is_cut_breaks_and_another_goes_on(plane: EmbeddedPlane) -> None:
    """Cut between two lines, a watch is resumed from where it was, and nothing is missed."""
    connection = parse_kubeconfig(plane.admin_kubeconfig(), source="test")
    url = f"{plane.server}{PATH}?watch=1"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=ssl_context(connection))
    ) as session:
        async with session.get(url) as watch:
            first = await watch.content.readline()
            assert plane.cut_watches(resource="leases.coordination.k8s.io") == 0
            assert plane.cut_watches(resource="configmaps") == 1
            with pytest.raises(aiohttp.ClientPayloadError):
                await watch.content.readline()
        async with session.get(url) as again:
            assert await again.content.readline() == first


async def test_history_can_be_lost(plane: EmbeddedPlane, api: RawApi) -> None:
    """410 is the one answer to a watch that means: list everything again."""
    created = await api.call("POST", PATH, config_map("a"))
    version = created.body["metadata"]["resourceVersion"]
    await api.call("POST", PATH, config_map("b"))
    resumed = f"{PATH}?watch=1&timeoutSeconds=1&resourceVersion={version}"
    assert '"ADDED"' in (await api.call("GET", resumed)).text
    plane.restart(keep_history=True)
    assert '"ADDED"' in (await api.call("GET", resumed)).text
    plane.restart(keep_history=False)
    gone = (await api.call("GET", resumed)).text
    assert '"ERROR"' in gone
    assert '"code":410' in gone
