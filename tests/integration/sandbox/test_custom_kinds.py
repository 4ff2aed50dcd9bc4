"""What the embedded plane's judgement of custom kinds is tested with is what a real server says."""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.raw_api import RawApi, raw_api
from support.recorded_answers import in_any_order, recorded
from support.waiting import until
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_sandbox.kube_plane import KubePlane

pytestmark = pytest.mark.planes("kube", because="what was recorded of it is asked again")

DEFINITIONS = CUSTOM_RESOURCE_DEFINITIONS.path()
DRY = "?dryRun=All"


@asynccontextmanager
async def served(api: RawApi, schema: KubeObject, *, plural: str, kind: str) -> AsyncIterator[str]:
    """Have a kind with this schema; provide the path of its objects."""
    definition = {
        "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITIONS.kind,
        "metadata": {"name": f"{plural}.x.io"},
        "spec": {
            "group": "x.io",
            "scope": "Cluster",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
    path = f"/apis/x.io/v1/{plural}"
    assert (await api.call("POST", DEFINITIONS, definition)).status == 201

    async def answers() -> bool:
        return (await api.call("GET", path)).status == 200

    try:
        await until(answers, what=lambda: f"{path} is not served")
        yield path
    finally:
        await api.call("DELETE", f"{DEFINITIONS}/{plural}.x.io")


def causes_in(body: KubeObject) -> list[str]:
    """Return the causes of a refusal. Names of objects are checked elsewhere."""
    found = (body.get("details") or {}).get("causes", [])
    return in_any_order([each for each in found if "RFC 1123 subdomain" not in each["message"]])


def recorded_causes(case: KubeObject) -> list[str]:
    """Return the causes that are kept."""
    found = case.get("causes", [])
    return in_any_order([each for each in found if "RFC 1123 subdomain" not in each["message"]])


async def test_definitions_are_judged_as_recorded(hub_plane: KubePlane) -> None:
    """A new release may refuse more, or say it in other words."""
    async with raw_api(hub_plane.admin_kubeconfig()) as api:
        for case in recorded("definitions"):
            answer = await api.call("POST", DEFINITIONS + DRY, case["definition"])
            assert causes_in(answer.body) == recorded_causes(case), case["case"]


async def test_rules_are_compiled_as_recorded(hub_plane: KubePlane) -> None:
    """CEL grows with each release."""
    kept = recorded("declared_rules")
    async with raw_api(hub_plane.admin_kubeconfig()) as api:
        for case in kept["cases"]:
            definition = copy.deepcopy(kept["definition"])
            schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            schema["properties"]["spec"]["x-kubernetes-validations"] = [case["rule"]]
            answer = await api.call("POST", DEFINITIONS + DRY, definition)
            assert causes_in(answer.body) == recorded_causes(case), case["rule"]


async def test_objects_are_validated_as_recorded(hub_plane: KubePlane) -> None:
    """These sentences are what people search for."""
    kept = recorded("values")
    async with (
        raw_api(hub_plane.admin_kubeconfig()) as api,
        served(api, kept["schema"], plural="things", kind="Thing") as path,
    ):
        for case in kept["cases"]:
            body = {
                "apiVersion": "x.io/v1",
                "kind": "Thing",
                "metadata": {"name": "t"},
                "spec": case["spec"],
            }
            answer = await api.call("POST", path + DRY, body)
            if "refused" in case:
                assert answer.body["message"] == case["refused"]
                continue
            assert causes_in(answer.body) == recorded_causes(case), case["spec"]
            if "kept" in case:
                assert answer.body["spec"] == case["kept"]


async def test_objects_are_held_to_rules_as_recorded(hub_plane: KubePlane) -> None:
    """With the object before, where a rule looks at it."""
    kept = recorded("rules")
    async with (
        raw_api(hub_plane.admin_kubeconfig()) as api,
        served(api, kept["schema"], plural="rules", kind="Rule") as path,
    ):
        for number, case in enumerate(kept["cases"]):
            body = {
                "apiVersion": "x.io/v1",
                "kind": "Rule",
                "metadata": {"name": f"r{number}"},
                "spec": case["old"] or case["new"],
            }
            if case["old"] is None:
                answer = await api.call("POST", path + DRY, body)
            else:
                stored = (await api.call("POST", path, body)).body
                changed = {**stored, "spec": case["new"]}
                answer = await api.call("PUT", f"{path}/r{number}{DRY}", changed)
            assert causes_in(answer.body) == recorded_causes(case), case["new"]
