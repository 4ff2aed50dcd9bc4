"""Kinds that ask little here, since other programs act on them: policies, classes, claims."""

from collections.abc import Iterator

from towline_api.resources import SERVICE_ACCOUNTS, KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain, path_segment
from towline_sandbox.embedded.built_in.traits.composing import check_all, unchanged
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, Each, defaulted
from towline_sandbox.embedded.built_in.traits.selectors import check_selector
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import invalid_value, required, unsupported

_PVC_FINALIZER = "kubernetes.io/pvc-protection"
_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_RECLAIM_POLICIES = ("Delete", "Retain")
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
_POLICY_PORTS = Each({"ports": Each({"protocol": "TCP"})})
_NETWORK_POLICY: Defaults = {"spec": {"ingress": _POLICY_PORTS, "egress": _POLICY_PORTS}}
_ENDPOINT_SLICE: Defaults = {"ports": Each({"name": "", "protocol": "TCP"})}
_CLAIM: Defaults = {"spec": {"volumeMode": "Filesystem"}}


def _complete_network_policy(policy: KubeObject) -> None:
    defaulted(_NETWORK_POLICY)(policy)
    spec = policy["spec"]
    kinds = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    spec["policyTypes"] = spec.get("policyTypes") or kinds


def _check_network_policy(_call: Call, new: KubeObject, _old: object) -> Iterator[Cause]:
    yield from check_selector("spec.podSelector", new["spec"].get("podSelector") or {})


def _check_ingress(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    spec = new["spec"]
    if call.subresource:
        return
    if not spec.get("rules") and not spec.get("defaultBackend"):
        told = "either `defaultBackend` or `rules` must be specified"
        yield invalid_value("spec", None, told)
    for index, rule in enumerate(spec.get("rules") or ()):
        http = rule.get("http")
        where = f"spec.rules[{index}].http.paths"
        if http is not None and not http.get("paths"):
            yield required(where)
        for place, path in enumerate((http or {}).get("paths") or ()):
            if not path.get("pathType"):
                yield required(f"{where}[{place}].pathType", "pathType must be specified")


def _check_address_type(_call: Call, new: KubeObject, _old: object) -> Iterator[Cause]:
    found = new.get("addressType", "")
    if not found:
        yield required("addressType")
    elif found not in _ADDRESS_TYPES:
        yield unsupported("addressType", found, _ADDRESS_TYPES)
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        if not endpoint.get("addresses"):
            yield required(f"endpoints[{index}].addresses")


def _fill_account(_call: Call, new: KubeObject, _old: KubeObject | None) -> None:
    """Of the Secrets an account names, only the names count."""
    if "secrets" in new:
        new["secrets"] = [
            {"name": one["name"]} if "name" in one else {} for one in new["secrets"] or ()
        ]


def _check_storage_class(_call: Call, new: KubeObject, _old: object) -> Iterator[Cause]:
    if not new.get("provisioner"):
        yield required("provisioner")
    if new["reclaimPolicy"] not in _RECLAIM_POLICIES:
        yield unsupported("reclaimPolicy", new["reclaimPolicy"], _RECLAIM_POLICIES)
    if new["volumeBindingMode"] not in _BINDING_MODES:
        yield unsupported("volumeBindingMode", new["volumeBindingMode"], _BINDING_MODES)


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


TRAITS = {
    StorageKey(SERVICE_ACCOUNTS.group, SERVICE_ACCOUNTS.plural): Traits(
        fill=_fill_account, check_name=dns_subdomain
    ),
    StorageKey("", "persistentvolumeclaims"): Traits(
        complete=defaulted(_CLAIM), fill=_fill_claim, check=_check_claim, check_name=dns_subdomain
    ),
    StorageKey("discovery.k8s.io", "endpointslices"): Traits(
        complete=defaulted(_ENDPOINT_SLICE),
        check=check_all(_check_address_type, unchanged("addressType")),
        check_name=dns_subdomain,
        counts_generation=True,
    ),
    StorageKey("networking.k8s.io", "ingresses"): Traits(
        check=_check_ingress, check_name=dns_subdomain, counts_generation=True
    ),
    StorageKey("networking.k8s.io", "networkpolicies"): Traits(
        complete=_complete_network_policy,
        check=_check_network_policy,
        check_name=dns_subdomain,
        counts_generation=True,
    ),
    StorageKey("policy", "poddisruptionbudgets"): Traits(
        check_name=path_segment, counts_generation=True
    ),
    StorageKey("scheduling.k8s.io", "priorityclasses"): Traits(
        complete=defaulted({"preemptionPolicy": "PreemptLowerPriority"}),
        check=unchanged("value", "preemptionPolicy"),
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
