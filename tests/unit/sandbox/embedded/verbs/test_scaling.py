"""The Scale of an object: what it shows, and what it changes."""

import pytest

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.model.failures import ApiFailure
from unit.sandbox.embedded.verbs.small_api import SmallApi, body_of

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)
SCALES = Resource("autoscaling", "v1", "scales", "Scale", namespaced=True)
SELECTOR = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "old", "operator": "DoesNotExist"},
    ],
}
TEMPLATE = {
    "metadata": {"labels": {"app": "web", "tier": "a"}},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


@pytest.fixture
async def deployment(api: SmallApi) -> KubeObject:
    return await api.create(DEPLOYMENTS, "d", spec={"selector": SELECTOR, "template": TEMPLATE})


async def test_a_scale_shows_numbers_and_selector(api: SmallApi, deployment):
    """The selector as text, as autoscalers pass it on."""
    scale = await api.get(DEPLOYMENTS, "d", subresource="scale")
    assert scale["kind"] == "Scale"
    assert scale["spec"] == {"replicas": 1}
    assert scale["status"] == {"replicas": 0, "selector": "app=web,!old,tier in (a,b)"}


async def test_scaling_is_a_change_of_the_spec(api: SmallApi, deployment):
    """It counts as a generation and leaves everything else alone."""
    scale = await api.patch(DEPLOYMENTS, "d", {"spec": {"replicas": 3}}, subresource="scale")
    assert scale["spec"] == {"replicas": 3}
    after = await api.get(DEPLOYMENTS, "d")
    assert after["metadata"]["generation"] == deployment["metadata"]["generation"] + 1
    assert after["spec"] == {**deployment["spec"], "replicas": 3}


async def test_an_outdated_scale_conflicts(api: SmallApi, deployment):
    """As an outdated object does."""
    old = body_of(SCALES, "d", metadata={"resourceVersion": "1"}, spec={"replicas": 3})
    with pytest.raises(ApiFailure, match="the object has been modified"):
        await api.update(DEPLOYMENTS, old, subresource="scale")


async def test_nobody_wants_less_than_nothing(api: SmallApi, deployment):
    """The refusal is about the Scale."""
    with pytest.raises(ApiFailure) as caught:
        await api.patch(DEPLOYMENTS, "d", {"spec": {"replicas": -2}}, subresource="scale")
    assert caught.value.message == (
        'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -2: must be greater than '
        "or equal to 0"
    )
