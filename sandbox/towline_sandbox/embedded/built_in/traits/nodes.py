"""Nodes: nobody's until they are ready."""

from collections.abc import Iterator

from towline_api.resources import NODES, KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain
from towline_sandbox.embedded.built_in.traits.composing import text_at
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import (
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)

_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
_NOT_SERVED = (("spec", "configSource"), ("spec", "podPreemptionPolicy"), ("status", "config"))
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _complete(node: KubeObject) -> None:
    spec, status = node["spec"], node["status"]
    if "podCIDR" in spec and spec.get("podCIDRs", [])[:1] != [spec["podCIDR"]]:
        spec["podCIDRs"] = [spec["podCIDR"]]
    if "capacity" in status:
        status.setdefault("allocatable", dict(status["capacity"]))


def _fill(_call: Call, new: KubeObject, old: KubeObject | None) -> None:
    for part, field in _NOT_SERVED:
        new[part].pop(field, None)
    if old is None:
        taints = new["spec"].setdefault("taints", [])
        if not any(taint.get("key") == _NOT_READY["key"] for taint in taints):
            taints.append(dict(_NOT_READY))


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec = new["spec"]
    for index, taint in enumerate(spec.get("taints") or ()):
        where, effect = f"metadata.taints[{index}]", taint.get("effect", "")
        if not effect:
            yield required(f"{where}.effect")
        elif effect not in _EFFECTS:
            yield unsupported(f"{where}.effect", effect, _EFFECTS)
    if old is None:
        return
    before = old["spec"]
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        told = 'node updates may not change podCIDR except from "" to valid'
        yield forbidden_field("spec.podCIDRs", told)
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        yield invalid_value("spec.providerID", None, "field cannot be modified once set")


TRAITS = {
    StorageKey(NODES.group, NODES.plural): Traits(
        complete=_complete,
        fill=_fill,
        check=_check,
        check_name=dns_subdomain,
        selectable={
            "spec.unschedulable": lambda node: text_at("spec.unschedulable")(node) or "false"
        },
    ),
}
