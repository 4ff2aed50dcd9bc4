"""ValidatingAdmissionPolicies and their bindings, as objects; what they do is elsewhere."""

from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, Each, Value, defaulted
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import invalid_value, required, unsupported

_GROUP = "admissionregistration.k8s.io"
_RULES = Each({"scope": "*"})
_MATCH: Defaults = {
    "namespaceSelector": Value({}),
    "objectSelector": Value({}),
    "matchPolicy": "Equivalent",
    "resourceRules": _RULES,
    "excludeResourceRules": _RULES,
}
_POLICY: Defaults = {"spec": {"matchConstraints": _MATCH, "failurePolicy": "Fail"}}
_BINDING: Defaults = {"spec": {"matchResources": _MATCH}}
_FAILURE_POLICIES = ("Fail", "Ignore")
_ACTIONS = ("Audit", "Deny", "Warn")


def _check_policy(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec = new["spec"]
    if spec["failurePolicy"] not in _FAILURE_POLICIES:
        yield unsupported("spec.failurePolicy", spec["failurePolicy"], _FAILURE_POLICIES)
    if "matchConstraints" not in spec:
        yield required("spec.matchConstraints")
    elif not spec["matchConstraints"].get("resourceRules"):
        yield required("spec.matchConstraints.resourceRules")
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        told = "validations or auditAnnotations must contain at least one item"
        yield required("spec.validations", told)
        yield required("spec.auditAnnotations", told)


def _check_binding(_call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    spec = new["spec"]
    if not spec.get("policyName"):
        yield required("spec.policyName")
    actions = spec.get("validationActions") or []
    if not actions:
        yield required("spec.validationActions")
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            yield unsupported(f"spec.validationActions[{index}]", action, _ACTIONS)
    if {"Deny", "Warn"} <= set(actions):
        told = "must not contain both Deny and Warn (repeating the same validation failure "
        told += "information in the API response and headers serves no purpose)"
        yield invalid_value("spec.validationActions", actions, told)


TRAITS = {
    StorageKey(_GROUP, "validatingadmissionpolicies"): Traits(
        complete=defaulted(_POLICY),
        check=_check_policy,
        check_name=dns_subdomain,
        counts_generation=True,
    ),
    StorageKey(_GROUP, "validatingadmissionpolicybindings"): Traits(
        complete=defaulted(_BINDING),
        check=_check_binding,
        check_name=dns_subdomain,
        counts_generation=True,
    ),
}
