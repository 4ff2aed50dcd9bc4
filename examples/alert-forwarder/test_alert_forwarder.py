"""alert-forwarder, tested end to end: what happens on the cluster is known on the hub."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from towline_agent import AddonAgent
from towline_api.resources import CONFIG_MAPS, EVENTS, MANAGED_CLUSTER_ADDONS, KubeObject
from towline_sandbox.embedded.faults import Calls, Drop
from towline_sandbox.embedded.plane import EmbeddedPlane
from towline_sandbox.testing import EnabledAddon

sys.path.insert(0, str(Path(__file__).parent))  # for tests that are started from anywhere
import alert_forwarder
from forwarder_demo import SHOP, alerts, hub_settings, let_see_events, warning


@pytest.fixture
def towline_addon_agent() -> AddonAgent:
    """Which add-on `towline_addon` enables and runs."""
    return alert_forwarder.agent


@pytest.fixture
def towline_hub_settings() -> Mapping[str, object]:
    """What the hub lets the add-on do."""
    return hub_settings()


@pytest.fixture
def addon(towline_addon: EnabledAddon) -> EnabledAddon:
    """The add-on, whose program may look at Events on the whole cluster."""
    let_see_events(towline_addon.spoke)
    return towline_addon


def wait_for(
    addon: EnabledAddon, pod: str, *, until: Callable[[KubeObject], object] = bool
) -> None:
    """Wait until the hub was told of a pod."""
    uid = addon.spoke.wait_for(EVENTS, pod, namespace=SHOP)["metadata"]["uid"]
    addon.hub.wait_for(EVENTS, f"alert-{uid}", namespace=addon.cluster, until=until)


def test_the_hub_is_told_of_warnings_and_of_their_repeats(addon: EnabledAddon) -> None:
    """An operator of many clusters looks in one place; what is normal does not get there."""
    addon.spoke.apply(EVENTS, warning("fine", type="Normal"))
    addon.spoke.apply(EVENTS, warning("web"))
    wait_for(addon, "web")
    told = alerts(addon.hub, addon.cluster)["web"]
    assert told["note"] == "Pod web in shop: the container does not start"
    assert (told["reason"], told["type"]) == ("BackOff", "Warning")
    addon.spoke.apply(EVENTS, warning("web", count=7))
    wait_for(addon, "web", until=lambda told: told.get("series", {}).get("count") == 7)
    assert set(alerts(addon.hub, addon.cluster)) == {"web"}


def test_nothing_is_lost_while_the_hub_is_away(
    addon: EnabledAddon, towline_hub_plane: EmbeddedPlane
) -> None:
    """What happened meanwhile comes as soon as the hub is back."""
    addon.spoke.apply(EVENTS, warning("before"))
    wait_for(addon, "before")
    away = towline_hub_plane.faults.add(Drop(), Calls(resource="events.events.k8s.io"))
    for number in range(3):
        addon.spoke.apply(EVENTS, warning(f"during-{number}"))
    deadline = time.monotonic() + 20
    while not away.met and time.monotonic() < deadline:
        time.sleep(0.02)
    towline_hub_plane.faults.remove(away)
    assert away.met, "the forwarder did not try"
    addon.spoke.apply(EVENTS, warning("after"))
    for name in ("during-0", "during-1", "during-2", "after"):
        wait_for(addon, name)


def test_the_hub_shows_what_stands_in_the_way(towline_addon: EnabledAddon) -> None:
    """Nobody has let this one look at Events."""
    found = towline_addon.wait_until("Degraded")
    (told,) = (item for item in found["status"]["conditions"] if item["type"] == "Degraded")
    assert told["reason"] == "AddOnCodeFailed"
    assert told["message"].startswith("task forward: list events.events.k8s.io")


def test_a_removed_forwarder_leaves_nothing_behind(addon: EnabledAddon) -> None:
    """The position is of no use to anybody else."""
    addon.spoke.wait_for(CONFIG_MAPS, alert_forwarder.POSITION, namespace=addon.namespace)
    addon.hub.delete(MANAGED_CLUSTER_ADDONS, addon.name, namespace=addon.cluster)
    addon.spoke.wait_gone(CONFIG_MAPS, alert_forwarder.POSITION, namespace=addon.namespace)
