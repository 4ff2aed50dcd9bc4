"""Events, which kubectl reads in both groups."""

import pytest

from conformance.kubectl.command import Kubectl
from towline_api.resources import KubeObject


@pytest.fixture
async def odd(kubectl: Kubectl) -> None:
    """An Event about a ConfigMap that never was."""
    about = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": kubectl.namespace}
    event: KubeObject = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "c.1", "namespace": kubectl.namespace},
        "type": "Warning",
        "reason": "Odd",
        "message": "it is odd",
        "involvedObject": about,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 3,
        "source": {"component": "suite"},
    }
    (await kubectl("create", "-f", "-", stdin=event)).assert_said("event/c.1 created")


async def test_events_are_listed(kubectl: Kubectl, odd: None) -> None:
    """By `get`, the server's table."""
    rows = (await kubectl("get", "events")).table()
    assert [row[1:] for row in rows] == [
        ["TYPE", "REASON", "OBJECT", "MESSAGE"],
        ["Warning", "Odd", "configmap/c", "it is odd"],
    ]
    wide = (await kubectl("get", "events", "-o", "wide")).table()[1]
    assert [*wide[5:7], *wide[8:]] == ["suite", "it is odd", "3", "c.1"]
    (await kubectl("get", "events", "--field-selector=reason=Odd", "-o", "name")).assert_said(
        "event/c.1"
    )
    newer = await kubectl("get", "events.events.k8s.io", "-o", "jsonpath={.items[0].note}")
    newer.assert_said("it is odd")


async def test_events_of_an_object(kubectl: Kubectl, odd: None) -> None:
    """By `events`, kubectl's own table."""
    for words in ([], ["--for=configmap/c"]):
        row = (await kubectl("events", *words)).ok().splitlines()[1].split()
        assert row[1:3] == ["(x3", "over"]
        assert row[4:] == ["Warning", "Odd", "ConfigMap/c", "it", "is", "odd"]
    nothing = await kubectl("events", "--for=configmap/other")
    assert nothing.err == f"No events found in {kubectl.namespace} namespace.\n"
