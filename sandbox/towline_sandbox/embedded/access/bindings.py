"""Who holds which rules: bindings joined with the roles they name."""

from collections.abc import Iterator
from dataclasses import dataclass

from towline_api.resources import CLUSTER_ROLES, ROLES, KubeObject
from towline_sandbox.embedded.access.rules import Rule
from towline_sandbox.embedded.access.stored_kinds import (
    CLUSTER_ROLE_BINDING_KEY,
    CLUSTER_ROLE_KEY,
    ROLE_BINDING_KEY,
    ROLE_KEY,
)
from towline_sandbox.embedded.access.subject_index import Binding, RoleReference, SubjectIndex
from towline_sandbox.embedded.access.wording import quoted
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.storage.store import Store

_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Grant:
    """Rules that a user holds through one binding.

    Args:
        binding: The binding.
        rules: Rules of the role that it names; None if there is no such role.
    """

    binding: Binding
    rules: tuple[Rule, ...] | None


class Bindings:
    """The bindings and roles of a store, kept in a form that is quick to search.

    Args:
        store: Holds them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cluster_wide = SubjectIndex(store, CLUSTER_ROLE_BINDING_KEY)
        self._in_namespaces = SubjectIndex(store, ROLE_BINDING_KEY)
        self._parsed: dict[tuple[str, str, str], tuple[KubeObject, tuple[Rule, ...]]] = {}

    def grants(self, user: User, *, namespace: str) -> Iterator[Grant]:
        """Return what a user holds: everywhere, and in a namespace unless that is empty."""
        for binding in self._cluster_wide.find(user):
            yield Grant(binding, self.rules_of(binding.role, namespace=""))
        if namespace:
            for binding in self._in_namespaces.find(user, namespace=namespace):
                yield Grant(binding, self.rules_of(binding.role, namespace=namespace))

    def rules_of(self, role: RoleReference, *, namespace: str) -> tuple[Rule, ...] | None:
        """Return the rules of a role, or None if there is no such role.

        Args:
            role: What to look for.
            namespace: Of the binding; a Role has to be in it.
        """
        match role.kind:
            case "ClusterRole":
                key, home = CLUSTER_ROLE_KEY, None
            case "Role":
                key, home = ROLE_KEY, namespace
            case _:
                return None
        stored = self._store.find(key, namespace=home, name=role.name)
        if stored is None:
            return None
        place = (role.kind, home or "", role.name)
        known = self._parsed.get(place)
        # Stored objects are never changed, so the same object has the same rules.
        if known is None or known[0] is not stored:
            if len(self._parsed) >= _REMEMBERED:
                self._parsed.clear()
            known = stored, tuple(Rule.parse(rule) for rule in stored.get("rules") or ())
            self._parsed[place] = known
        return known[1]


def say_missing(role: RoleReference, *, plural: bool = False) -> str:
    """Return the sentence for a binding's role that is not there.

    Args:
        role: What is missing.
        plural: Kubernetes' caches name it in the singular, its storage in the plural.
    """
    resource = CLUSTER_ROLES if role.kind == "ClusterRole" else ROLES
    name = resource.plural if plural else resource.kind.lower()
    return f"{name}.{resource.group} {quoted(role.name)} not found"
