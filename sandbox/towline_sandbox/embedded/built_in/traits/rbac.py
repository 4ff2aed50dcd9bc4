"""Roles and their bindings."""

from collections.abc import Iterator

from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    KubeObject,
)
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain, path_segment
from towline_sandbox.embedded.built_in.traits.selectors import check_selector
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import immutable, invalid_value, required, unsupported

_GROUP = ROLES.group
_OF_THE_GROUP = ("User", "Group")
_SUBJECT_KINDS = ("ServiceAccount", "User", "Group")


def _check_role(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    rules = new.get("rules") or ()
    for index, rule in enumerate(rules):
        yield from _check_rule(f"rules[{index}]", rule, namespaced=call.kind.resource.namespaced)
    yield from _check_aggregation(new.get("aggregationRule"))
    for index, rule in enumerate(rules):
        if not rule.get("verbs"):
            yield required(f"rules[{index}].verbs")


def _check_rule(where: str, rule: KubeObject, *, namespaced: bool) -> Iterator[Cause]:
    urls = rule.get("nonResourceURLs")
    if not urls:
        if not rule.get("apiGroups"):
            told = "resource rules must supply at least one api group"
            yield required(f"{where}.apiGroups", told)
        if not rule.get("resources"):
            yield required(f"{where}.resources", "resource rules must supply at least one resource")
        return
    if namespaced:
        told = "namespaced rules cannot apply to non-resource URLs"
        yield invalid_value(f"{where}.nonResourceURLs", urls, told)
    if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
        told = "rules cannot apply to both regular resources and non-resource URLs"
        yield invalid_value(f"{where}.nonResourceURLs", urls, told)


def _check_aggregation(rule: KubeObject | None) -> Iterator[Cause]:
    if rule is None:
        return
    where = "aggregationRule.clusterRoleSelectors"
    selectors = rule.get("clusterRoleSelectors") or ()
    if not selectors:
        told = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield required(where, told)
    for index, selector in enumerate(selectors):
        problems = list(check_selector(f"{where}[{index}]", selector))
        yield from problems
        if problems:
            yield invalid_value(f"{where}[{index}]", None, "invalid label selector.")


def _complete_binding(binding: KubeObject) -> None:
    binding["roleRef"]["apiGroup"] = binding["roleRef"].get("apiGroup") or _GROUP
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in _OF_THE_GROUP and not subject.get("apiGroup"):
            subject["apiGroup"] = _GROUP


def _check_binding(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    namespaced = call.kind.resource.namespaced
    reference, subjects = new["roleRef"], new.get("subjects") or ()
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if reference["apiGroup"] != _GROUP:
        yield unsupported("roleRef.apiGroup", reference["apiGroup"], (_GROUP,))
    if reference.get("kind", "") not in kinds:
        yield unsupported("roleRef.kind", reference.get("kind", ""), kinds)
    for problem in path_segment(reference.get("name", "")):
        yield invalid_value("roleRef.name", reference["name"], problem)
    for index, subject in enumerate(subjects):
        yield from _check_subject(f"subjects[{index}]", subject, namespaced=namespaced)
    if old is not None and reference != old["roleRef"]:
        # Told as the fields are called inside the server.
        told = {
            "APIGroup": reference["apiGroup"],
            "Kind": reference.get("kind", ""),
            "Name": reference.get("name", ""),
        }
        yield immutable("roleRef", told)
    if not reference.get("name"):
        yield required("roleRef.name")
    for index, subject in enumerate(subjects):
        if not subject.get("name"):
            yield required(f"subjects[{index}].name")


def _check_subject(where: str, subject: KubeObject, *, namespaced: bool) -> Iterator[Cause]:
    kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
    if kind not in _SUBJECT_KINDS:
        yield unsupported(f"{where}.kind", kind, _SUBJECT_KINDS)
    elif kind in _OF_THE_GROUP:
        if group != _GROUP:
            yield unsupported(f"{where}.apiGroup", group, (_GROUP,))
    else:
        name = subject.get("name", "")
        for problem in dns_subdomain(name) if name else ():
            yield invalid_value(f"{where}.name", name, problem)
        if group:
            yield unsupported(f"{where}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):
            yield required(f"{where}.namespace")


def _fill_role(_call: Call, new: KubeObject, _old: KubeObject | None) -> None:
    # No rules are stored as nothing, however they were sent.
    new["rules"] = new.get("rules") or None


_ROLE = Traits(
    fill=_fill_role, check=_check_role, check_name=path_segment, may_create_by_update=True
)
_BINDING = Traits(
    complete=_complete_binding,
    check=_check_binding,
    check_name=path_segment,
    may_create_by_update=True,
)

TRAITS = {
    StorageKey(_GROUP, ROLES.plural): _ROLE,
    StorageKey(_GROUP, CLUSTER_ROLES.plural): _ROLE,
    StorageKey(_GROUP, ROLE_BINDINGS.plural): _BINDING,
    StorageKey(_GROUP, CLUSTER_ROLE_BINDINGS.plural): _BINDING,
}
