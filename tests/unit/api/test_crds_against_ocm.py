"""Whatever OCM's CRDs accept, ours accept, and ours keep every field of it.

OCM's files are found through the environment variable OCM_CRDS. `stricter` compares two schemas
member by member; that it can fail is tested on copies of our own, which needs no files.
"""

import copy
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.drawn_instances import TEXT, instances, validator
from towline_api.crd_generation import KINDS as KINDS_BY_VERSION
from towline_api.crd_generation import object_schema
from towline_api.crds import crds, url_conversion
from towline_api.models import KubeKind, ManagedCluster

Schema = dict[str, Any]
FOLDER = os.environ.get("OCM_CRDS")
KINDS = tuple(kind for versions in KINDS_BY_VERSION for kind in versions)
needs_ocm = pytest.mark.skipif(
    FOLDER is None, reason="OCM_CRDS does not name a folder with OCM's CRD files"
)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@cache
def ocm_versions() -> dict[tuple[str, str], list[tuple[Schema, Schema]]]:
    """Return (CRD spec, version) of every file, by CRD name and version name."""
    found: dict[tuple[str, str], list[tuple[Schema, Schema]]] = {}
    for file in sorted(Path(FOLDER or "").glob("*.yaml")):
        crd = yaml.safe_load(file.read_text())
        for version in crd["spec"]["versions"]:
            key = (crd["metadata"]["name"], version["name"])
            found.setdefault(key, []).append((crd["spec"], version))
    return found


def ocm_of(kind: type[KubeKind]) -> list[tuple[Schema, Schema]]:
    """Return OCM's definitions of one of our kinds; there must be one."""
    found = ocm_versions().get((kind.resource.qualified, kind.resource.version), [])
    assert found, f"no file in {FOLDER} defines {kind.resource.qualified} {kind.resource.version}"
    return found


def stricter(ours: Schema, theirs: Schema, path: str = "") -> Iterator[str]:
    """Yield where our schema refuses, drops or fills in something that theirs does not."""
    for word in ("type", "items", "additionalProperties", "x-kubernetes-int-or-string"):
        if (word in ours) is not (word in theirs):
            yield f"{path}: only one side has {word}"
    for word in ("type", "default", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"):
        if ours.get(word) != theirs.get(word):
            yield f"{path}: {word} {ours.get(word)!r} instead of {theirs.get(word)!r}"
    for word in ("pattern", "format"):
        if word in ours and ours[word] != theirs.get(word):
            yield f"{path}: {word} {ours[word]!r} instead of {theirs.get(word)!r}"
    for word, more in (("minLength", 1), ("minItems", 1), ("minimum", 1), ("maxLength", -1),
                       ("maxItems", -1), ("maximum", -1)):  # fmt: skip
        if word in ours and (word not in theirs or (ours[word] - theirs[word]) * more > 0):
            yield f"{path}: {word} {ours[word]!r} instead of {theirs.get(word)!r}"
    for name in sorted(set(ours.get("required", ())) - set(theirs.get("required", ()))):
        yield f"{path}: only we require {name}"
    if "enum" in ours and not set(theirs.get("enum", [object()])) <= set(ours["enum"]):
        yield f"{path}: enum {ours['enum']!r} instead of {theirs.get('enum')!r}"
    if theirs.get("nullable") and not ours.get("nullable"):
        yield f"{path}: only they take null"
    if ours.get("anyOf", theirs.get("anyOf")) != theirs.get("anyOf"):
        yield f"{path}: another anyOf"
    for rule in ours.get("x-kubernetes-validations", ()):
        if rule not in theirs.get("x-kubernetes-validations", ()):
            yield f"{path}: only we have the rule {rule}"
    for name, member in theirs.get("properties", {}).items():
        if name not in ours.get("properties", {}):
            yield f"{path}.{name}: we drop it"
        else:
            yield from stricter(ours["properties"][name], member, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in ours and word in theirs:
            yield from stricter(ours[word], theirs[word], f"{path}[]")


@needs_ocm
@each_kind
def test_nothing_ocm_accepts_is_refused_or_dropped(kind: type[KubeKind]):
    """An object written for OCM's hub must live on ours as it is, defaults and hash included."""
    for _, version in ocm_of(kind):
        theirs = version["schema"]["openAPIV3Schema"]
        assert list(stricter(object_schema(kind), theirs)) == []


@needs_ocm
@each_kind
def test_names_scope_and_columns_are_those_of_ocm(kind: type[KubeKind]):
    """The same kubectl commands work and show the same on either hub."""
    (ours,) = (
        crd
        for crd in crds(conversion=url_conversion("https://h/convert", ca_pem=b"ca"))
        if crd["metadata"]["name"] == kind.resource.qualified
    )
    (our_version,) = (
        item for item in ours["spec"]["versions"] if item["name"] == kind.resource.version
    )
    for spec, version in ocm_of(kind):
        for member in ("group", "scope", "names"):
            assert ours["spec"][member] == spec[member]
        for member in ("subresources", "additionalPrinterColumns", "served"):
            assert our_version.get(member) == version.get(member)


MUTATIONS = {
    "required field": ("spec", {"required": ["taints"]}, "only we require taints"),
    "dropped field": ("status.version", {"properties": {}}, "kubernetes: we drop it"),
    "other type": ("spec.hubAcceptsClient", {"type": "string"}, "type 'string'"),
    "narrower enum": ("spec.taints.[].effect", {"enum": ["NoSelect"]}, "enum"),
    "new enum": ("status.version.kubernetes", {"enum": ["v1"]}, "enum"),
    "other pattern": ("spec.taints.[].key", {"pattern": "^a$"}, "pattern"),
    "new pattern": ("spec.taints.[].value", {"pattern": "^a$"}, "pattern"),
    "shorter": ("spec.taints.[].value", {"maxLength": 1023}, "maxLength"),
    "new limit": ("status.version.kubernetes", {"maxLength": 9999}, "maxLength"),
    "longer minimum": ("status.clusterClaims.[].name", {"minLength": 2}, "minLength"),
    "higher minimum": ("spec.leaseDurationSeconds", {"minimum": 0}, "minimum"),
    "new format": ("status.version.kubernetes", {"format": "date"}, "format"),
    "other default": ("spec.leaseDurationSeconds", {"default": 61}, "default"),
    "new default": ("spec.hubAcceptsClient", {"default": False}, "default"),
    "no null": ("spec.taints.[].timeAdded", {"nullable": False}, "only they take null"),
    "other list keys": ("status.conditions", {"x-kubernetes-list-map-keys": ["a"]}, "map-keys"),
    "set of taints": ("spec.taints", {"x-kubernetes-list-type": "set"}, "list-type"),
    "rule": ("spec", {"x-kubernetes-validations": [{"rule": "false"}]}, "only we have the rule"),
    "map values": ("status.capacity.[]", {"pattern": "^1$"}, "pattern"),
}


@pytest.mark.parametrize(("path", "change", "said"), MUTATIONS.values(), ids=MUTATIONS)
def test_the_comparison_sees_every_way_to_be_stricter(path: str, change: Schema, said: str):
    """A comparison that cannot fail would let a field of OCM be lost unseen."""
    theirs = object_schema(ManagedCluster)
    ours = copy.deepcopy(theirs)
    target = ours
    for part in path.split("."):
        if part == "[]":
            target = target["items"] if "items" in target else target["additionalProperties"]
        else:
            target = target["properties"][part]
    target |= change
    found = list(stricter(ours, theirs))
    assert len(found) == 1
    assert said in found[0]


def test_the_comparison_accepts_the_same_and_the_looser():
    """Our schema may know more than theirs."""
    theirs = object_schema(ManagedCluster)
    ours = copy.deepcopy(theirs)
    assert list(stricter(ours, theirs)) == []
    taint = ours["properties"]["spec"]["properties"]["taints"]["items"]
    taint["required"].clear()
    taint["properties"]["ours"] = {"type": "string"}
    del taint["properties"]["key"]["pattern"]
    taint["properties"]["value"]["maxLength"] += 1
    taint["properties"]["effect"]["enum"].append("Other")
    assert list(stricter(ours, theirs)) == []


@needs_ocm
@each_kind
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_objects_of_ocms_schema_are_ours_and_survive_our_models(
    kind: type[KubeKind], data: st.DataObject
):
    """The same promise, tried on objects instead of schemas, and through the models as well."""
    theirs = ocm_of(kind)[0][1]["schema"]["openAPIV3Schema"]
    metadata = st.fixed_dictionaries({"name": st.just("n")}, optional={"unknown": TEXT})
    members = {"metadata": metadata, "unknown": TEXT} | {
        name: instances(theirs["properties"][name])
        for name in ("spec", "status")
        if name in theirs["properties"]
    }
    obj = data.draw(st.fixed_dictionaries(members))
    known = {name: member for name, member in obj.items() if name not in ("metadata", "unknown")}
    validator(theirs).validate(known)
    validator(object_schema(kind)).validate(known)
    assert kind.model_validate(obj).to_json() == obj
