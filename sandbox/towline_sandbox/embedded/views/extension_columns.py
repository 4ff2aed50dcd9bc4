"""What `kubectl get` shows of what extends the API: custom kinds, webhooks, admission policies."""

from towline_api.resources import KubeObject
from towline_sandbox.embedded.views.cells import (
    AGE,
    CREATED_AT,
    NAME,
    UNSET,
    cell,
    comma_separated,
    find,
    length,
    text,
)


def _established(crd: KubeObject) -> bool:
    return any(
        each["type"] == "Established" and each["status"] == "True"
        for each in find(crd, "status", "conditions", default=())
    )


def _versions(crd: KubeObject) -> str:
    served = [each for each in find(crd, "spec", "versions", default=()) if each.get("served")]
    return comma_separated(
        sorted(f"{each['name']}{'(storage)' if each.get('storage') else ''}" for each in served)
    )


CUSTOM_RESOURCE_DEFINITIONS = (
    NAME,
    text("Scope", "spec", "scope"),
    cell("Versions", _versions),
    CREATED_AT,
    text("Group", "spec", "group", wide=True),
    text("Kind", "spec", "names", "kind", wide=True),
    cell(
        "ShortNames",
        lambda each: comma_separated(find(each, "spec", "names", "shortNames", default=())),
        wide=True,
    ),
    cell("Established", _established, type_="boolean", wide=True),
)


def _param_kind(policy: KubeObject) -> str:
    kind = find(policy, "spec", "paramKind")
    return UNSET if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"


def _param_ref(binding: KubeObject) -> str:
    reference = find(binding, "spec", "paramRef")
    if reference is None:
        return UNSET
    if reference.get("name"):
        # Whether parameters live in namespaces cannot be told from here.
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    if reference.get("selector") is not None:
        return _as_go_prints(reference["selector"])
    return UNSET


def _labels(selector: KubeObject) -> dict[str, str]:
    found: dict[str, str] = find(selector, "matchLabels", default={})
    return found


def _as_go_prints(selector: KubeObject) -> str:
    """Return a selector as Kubernetes words this one, in the notation of its own source code."""
    labels = "".join(f"{key}: {value}," for key, value in sorted(_labels(selector).items()))
    rules = "".join(
        f"LabelSelectorRequirement{{Key:{each['key']},Operator:{each['operator']},"
        f"Values:[{' '.join(each.get('values', ()))}],}},"
        for each in selector.get("matchExpressions", ())
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{rules}}},}}"
    )


VALIDATING_ADMISSION_POLICIES = (
    NAME,
    length("Validations", "spec", "validations", type_="integer"),
    cell("ParamKind", _param_kind),
    AGE,
)
ADMISSION_POLICY_BINDINGS = (
    NAME,
    text("PolicyName", "spec", "policyName"),
    cell("ParamRef", _param_ref),
    AGE,
)
