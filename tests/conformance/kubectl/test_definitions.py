"""A kind that kubectl learns of while it is used."""

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from conformance.crds import WIDGET_SCHEMA, version, widget, widget_crd
from conformance.kubectl.command import Kubectl
from support.waiting import until
from towline_api.resources import KubeObject

COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1},
]


def definition(name: str, **spec: Any) -> KubeObject:
    """Return a definition of Widgets with printed columns and descriptions."""
    schema = copy.deepcopy(WIDGET_SCHEMA)
    schema["description"] = "A widget of the suite."
    schema["properties"]["spec"]["properties"]["size"]["description"] = "How large it is."
    shown = version("v1", schema=schema, additionalPrinterColumns=COLUMNS)
    return widget_crd(name, shown, **spec)


@pytest.fixture
async def widgets(kubectl: Kubectl, name: str) -> AsyncIterator[str]:
    """The full name of a kind of Widgets, installed by kubectl, and gone with the test."""
    full = f"widgets.{name}.example.com"
    crd = f"customresourcedefinition.apiextensions.k8s.io/{full}"
    applied = await kubectl("apply", "-f", "-", stdin=definition(name))
    applied.assert_said(f"{crd} created")
    await establish(kubectl, full)
    yield full
    (await kubectl("delete", "crd", full, "--ignore-not-found")).ok()


async def establish(kubectl: Kubectl, full: str) -> None:
    """Wait until a kind is served."""

    async def has_conditions() -> bool:
        return bool((await kubectl("get", "crd", full, "-o=jsonpath={.status.conditions[0]}")).out)

    # `kubectl wait` fails on an object that has no conditions at all yet.
    await until(has_conditions, what=lambda: f"{full} has no conditions")
    waited = await kubectl("wait", "--for=condition=Established", f"crd/{full}", "--timeout=20s")
    waited.assert_said(f"customresourcedefinition.apiextensions.k8s.io/{full} condition met")


async def test_a_definition_comes_and_goes(kubectl: Kubectl, widgets: str, name: str) -> None:
    """With its objects."""
    crd = f"customresourcedefinition.apiextensions.k8s.io/{widgets}"
    (await kubectl("apply", "-f", "-", stdin=definition(name))).assert_said(f"{crd} unchanged")
    (await kubectl("apply", "-f", "-", stdin=widget(name, "w"))).assert_said(
        f"widget.{name}.example.com/w created"
    )
    deleted = await kubectl("delete", "crd", widgets)
    deleted.assert_said(f'customresourcedefinition.apiextensions.k8s.io "{widgets}" deleted')
    gone = await kubectl("get", widgets)
    assert (gone.code, gone.out) == (1, "")
    again = await kubectl("apply", "-f", "-", stdin=definition(name))
    again.assert_said(f"{crd} created")
    await establish(kubectl, widgets)

    async def is_discovered() -> bool:
        return (await kubectl("get", widgets)).code == 0

    # A real API server tells of a kind a moment after it serves it.
    await until(is_discovered, what=lambda: f"{widgets} is not discovered")
    listed = await kubectl("get", widgets)
    assert (listed.code, listed.err) == (
        0,
        f"No resources found in {kubectl.namespace} namespace.\n",
    )


async def test_its_objects_are_applied_and_listed(
    kubectl: Kubectl, widgets: str, name: str
) -> None:
    """With defaults, and columns of its own."""
    group = f"{name}.example.com"
    for wanted, outcome in ((2, "created"), (2, "unchanged"), (3, "configured")):
        ran = await kubectl("apply", "-f", "-", stdin=widget(name, "w", size=wanted))
        ran.assert_said(f"widget.{group}/w {outcome}")
    patch = ("patch", widgets, "w", "--type=merge")
    status = await kubectl(*patch, "--subresource=status", "-p", '{"status":{"phase":"Fine"}}')
    status.assert_said(f"widget.{group}/w patched")
    assert (await kubectl("get", f"wd.{group}")).table() == [["NAME", "SIZE"], ["w", "3"]]
    assert (await kubectl("get", widgets, "-o", "wide")).table() == [
        ["NAME", "SIZE", "PHASE"],
        ["w", "3", "Fine"],
    ]
    stored = json.loads((await kubectl("get", widgets, "w", "-o", "json")).ok())
    assert stored["spec"] == {"size": 3, "color": "red"}
    assert stored["metadata"]["generation"] == 2


async def test_its_objects_are_checked(kubectl: Kubectl, widgets: str, name: str) -> None:
    """By its schema, and strictly."""
    (await kubectl("apply", "-f", "-", stdin=widget(name, "w", size=0))).assert_failed(
        'The Widget "w" is invalid: spec.size: Invalid value: 0: spec.size in body should be '
        "greater than or equal to 1"
    )
    (await kubectl("apply", "-f", "-", stdin=widget(name, "w", sice=1))).assert_failed(
        'Error from server (BadRequest): error when creating "STDIN": Widget in version "v1" '
        'cannot be handled as a Widget: strict decoding error: unknown field "spec.sice"'
    )
    (await kubectl("apply", "-f", "-", stdin=widget(name, "w"))).ok()
    (await kubectl("patch", widgets, "w", "-p", '{"spec":{"size":2}}')).assert_failed(
        "error: application/strategic-merge-patch+json is not supported by "
        f"{name}.example.com/v1, Kind=Widget: the body of the request was in an unknown format - "
        "accepted media types include: application/json-patch+json, "
        "application/merge-patch+json, application/apply-patch+yaml"
    )


async def test_it_is_discovered_and_explained(kubectl: Kubectl, widgets: str, name: str) -> None:
    """Descriptions come from its schema."""
    group = f"{name}.example.com"
    assert (await kubectl("api-resources", f"--api-group={group}", "-o", "wide")).table() == [
        ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS", "CATEGORIES"],
        [
            *("widgets", "wd", f"{group}/v1", "true", "Widget"),
            "delete,deletecollection,get,list,patch,create,update,watch",
            "conformance",
        ],
    ]

    async def explain() -> list[str]:
        return (await kubectl("explain", f"{widgets}.spec")).out.splitlines()

    # The real server's OpenAPI comes a little after the kind.
    explained = await until(explain, what=lambda: f"{widgets} to be explained")
    assert explained[:5] == [
        f"GROUP:      {group}",
        "KIND:       Widget",
        "VERSION:    v1",
        "",
        "FIELD: spec <Object>",
    ]
    at = explained.index("  size\t<integer> -required-")
    assert explained[at + 1] == "    How large it is."
    assert "A widget of the suite." in (await kubectl("explain", widgets)).ok()


async def test_an_object_of_it_is_described(kubectl: Kubectl, widgets: str, name: str) -> None:
    """Field by field."""
    (await kubectl("apply", "--server-side", "-f", "-", stdin=widget(name, "w", size=4))).ok()
    lines = (await kubectl("describe", widgets, "w")).ok().splitlines()
    facts = [" ".join(line.split()) for line in lines]
    assert facts[:6] == [
        "Name: w",
        f"Namespace: {kubectl.namespace}",
        "Labels: <none>",
        "Annotations: <none>",
        f"API Version: {name}.example.com/v1",
        "Kind: Widget",
    ]
    assert facts[-4:] == ["Spec:", "Color: red", "Size: 4", "Events: <none>"]


async def test_a_watch_of_its_objects(kubectl: Kubectl, widgets: str, name: str) -> None:
    """As a table with its columns."""
    (await kubectl("create", "-f", "-", stdin=widget(name, "w"))).ok()
    async with kubectl.going_on("get", widgets, "-w", "--output-watch-events") as watch:
        lines = await watch.lines(2)
        patch = ("--type=merge", "-p", '{"spec":{"size":7}}')
        (await kubectl("patch", widgets, "w", *patch)).ok()
        (await kubectl("delete", widgets, "w")).ok()
        lines += await watch.lines(2)
    assert [line.split() for line in lines] == [
        ["EVENT", "NAME", "SIZE"],
        ["ADDED", "w", "1"],
        ["MODIFIED", "w", "7"],
        ["DELETED", "w", "7"],
    ]
