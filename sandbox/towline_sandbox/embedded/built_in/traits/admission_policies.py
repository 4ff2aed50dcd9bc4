"""ValidatingAdmissionPolicies and their bindings, as objects.

What a valid one is, and what they do, is in `admission`: it takes CEL to know.
"""

from towline_sandbox.embedded.built_in.name_rules import dns_subdomain
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, Each, Value, defaulted
from towline_sandbox.embedded.model.kinds import StorageKey, Traits

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

TRAITS = {
    StorageKey(_GROUP, "validatingadmissionpolicies"): Traits(
        complete=defaulted(_POLICY),
        check_name=dns_subdomain,
        counts_generation=True,
    ),
    StorageKey(_GROUP, "validatingadmissionpolicybindings"): Traits(
        complete=defaulted(_BINDING),
        check_name=dns_subdomain,
        counts_generation=True,
    ),
}
