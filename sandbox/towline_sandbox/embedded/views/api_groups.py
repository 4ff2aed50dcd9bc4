"""The order in which API groups and their versions are told about."""

import re
from collections.abc import Iterable

from towline_sandbox.embedded.model.kinds import GroupVersion

_BUILT_IN = (
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
)

_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_MATURITY = {None: 2, "beta": 1, "alpha": 0}

Groups = dict[str, list[GroupVersion]]
"""Groups in order, each with its versions in order: the preferred one first."""


def is_built_in(group: str) -> bool:
    """Tell whether Kubernetes itself has a group of this name."""
    return not group or group in _BUILT_IN


def in_order(served: Iterable[GroupVersion], *, by_name: bool = False) -> Groups:
    """Return the groups that are served, Kubernetes' own first.

    Args:
        served: Their versions, in any order and with repetitions.
        by_name: Whether the others follow by name, as in aggregated discovery. In the older
            documents they follow by the first of their versions, written before the group.
    """
    groups: Groups = {}
    for found in sorted(set(served), key=lambda each: version_order(each.version)):
        groups.setdefault(found.group, []).append(found)

    def place(group: str) -> tuple[int, str]:
        if group in _BUILT_IN:
            return _BUILT_IN.index(group), ""
        first = min(f"{each.version}.{group}" for each in groups[group])
        return len(_BUILT_IN), group if by_name else first

    return {group: groups[group] for group in sorted(groups, key=place) if group}


def version_order(version: str) -> tuple[int, int, int, int, str]:
    """Return what sorts versions as Kubernetes does: v2, v1, v1beta1, v1alpha1, then the others."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return 1, 0, 0, 0, version
    major, maturity, minor = found.groups()
    return 0, -_MATURITY[maturity], -int(major), -int(minor or 0), version
