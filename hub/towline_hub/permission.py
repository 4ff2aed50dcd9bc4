"""What an add-on's agent may do on the hub, in three forms, none of which reaches other clusters.

A permission holds in the namespace of the agent's own cluster, there limited to named objects if
names are given, or in one namespace that all clusters share. Whatever would let an agent take more
than it was given is refused when the permission is made, long before anybody is granted anything:

* wildcards, and verbs beside the eight that act on objects (`bind`, `escalate`, `impersonate`,
  `approve`, `sign` and `use` hand out somebody else's rights);
* Secrets that are not named, since a namespace's Secrets are everybody's credentials;
* whatever makes tokens, runs pods or reaches into them: a pod may run as any service account of its
  namespace;
* changing RBAC, and anything about certificate requests.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from towline_api import names as wire_names
from towline_api.dns_names import is_dns_label, is_dns_subdomain
from towline_api.errors import ConfigError
from towline_api.resources import (
    ADDON_GROUP,
    CERTIFICATE_SIGNING_REQUESTS,
    MANAGED_CLUSTER_ADDONS,
    RBAC_GROUP,
    REGISTER_GROUP,
)
from towline_hub.clusters.rbac import Rule, rule

READ_VERBS = ("get", "list", "watch")
VERBS = (*READ_VERBS, "create", "update", "patch", "delete", "deletecollection")
"""What can be granted."""

_READS = frozenset(READ_VERBS)
_NOT_BY_NAME = frozenset({"create", "deletecollection"})
_RESOURCE = re.compile(r"[a-z][a-z0-9-]*(?:/[a-z][a-z0-9-]*)?")
_RUNS_PODS = {
    "": frozenset({"pods", "replicationcontrollers"}),
    "apps": frozenset({"deployments", "daemonsets", "statefulsets", "replicasets"}),
    "batch": frozenset({"jobs", "cronjobs"}),
}
_REACHES_INTO_PODS = frozenset(
    {
        "pods/attach",
        "pods/ephemeralcontainers",
        "pods/exec",
        "pods/portforward",
        "pods/proxy",
        "services/proxy",
        "nodes/proxy",
    }
)
_MAKES_TOKENS = "serviceaccounts/token"
_KUBERNETES_PREFIX = "kube-"
_OWN_NAMESPACES = frozenset({wire_names.HUB_NAMESPACE, wire_names.AGENT_NAMESPACE})


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on kinds of objects in one namespace; make it with `role`.

    Args:
        resources: Plurals, with `/subresource` where one is meant.
        verbs: What may be done; some of `VERBS`.
        group: API group; empty for the core group.
        names: Names of the objects it is limited to; empty for all.
        namespace: The namespace shared by all clusters; None for the cluster's own.

    Raises:
        ConfigError: It would let an agent take more than it was given, or grants nothing.
    """

    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    group: str = ""
    names: tuple[str, ...] = ()
    namespace: str | None = None

    def __post_init__(self) -> None:
        problem = _find_problem(self)
        if problem is not None:
            raise ConfigError(f"permission {self}: {problem}")

    def __str__(self) -> str:
        """Return what is granted, for messages: `get configmaps in the cluster's namespace`."""
        suffix = f".{self.group}" if self.group else ""
        kinds = ", ".join(f"{resource}{suffix}" for resource in self.resources) or "nothing"
        named = f" named {', '.join(map(repr, self.names))}" if self.names else ""
        where = f"namespace {self.namespace}" if self.namespace else "the cluster's namespace"
        return f"{', '.join(self.verbs) or 'no verb'} {kinds}{named} in {where}"

    @property
    def rule(self) -> Rule:
        """The same as an entry of a Role's `rules`."""
        return rule(self.group, self.resources, self.verbs, only=self.names)

    def writes(self, resource: str, *, group: str = "") -> bool:
        """Return whether objects of a kind, or their status, can be changed by this."""
        kinds = {entry.partition("/")[0] for entry in self.resources}
        return self.group == group and resource in kinds and bool(set(self.verbs) - _READS)


def role(
    resources: str | Iterable[str],
    *,
    verbs: Sequence[str],
    group: str = "",
    names: Iterable[str] = (),
    namespace: str | None = None,
) -> Permission:
    """Return a permission for each agent of an add-on.

    Args:
        resources: One plural or several, for example `configmaps`; `leases/status` for a
            subresource.
        verbs: What may be done: get, list, watch, create, update, patch, delete, deletecollection.
        group: API group, for example `apps`; empty for the core group.
        names: Names of the objects it is limited to. Listing and watching then works for one of
            them at a time, by the field selector `metadata.name`.
        namespace: One namespace that the agents of all clusters share; by default each has its
            rights in the namespace of its own cluster only.

    Raises:
        ConfigError: It would let an agent take more than it was given, or grants nothing.
    """
    return Permission(
        resources=(resources,) if isinstance(resources, str) else tuple(resources),
        verbs=(verbs,) if isinstance(verbs, str) else tuple(verbs),
        group=group,
        names=tuple(names),
        namespace=namespace,
    )


def _find_problem(wanted: Permission) -> str | None:
    return _malformed(wanted) or _escalating(wanted) or _not_by_name(wanted)


def _malformed(wanted: Permission) -> str | None:
    for what, given in (("resource", wanted.resources), ("verb", wanted.verbs)):
        if not given:
            return f"it names no {what}; name at least one"
        if len(set(given)) < len(given):
            return f"it names a {what} twice"
    for value in (wanted.group, *wanted.resources, *wanted.verbs, *wanted.names):
        if "*" in value:
            return f"{value!r} is a wildcard; name each one that is needed"
    for verb in wanted.verbs:
        if verb not in VERBS:
            return f"the verb {verb!r} cannot be granted; expected some of {', '.join(VERBS)}"
    for resource in wanted.resources:
        if _RESOURCE.fullmatch(resource) is None:
            return (
                f"{resource!r} is not a resource; expected a plural in lower case such as "
                "'configmaps', or 'plural/subresource'"
            )
    if wanted.group and not is_dns_subdomain(wanted.group):
        return f"{wanted.group!r} is not an API group; leave the version out"
    for name in wanted.names:
        if not name or "/" in name or "%" in name or name in (".", ".."):
            return f"{name!r} is not the name of an object"
    return None if wanted.namespace is None else _wrong_namespace(wanted.namespace)


def _wrong_namespace(namespace: str) -> str | None:
    if not is_dns_label(namespace):
        return f"{namespace!r} is not the name of a namespace"
    if namespace.startswith(_KUBERNETES_PREFIX) or namespace in _OWN_NAMESPACES:
        return (
            f"namespace {namespace} belongs to the hub itself; put what agents share into a "
            "namespace of its own"
        )
    return None


def _escalating(wanted: Permission) -> str | None:
    changes = bool(set(wanted.verbs) - _READS)
    group, kinds = wanted.group, set(wanted.resources)
    plurals = {kind.partition("/")[0] for kind in kinds}
    if group in (CERTIFICATE_SIGNING_REQUESTS.group, REGISTER_GROUP):
        return f"rights about certificates ({group}) are the hub's to grant, not an add-on's"
    if group == RBAC_GROUP and changes:
        return "whoever changes roles and bindings hands out rights; leave this to the hub"
    if group == "":
        if _MAKES_TOKENS in kinds:
            return "whoever makes tokens becomes any service account of the namespace"
        if reaching := sorted(kinds & _REACHES_INTO_PODS):
            return f"{reaching[0]} is as good as what runs there, with all its rights"
        if "secrets" in plurals and not wanted.names:
            return (
                "Secrets have to be named: all Secrets of a namespace are everybody's credentials "
                "there"
            )
        if "serviceaccounts" in plurals and changes:
            return "whoever changes service accounts changes who has which rights"
        if "namespaces" in plurals and changes:
            return "namespaces are the hub's; a cluster's own holds everything about the cluster"
    if changes and plurals & _RUNS_PODS.get(group, frozenset()):
        return "whoever runs pods on the hub runs them as any service account of the namespace"
    return None


def _not_by_name(wanted: Permission) -> str | None:
    unlimited = sorted(_NOT_BY_NAME.intersection(wanted.verbs))
    if wanted.names and unlimited:
        return (
            f"Kubernetes cannot limit {unlimited[0]} to names; grant it in a permission of its own "
            "without names, or leave it out"
        )
    return None


def find_foreign_addons(wanted: Permission, *, addon: str) -> str | None:
    """Return why a permission would give an add-on power over others; None if it does not.

    A ManagedClusterAddOn says which identities its agent gets, so an agent may change its own only.
    """
    if not wanted.writes(MANAGED_CLUSTER_ADDONS.plural, group=ADDON_GROUP):
        return None
    if wanted.names == (addon,):
        return None
    return (
        f"permission {wanted}: whoever changes other add-ons decides on their identities; limit "
        f"it to names=[{addon!r}]"
    )
