"""Namespaces: born active, held by a finalizer until what is in them is gone."""

from collections.abc import Iterator
from copy import deepcopy

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_label, qualified_name
from towline_sandbox.embedded.built_in.traits.composing import at, text_at
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import invalid_value

NAME_LABEL = "kubernetes.io/metadata.name"
FINALIZER = "kubernetes"
_STANDARD_FINALIZERS = (FINALIZER, "foregroundDeletion", "orphan")


def _complete(namespace: KubeObject) -> None:
    name = namespace["metadata"].get("name")
    if name:
        namespace["metadata"].setdefault("labels", {})[NAME_LABEL] = name
    namespace["status"]["phase"] = namespace["status"].get("phase") or "Active"


def _fill(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    new["metadata"].setdefault("labels", {})[NAME_LABEL] = new["metadata"].get("name", "")
    spec = new.setdefault("spec", {})
    if old is None:
        finalizers = spec.setdefault("finalizers", [])
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        new["status"] = {"phase": "Active"}
    elif call.subresource == "finalize":
        new["status"] = deepcopy(old["status"])
    else:
        new["spec"] = deepcopy(old["spec"])


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    for index, finalizer in enumerate(at(new, "spec.finalizers") or ()):
        where = f"spec.finalizers[{index}]" if old is not None else "spec.finalizers"
        for problem in qualified_name(finalizer):
            yield invalid_value(where, finalizer, problem)
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            told = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value(where, finalizer, told)
    if call.subresource == "status":
        yield from _check_phase(new)


def _check_phase(new: KubeObject) -> Iterator[Cause]:
    phase, is_deleted = at(new, "status.phase") or "", "deletionTimestamp" in new["metadata"]
    if is_deleted and phase != "Terminating":
        told = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        yield invalid_value("status.Phase", phase, told)
    if not is_deleted and phase != "Active":
        told = "may only be 'Active' if `deletionTimestamp` is empty"
        yield invalid_value("status.Phase", phase, told)


TRAITS = {
    StorageKey("", "namespaces"): Traits(
        complete=_complete,
        fill=_fill,
        check=_check,
        check_name=dns_label,
        selectable={"name": text_at("metadata.name"), "status.phase": text_at("status.phase")},
    ),
}
