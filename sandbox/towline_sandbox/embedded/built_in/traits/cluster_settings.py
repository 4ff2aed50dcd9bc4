"""Kinds that ask little here, since other programs act on them: classes, budgets, claims."""

import re
from collections.abc import Iterator
from typing import Any

from towline_api.resources import SERVICE_ACCOUNTS, KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain, path_segment
from towline_sandbox.embedded.built_in.traits.composing import check_all, unchanged
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, defaulted
from towline_sandbox.embedded.built_in.traits.selectors import check_selector
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import (
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)

_PVC_FINALIZER = "kubernetes.io/pvc-protection"
_RECLAIM_POLICIES = ("Delete", "Retain")
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")
_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_HIGHEST_PRIORITY = 1_000_000_000
_CLAIM: Defaults = {"spec": {"volumeMode": "Filesystem"}}
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)


def _fill_account(_call: Call, new: KubeObject, _old: KubeObject | None) -> None:
    """Of the Secrets an account names, only the names count."""
    if "secrets" in new:
        new["secrets"] = [
            {"name": one["name"]} if "name" in one else {} for one in new["secrets"] or ()
        ]


def _fill_claim(_call: Call, new: KubeObject, old: KubeObject | None) -> None:
    if old is None:
        new["status"] = {"phase": "Pending"}
        finalizers = new["metadata"].setdefault("finalizers", [])
        if _PVC_FINALIZER not in finalizers:
            finalizers.append(_PVC_FINALIZER)


def _check_claim(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec = new["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in (spec["resources"].get("requests") or {}):
        yield required("spec.resources[storage]")


def _check_storage_class(_call: Call, new: KubeObject, _old: object) -> Iterator[Cause]:
    if not new.get("provisioner"):
        yield required("provisioner")
    if new["reclaimPolicy"] not in _RECLAIM_POLICIES:
        yield unsupported("reclaimPolicy", new["reclaimPolicy"], _RECLAIM_POLICIES)
    if new["volumeBindingMode"] not in _BINDING_MODES:
        yield unsupported("volumeBindingMode", new["volumeBindingMode"], _BINDING_MODES)


def _check_priority(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    if old is not None:
        if new["value"] != old["value"]:
            yield forbidden_field("value", "may not be changed in an update.")
        return
    if new["value"] > _HIGHEST_PRIORITY:
        told = f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}"
        yield forbidden_field("value", told)
    policy = new["preemptionPolicy"]
    if policy not in _PREEMPTION_POLICIES:
        yield unsupported("preemptionPolicy", policy, _PREEMPTION_POLICIES)


def _check_budget(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec = new["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        # Told as the fields are called inside the server.
        names = ("minAvailable", "selector", "maxUnavailable", "unhealthyPodEvictionPolicy")
        told = {name[0].upper() + name[1:]: spec.get(name) for name in names}
        yield invalid_value("spec", told, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        if field in spec:
            yield from _check_share(f"spec.{field}", spec[field])
    policy = spec.get("unhealthyPodEvictionPolicy", _EVICTION_POLICIES[0])
    if policy not in _EVICTION_POLICIES:
        yield unsupported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION_POLICIES)
    yield from check_selector("spec.selector", spec.get("selector") or {})


def _check_share(where: str, share: Any) -> Iterator[Cause]:
    """Check a number of Pods, or a percentage of them."""
    if isinstance(share, int):
        if share < 0:
            yield invalid_value(where, share, "must be greater than or equal to 0")
    elif not re.fullmatch("[0-9]+%", share):
        yield invalid_value(where, share, _PERCENT_RULE)
    elif int(share[:-1]) > 100:
        yield invalid_value(where, share, "must not be greater than 100%")


TRAITS = {
    StorageKey(SERVICE_ACCOUNTS.group, SERVICE_ACCOUNTS.plural): Traits(
        fill=_fill_account, check_name=dns_subdomain
    ),
    StorageKey("", "persistentvolumeclaims"): Traits(
        complete=defaulted(_CLAIM), fill=_fill_claim, check=_check_claim, check_name=dns_subdomain
    ),
    StorageKey("policy", "poddisruptionbudgets"): Traits(
        check=_check_budget, check_name=path_segment, counts_generation=True
    ),
    StorageKey("scheduling.k8s.io", "priorityclasses"): Traits(
        complete=defaulted({"preemptionPolicy": "PreemptLowerPriority"}),
        check=check_all(_check_priority, unchanged("preemptionPolicy")),
        check_name=dns_subdomain,
        counts_generation=True,
    ),
    StorageKey("storage.k8s.io", "storageclasses"): Traits(
        complete=defaulted({"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
        check=check_all(
            _check_storage_class,
            unchanged("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
        ),
        check_name=dns_subdomain,
    ),
}
