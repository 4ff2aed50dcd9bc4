"""Caches, controllers and events keep their promises against a real API server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from support.tasks import background
from support.waiting import eventually
from towline_api.metadata import name_of
from towline_api.resources import CONFIG_MAPS, EVENTS, NAMESPACES, KubeObject
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.controller import DONE, Controller, Result
from towline_kube.errors import Forbidden
from towline_kube.events import EventRecorder, EventType
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.list_watch import ListWatcher
from towline_kube.reflector import WATCH_BACKOFF
from towline_kube.store import Change
from towline_sandbox.plane import ControlPlane

pytestmark = pytest.mark.planes("embedded", "kube")

SOON = 20.0
"""Seconds that the first list may take on a busy machine."""


@pytest.fixture
async def client(hub_plane: ControlPlane) -> AsyncIterator[Client]:
    connection = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="admin")
    async with Client(connection, field_manager="towline-tests") as client:
        yield client


def config_map(namespace: str, name: str, **data: str) -> KubeObject:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"colour": "red"}},
        "data": data,
    }


async def test_the_client_is_what_caches_ask_for(client: Client) -> None:
    """The fake of the unit tests and the real one keep to one protocol; mypy checks this line."""
    asked: ListWatcher = client
    assert asked is client


async def test_a_cache_follows_the_server(client: Client, cluster_name: str) -> None:
    """Through changes of every kind, and through a watch cut off by a swap of credentials."""
    await client.create(NAMESPACES, {"metadata": {"name": cluster_name}})
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(cluster_name, f"m{number}", number=str(number)))
    cache = Cache(
        client,
        CONFIG_MAPS,
        namespace=cluster_name,
        label_selector="colour=red",
        indexes={"number": lambda obj: (obj.get("data") or {}).values()},
    )
    changes: list[Change] = []
    cache.on_change(changes.append)
    async with background(cache.run(), name="run-cache"):
        await asyncio.wait_for(cache.wait_synced(), SOON)
        assert [name_of(obj) for obj in cache.list()] == [f"m{number}" for number in range(5)]
        assert [name_of(obj) for obj in cache.by_index("number", "3")] == ["m3"]
        assert "managedFields" not in cache.get("m3", cluster_name)["metadata"]
        changes.clear()

        await client.patch(CONFIG_MAPS, "m0", {"data": {"number": "9"}}, namespace=cluster_name)
        await client.delete(CONFIG_MAPS, "m1", namespace=cluster_name)
        # Whoever no longer matches the selector is gone for this cache.
        recoloured: KubeObject = {"metadata": {"labels": {"colour": "blue"}}}
        await client.patch(CONFIG_MAPS, "m2", recoloured, namespace=cluster_name)
        await eventually(lambda: len(changes) == 3, what=lambda: changes)
        assert [f"{change.type} {change.key.name}" for change in changes] == [
            "MODIFIED m0",
            "DELETED m1",
            "DELETED m2",
        ]

        await client.swap(client.connection)
        await client.create(CONFIG_MAPS, config_map(cluster_name, "m5", number="5"))
        await eventually(lambda: cache.find("m5", cluster_name) is not None, what=cache.keys)
        assert cache.last_error is None
    assert client.calls["list", "configmaps"] == 1


async def test_a_cache_waits_for_its_permission(
    hub_plane: ControlPlane, client: Client, cluster_name: str
) -> None:
    """Refused before it is accepted, an agent goes on asking; the owner can see why it waits."""
    kubeconfig = await hub_plane.kubeconfig_for(cluster_name)
    async with Client(
        parse_kubeconfig(kubeconfig, source="stranger"), field_manager="towline-tests"
    ) as stranger:
        cache = Cache(stranger, CONFIG_MAPS, namespace=cluster_name)
        async with background(cache.run(), name="run-cache"):
            await eventually(
                lambda: isinstance(cache.last_error, Forbidden), what=lambda: cache.last_error
            )
            assert not cache.synced
            await stranger.swap(client.connection)
            await asyncio.wait_for(cache.wait_synced(), WATCH_BACKOFF.limit.total_seconds())
            assert cache.last_error is None


async def test_a_controller_reconciles_what_changes(client: Client, cluster_name: str) -> None:
    """List, watch, queue and workers together: a change comes out as a pass."""
    await client.create(NAMESPACES, {"metadata": {"name": cluster_name}})
    seen: list[str] = []

    async def reconcile(key: str) -> Result:
        found = cache.find(key, cluster_name)
        seen.append(f"{key}={found['data']['state']}" if found else f"{key} is gone")
        return DONE

    cache = Cache(client, CONFIG_MAPS, namespace=cluster_name, label_selector="colour=red")
    controller = Controller("test", reconcile)
    controller.feed_from(cache, lambda obj: [name_of(obj)])
    async with (
        background(cache.run(), name="run-cache"),
        background(controller.run(), name="run-controller"),
    ):
        await client.create(CONFIG_MAPS, config_map(cluster_name, "m", state="new"))
        await eventually(lambda: seen[-1:] == ["m=new"], what=lambda: seen)
        await client.delete(CONFIG_MAPS, "m", namespace=cluster_name)
        await eventually(lambda: seen[-1:] == ["m is gone"], what=lambda: seen)


@pytest.mark.parametrize("where", ["default", "own"])
async def test_a_server_takes_our_events(
    client: Client, cluster_name: str, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """Validation of events is strict, and nobody would miss one that is refused."""
    about = await client.create(NAMESPACES, {"metadata": {"name": cluster_name}})
    recorder = EventRecorder(client, controller="towline-hub", instance="test-0")
    for _ in range(3):
        await recorder.record(
            about,
            reason="Tested",
            note="é" * 1_000,
            action="Test",
            type=EventType.WARNING,
            namespace=cluster_name if where == "own" else None,
        )
    await recorder.flush()
    assert caplog.messages == []
    namespace = cluster_name if where == "own" else "default"
    listed = await client.list(EVENTS, namespace=namespace)
    (event,) = [obj for obj in listed.items if obj["regarding"]["name"] == cluster_name]
    assert event["series"]["count"] == 3
    assert event["reportingController"] == "towline-hub"
