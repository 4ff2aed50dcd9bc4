"""What the example alert-forwarder tells a hub is what API servers take as Events."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from support.plane_clients import admin_client
from support.played_hub import obj
from towline_api.resources import EVENTS, NAMESPACES, KubeObject
from towline_sandbox.plane import ControlPlane

EXAMPLE = Path(__file__).parents[3] / "examples" / "alert-forwarder" / "alert_forwarder.py"
CORE_EVENT: KubeObject = {
    "metadata": {
        "name": "web.1",
        "namespace": "shop",
        "uid": "8d6e0a4e-2f0a-4f8e-9c1c-5d5f0a3b7c11",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "eventTime": None,
    "deprecatedFirstTimestamp": "2026-01-01T00:00:00Z",
    "deprecatedLastTimestamp": "2026-01-01T00:10:00Z",
    "deprecatedCount": 4,
    "type": "Warning",
    "reason": "BackOff",
    "note": "x" * 5000,
    "regarding": {"apiVersion": "v1", "kind": "Pod", "name": "web", "namespace": "shop"},
}
"""As events.k8s.io shows what was recorded by the older interface."""
NODE_EVENT: KubeObject = {
    **CORE_EVENT,
    "metadata": {**CORE_EVENT["metadata"], "uid": "0a3b7c11-2f0a-4f8e-9c1c-5d5f8d6e0a4e"},
    "deprecatedCount": 1,
    "regarding": {"kind": "Node", "name": "n1"},
}
"""About an object that has no namespace."""


@pytest.fixture
def example() -> Any:
    """The example's module."""
    spec = importlib.util.spec_from_file_location("alert_forwarder_on_planes", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("event", [CORE_EVENT, NODE_EVENT], ids=["pod", "node"])
async def test_every_warning_can_be_told(
    hub_plane: ControlPlane, cluster_name: str, example: Any, event: KubeObject
) -> None:
    """Events are checked closely; one that is refused would be lost."""
    async with admin_client(hub_plane) as hub:
        await hub.apply(NAMESPACES, obj(NAMESPACES, cluster_name))
        body = example.alert(event, cluster=cluster_name)
        created = await hub.create(EVENTS, body)
        assert created["related"]["name"] == event["regarding"]["name"]
        more = {**event, "series": {"count": 9, "lastObservedTime": "2026-01-01T00:20:00.000000Z"}}
        series = example.alert(more, cluster=cluster_name)["series"]
        name = body["metadata"]["name"]
        await hub.patch(EVENTS, name, {"series": series}, namespace=cluster_name)
        found = await hub.get(EVENTS, name, namespace=cluster_name)
        assert found["series"]["count"] == 9
