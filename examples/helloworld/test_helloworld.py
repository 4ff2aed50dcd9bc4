"""helloworld, tested end to end: a hub, a managed cluster and the add-on's own certificate."""

import helloworld
import pytest

from towline_agent import AddonAgent
from towline_api.condition_types import AVAILABLE
from towline_api.resources import CONFIG_MAPS, KubeObject
from towline_sandbox.testing import EnabledAddon


@pytest.fixture
def towline_addon_agent() -> AddonAgent:
    """Which add-on `towline_addon` enables and runs."""
    return helloworld.agent


def config_map(name: str, namespace: str, **data: str) -> KubeObject:
    """Return a ConfigMap."""
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def test_what_the_hub_says_is_copied_and_removed(towline_addon: EnabledAddon) -> None:
    """A greeting appears on the cluster, changes with the original, and goes with it."""
    hub, spoke = towline_addon.hub, towline_addon.spoke
    here, there = towline_addon.cluster, towline_addon.namespace

    hub.apply(CONFIG_MAPS, config_map("greeting", here, message="hello"))
    spoke.wait_for(CONFIG_MAPS, "greeting", namespace=there)

    hub.apply(CONFIG_MAPS, config_map("greeting", here, message="good morning"))
    changed = {"message": "good morning"}
    spoke.wait_for(
        CONFIG_MAPS, "greeting", namespace=there, until=lambda copy: copy["data"] == changed
    )

    hub.delete(CONFIG_MAPS, "greeting", namespace=here)
    spoke.wait_gone(CONFIG_MAPS, "greeting", namespace=there)


def test_the_hub_sees_that_the_addon_is_alive(towline_addon: EnabledAddon) -> None:
    """The add-on's Lease travels up as the condition `Available`."""
    towline_addon.wait_until(AVAILABLE)
