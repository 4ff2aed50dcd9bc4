"""The whole example on this machine: `python forwarder_demo.py`. Ends with Ctrl-C."""

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alert_forwarder
import yaml
from anyio.from_thread import start_blocking_portal

from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    EVENTS,
    NAMESPACES,
    KubeObject,
)
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.testing import Administrator, EnabledAddon
from towline_sandbox.testing.pair import enabled_addon, joined_pair

HERE = Path(__file__).parent
SHOP = "shop"


def hub_settings() -> dict[str, object]:
    """Return what the operator tells the hub."""
    settings: dict[str, object] = yaml.safe_load((HERE / "hub-settings.yaml").read_text())
    return settings


def let_see_events(spoke: Administrator) -> None:
    """Let the program look at Events on its whole cluster, and make somebody to have them."""
    role: KubeObject = yaml.safe_load((HERE / "spoke-permissions.yaml").read_text())
    name, group = role["metadata"]["name"], CLUSTER_ROLES.group
    reference = {"apiGroup": group, "kind": CLUSTER_ROLES.kind, "name": name}
    user = {"apiGroup": group, "kind": "User", "name": f"towline:addon:{name}"}
    spoke.apply(CLUSTER_ROLES, role)
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [user]}
    spoke.apply(CLUSTER_ROLE_BINDINGS, binding)
    spoke.apply(NAMESPACES, {"metadata": {"name": SHOP}})


def warning(pod: str, *, type: str = "Warning", count: int = 1) -> KubeObject:  # noqa: A002
    """Return an Event about a pod, as a kubelet records it."""
    event: KubeObject = {
        "metadata": {"name": pod, "namespace": SHOP},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": type,
        "reason": "BackOff",
        "action": "Restart",
        "note": "the container does not start",
        "reportingController": "kubelet",
        "reportingInstance": "node-1",
        "regarding": {"apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": SHOP},
    }
    if count > 1:
        event["series"] = {"count": count, "lastObservedTime": "2026-01-01T01:00:00.000000Z"}
    return event


def alerts(hub: Administrator, cluster: str) -> dict[str, KubeObject]:
    """Return what the hub was told of the shop, by the pod it is about.

    A cluster has warnings of its own; a real one may have some as soon as it is up.
    """
    told = [
        event
        for event in hub.list(EVENTS, namespace=cluster)
        if event["reportingController"] == alert_forwarder.CONTROLLER
    ]
    return {
        event["related"]["name"]: event
        for event in told
        if event["related"].get("namespace") == SHOP
    }


@contextmanager
def everything(folder: Path) -> Iterator[EnabledAddon]:
    """Run a hub, a managed cluster that has joined it, and the add-on there."""
    agent = alert_forwarder.agent
    with (
        EmbeddedPlane("hub") as hub_plane,
        EmbeddedPlane("spoke") as spoke_plane,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(
            joined_pair(
                portal,
                hub_plane,
                spoke_plane,
                folder=folder,
                addons=[agent.name],
                hub_settings=hub_settings(),
            )
        ) as pair,
    ):
        let_see_events(pair.spoke)
        with portal.wrap_async_context_manager(enabled_addon(pair, agent, folder=folder)) as addon:
            yield addon


def show(addon: EnabledAddon) -> None:
    """Have pods fail, and print what the hub hears of it, until interrupted."""
    known: set[str] = set()
    for number in itertools.count(1):
        addon.spoke.apply(EVENTS, warning(f"web-{number}"))
        time.sleep(2)
        told = alerts(addon.hub, addon.cluster)
        for pod in sorted(told.keys() - known):
            print(f"the hub knows: {told[pod]['reason']}, {told[pod]['note']}")  # noqa: T201
        known |= told.keys()


def main() -> None:
    """Run everything until it is interrupted."""
    try:
        with tempfile.TemporaryDirectory() as folder, everything(Path(folder)) as addon:
            show(addon)
    except KeyboardInterrupt:
        print("ended")  # noqa: T201


if __name__ == "__main__":
    main()
