"""The roles and bindings that every cluster starts with, as far as somebody here may need them.

What Kubernetes grants to its own programs is left out: the scheduler, the controllers and the
nodes are not here, and the plane's own controllers do not ask for permission.
"""

from collections.abc import Iterator
from pathlib import Path

import orjson

from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLES,
    KubeObject,
    Resource,
)

POLICY_FILE = Path(__file__).parent / "data" / "bootstrap_policy.json"
"""Written by `collect_policy`."""

LABEL = "kubernetes.io/bootstrapping"
LABEL_VALUE = "rbac-defaults"
"""What all of them carry."""

_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_CORE = "core"
_GROUP = CLUSTER_ROLES.group


def objects() -> list[KubeObject]:
    """Return the objects, to be created when a plane starts; roles come before bindings.

    Each stands in a namespace that a cluster has from the start, or in none.
    """
    policy = orjson.loads(POLICY_FILE.read_bytes())
    return [
        *(_cluster_role(name, entry) for name, entry in policy["clusterRoles"].items()),
        *(_role(place, entry) for place, entry in policy["roles"].items()),
        *(_cluster_binding(name, subjects) for name, subjects in policy["bindings"].items()),
    ]


def compact(roles: Iterator[KubeObject], bindings: Iterator[KubeObject]) -> KubeObject:
    """Return roles and bindings in the form of the file: what all of them share is left out.

    Args:
        roles: ClusterRoles, and Roles after them.
        bindings: ClusterRoleBindings to ClusterRoles of their own names.
    """
    policy: KubeObject = {"clusterRoles": {}, "roles": {}, "bindings": {}}
    for role in roles:
        metadata = role["metadata"]
        rules = [_compact_rule(rule) for rule in role["rules"]]
        if "namespace" in metadata:
            policy["roles"][f"{metadata['namespace']}/{metadata['name']}"] = {"rules": rules}
            continue
        joined = [
            label.removeprefix(_AGGREGATE)
            for label in sorted(metadata["labels"])
            if label.startswith(_AGGREGATE)
        ]
        gathered = [
            label.removeprefix(_AGGREGATE)
            for selector in role.get("aggregationRule", {}).get("clusterRoleSelectors", ())
            for label in selector["matchLabels"]
        ]
        policy["clusterRoles"][metadata["name"]] = {
            **({"joins": joined} if joined else {}),
            **({"gathers": gathered} if gathered else {}),
            "rules": rules,
        }
    for binding in bindings:
        policy["bindings"][binding["metadata"]["name"]] = [
            subject["name"] for subject in binding["subjects"]
        ]
    return policy


def _compact_rule(rule: KubeObject) -> list[str]:
    verbs = " ".join(rule["verbs"])
    if "nonResourceURLs" in rule:
        return [verbs, " ".join(rule["nonResourceURLs"])]
    groups = " ".join(group or _CORE for group in rule["apiGroups"])
    names = [" ".join(rule["resourceNames"])] if "resourceNames" in rule else []
    return [verbs, groups, " ".join(rule["resources"]), *names]


def _expand_rule(entry: list[str]) -> KubeObject:
    verbs, *rest = (part.split(" ") for part in entry)
    if len(rest) == 1:
        return {"verbs": verbs, "nonResourceURLs": rest[0]}
    groups, resources, *names = rest
    return {
        "verbs": verbs,
        "apiGroups": ["" if group == _CORE else group for group in groups],
        "resources": resources,
        **({"resourceNames": names[0]} if names else {}),
    }


def _cluster_role(name: str, entry: KubeObject) -> KubeObject:
    role = _object(CLUSTER_ROLES, name)
    for joined in entry.get("joins", ()):
        role["metadata"]["labels"][f"{_AGGREGATE}{joined}"] = "true"
    role["rules"] = [_expand_rule(rule) for rule in entry["rules"]]
    if "gathers" in entry:
        role["aggregationRule"] = {
            "clusterRoleSelectors": [
                {"matchLabels": {f"{_AGGREGATE}{gathered}": "true"}}
                for gathered in entry["gathers"]
            ]
        }
    return role


def _role(place: str, entry: KubeObject) -> KubeObject:
    namespace, _, name = place.partition("/")
    role = _object(ROLES, name)
    role["metadata"]["namespace"] = namespace
    role["rules"] = [_expand_rule(rule) for rule in entry["rules"]]
    return role


def _cluster_binding(name: str, groups: list[str]) -> KubeObject:
    binding = _object(CLUSTER_ROLE_BINDINGS, name)
    binding["subjects"] = [{"kind": "Group", "apiGroup": _GROUP, "name": group} for group in groups]
    binding["roleRef"] = {"apiGroup": _GROUP, "kind": "ClusterRole", "name": name}
    return binding


def _object(resource: Resource, name: str) -> KubeObject:
    return {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {
            "name": name,
            "labels": {LABEL: LABEL_VALUE},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
    }
