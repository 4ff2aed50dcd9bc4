"""Nobody grants what they do not hold: the check on writes of roles and bindings.

Kubernetes makes it before it looks at whether the object is valid.
"""

from collections.abc import Iterable
from typing import Any

from towline_api.resources import CLUSTER_ROLES, ROLES, KubeObject
from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.authorizer import Authorizer
from towline_sandbox.embedded.access.rules import EVERYTHING, Rule, find_missing
from towline_sandbox.embedded.access.stored_kinds import (
    CLUSTER_ROLE_BINDING_KEY,
    CLUSTER_ROLE_KEY,
    ROLE_BINDING_KEY,
    ROLE_KEY,
)
from towline_sandbox.embedded.access.subject_index import RoleReference
from towline_sandbox.embedded.access.wording import joined, quoted, quoted_list
from towline_sandbox.embedded.model.calls import MASTERS_GROUP, Call
from towline_sandbox.embedded.model.failures import forbidden, not_found

_ROLES = (ROLE_KEY, CLUSTER_ROLE_KEY)
_BINDINGS = (ROLE_BINDING_KEY, CLUSTER_ROLE_BINDING_KEY)
# Written by whoever removes things, who need not hold what the role grants.
_CLEANERS_FIELDS = ("ownerReferences", "finalizers", "managedFields")
_GENERATED = 5  # letters that the server adds to `generateName`


class EscalationCheck:
    """Refuses roles and bindings that grant more than their writer holds.

    Args:
        authorizer: Knows what everybody holds.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def __call__(self, call: Call, new: KubeObject | None, old: KubeObject | None) -> None:
        """Check a write; an Admission.

        Raises:
            ApiFailure: 403, the writer may not grant that; 404, there is no such role to bind.
        """
        key = call.kind.storage_key
        if new is None or MASTERS_GROUP in call.user.groups:
            return
        if key not in _ROLES and key not in _BINDINGS:
            return
        if old is not None and _without_cleaners(old) == _without_cleaners(new):
            return
        if key in _ROLES:
            self._check_role(call, new, old)
        else:
            self._check_binding(call, new)

    def _check_role(self, call: Call, new: KubeObject, old: KubeObject | None) -> None:
        resource = call.kind.resource
        may_escalate = Attributes(
            "escalate",
            group=resource.group,
            version="*",
            resource=resource.plural,
            namespace=call.namespace or "",
            name=call.name or "",
        )
        if self._authorizer.authorize(call.user, may_escalate).allowed:
            return
        self._check_rules(call, new, [Rule.parse(rule) for rule in new.get("rules") or ()])
        if not (_gathers(new) or _gathers(old)):
            return
        held = self._authorizer.held_rules(call.user, namespace="")
        if find_missing(held.rules, EVERYTHING):
            raise forbidden(
                resource,
                _given_name(call, new),
                "must have cluster-admin privileges to use the aggregationRule",
            )

    def _check_binding(self, call: Call, new: KubeObject) -> None:
        role = RoleReference.parse(new)
        resource = {"ClusterRole": CLUSTER_ROLES, "Role": ROLES}.get(role.kind)
        if resource is None:
            return  # not valid, as will be found next
        may_bind = Attributes(
            "bind",
            group=(new.get("roleRef") or {}).get("apiGroup", ""),
            version="*",
            resource=resource.plural,
            namespace=call.namespace or "",
            name=role.name,
        )
        if self._authorizer.authorize(call.user, may_bind).allowed:
            return
        rules = self._authorizer.bindings.rules_of(role, namespace=call.namespace or "")
        if rules is None:
            # Kubernetes names the role, but calls it a binding.
            raise not_found(call.kind.resource, role.name)
        self._check_rules(call, new, rules)

    def _check_rules(self, call: Call, new: KubeObject, rules: Iterable[Rule]) -> None:
        held = self._authorizer.held_rules(call.user, namespace=call.namespace or "")
        missing = find_missing(held.rules, rules)
        if not missing:
            return
        described = "\n".join(sorted({rule.describe() for rule in missing}))
        message = (
            f"user {quoted(call.user.name)} (groups={quoted_list(call.user.groups)}) is attempting "
            f"to grant RBAC permissions not currently held:\n{described}"
        )
        if held.problems:
            message += f"; resolution errors: [{joined(held.problems)}]"
        raise forbidden(call.kind.resource, _given_name(call, new), message)


def _given_name(call: Call, new: KubeObject) -> str | None:
    """Return the object's name unless the server made it up: that comes later in Kubernetes."""
    metadata = new["metadata"]
    base, name = metadata.get("generateName"), metadata["name"]
    is_generated = bool(base) and call.name is None and len(name) == len(base) + _GENERATED
    return None if is_generated and name.startswith(base) else str(name)


def _gathers(role: KubeObject | None) -> bool:
    rule = (role or {}).get("aggregationRule") or {}
    return bool(rule.get("clusterRoleSelectors"))


def _without_cleaners(obj: KubeObject) -> dict[str, Any]:
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _CLEANERS_FIELDS}
    metadata.pop("resourceVersion", None)
    return {**obj, "metadata": metadata}
