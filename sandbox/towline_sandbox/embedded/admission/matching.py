"""Which calls a policy is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from towline_api.resources import KubeObject, Resource

_EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Target:
    """What a call does, as policies match it.

    Args:
        resource: What it is about, in the caller's version.
        subresource: Empty for the object itself.
        operation: `CREATE`, `UPDATE` or `DELETE`.
        name: Name of the object.
        namespace: Namespace of the object; None if it has none.
        namespace_object: That namespace as it is stored; a Namespace stands for itself.
        objects: The new and the old object, those there are.
        versions: All versions the kind is served in.
    """

    resource: Resource
    subresource: str
    operation: str
    name: str
    namespace: str | None
    namespace_object: KubeObject | None
    objects: Sequence[KubeObject]
    versions: Sequence[str]


def matched_version(constraints: KubeObject, target: Target) -> str | None:
    """Return the version in which `matchConstraints` or `matchResources` match; None if not."""
    if not _is_selected(constraints, target):
        return None
    is_equivalent = constraints.get("matchPolicy", "Equivalent") == "Equivalent"
    others = target.versions if is_equivalent else ()
    # The caller's own version is the best match.
    versions = list(dict.fromkeys((target.resource.version, *others)))
    for rule in constraints.get("excludeResourceRules") or ():
        if any(_rule_matches(rule, target, version) for version in versions):
            return None
    rules = constraints.get("resourceRules")
    if rules is None:
        return target.resource.version
    return next(
        (version for version in versions for rule in rules if _rule_matches(rule, target, version)),
        None,
    )


def selects(selector: KubeObject | None, labels: Mapping[str, str]) -> bool:
    """Return whether a label selector, as it stands in objects, selects these labels."""
    if not selector:
        return True
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(term, labels) for term in selector.get("matchExpressions") or ())


def _holds(term: KubeObject, labels: Mapping[str, str]) -> bool:
    found = labels.get(term["key"])
    values = term.get("values") or ()
    match term["operator"]:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case _:
            return found is None


def _is_selected(constraints: KubeObject, target: Target) -> bool:
    namespace_selector = constraints.get("namespaceSelector")
    if target.namespace_object is not None and not selects(
        namespace_selector, _labels(target.namespace_object)
    ):
        return False
    object_selector = constraints.get("objectSelector")
    return any(selects(object_selector, _labels(obj)) for obj in target.objects)


def _labels(obj: KubeObject) -> Mapping[str, str]:
    return obj.get("metadata", {}).get("labels") or {}


def _rule_matches(rule: KubeObject, target: Target, version: str) -> bool:
    resource = target.resource
    names = rule.get("resourceNames") or ()
    return (
        _any_of(rule.get("operations"), target.operation)
        and _any_of(rule.get("apiGroups"), resource.group)
        and _any_of(rule.get("apiVersions"), version)
        and any(_is_resource(each, target) for each in rule.get("resources") or ())
        and _is_in_scope(rule.get("scope", _EVERYTHING), target)
        and (not names or target.name in names)
    )


def _any_of(wanted: Sequence[str] | None, found: str) -> bool:
    return bool(wanted) and (_EVERYTHING in (wanted or ()) or found in (wanted or ()))


def _is_resource(pattern: str, target: Target) -> bool:
    plural, _, subresource = pattern.partition("/")
    return plural in (_EVERYTHING, target.resource.plural) and (
        subresource == target.subresource or (subresource == _EVERYTHING)
    )


def _is_in_scope(scope: str, target: Target) -> bool:
    match scope:
        case "Namespaced":
            return target.namespace is not None
        case "Cluster":
            return target.namespace is None
        case _:
            return True
