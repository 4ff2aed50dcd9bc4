"""Every single right that roles hold, however their rules group them. Pure."""

from collections.abc import Iterable
from itertools import product

from towline_api.metadata import namespace_of
from towline_api.resources import KubeObject
from towline_kube.access import ResourceAttributes


def rights_of(roles: Iterable[KubeObject]) -> list[ResourceAttributes]:
    """Return every single right of some ClusterRoles and Roles; other objects are passed over.

    A Role counts in its own namespace, a ClusterRole everywhere.
    """
    found = {
        ResourceAttributes(
            verb,
            group,
            resource.partition("/")[0],
            resource.partition("/")[2],
            name,
            namespace_of(role) or "",
        )
        for role in roles
        for rule in role.get("rules") or ()
        for group, resource, verb, name in product(
            rule.get("apiGroups") or (),  # rules about URLs have none
            rule.get("resources") or (),
            rule["verbs"],
            rule.get("resourceNames") or ("",),
        )
    }
    return sorted(found, key=lambda right: tuple(right.to_json().items()))
