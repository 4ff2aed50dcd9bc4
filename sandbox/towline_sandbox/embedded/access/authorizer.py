"""May this user do that? Role-based access control over the stored roles and bindings."""

from dataclasses import dataclass

from towline_sandbox.embedded.access.attributes import Attributes, forbidden
from towline_sandbox.embedded.access.bindings import Bindings, say_missing
from towline_sandbox.embedded.access.rules import Rule
from towline_sandbox.embedded.access.stored_kinds import (
    CLUSTER_ROLE_BINDING_KEY,
    CLUSTER_ROLE_KEY,
    ROLE_BINDING_KEY,
    ROLE_KEY,
)
from towline_sandbox.embedded.access.wording import joined
from towline_sandbox.embedded.model.calls import MASTERS_GROUP, User
from towline_sandbox.embedded.storage.store import Store

_REMEMBERED = 20_000
_Question = tuple[str, tuple[str, ...], Attributes]


@dataclass(frozen=True, slots=True)
class Decision:
    """What authorization says.

    Args:
        allowed: Whether the user may.
        reason: Why, in Kubernetes' words; empty where it gives none.
    """

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HeldRules:
    """Every rule that a user holds.

    Args:
        rules: The rules.
        problems: Roles that are bound to the user but are not there.
    """

    rules: tuple[Rule, ...]
    problems: tuple[str, ...]


_MASTER_MAY = Decision(allowed=True)


class Authorizer:
    """Decides by the roles and bindings of a store.

    Answers are remembered until a role or binding changes.

    Args:
        store: Holds them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.bindings = Bindings(store)
        """Who holds what."""
        self._decided: dict[_Question, Decision] = {}
        self._decided_at: tuple[int, ...] = ()

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        """Return whether the user may do this, and why."""
        if MASTERS_GROUP in user.groups:
            return _MASTER_MAY
        last_change = self._store.last_change
        now = (
            last_change(CLUSTER_ROLE_KEY),
            last_change(CLUSTER_ROLE_BINDING_KEY),
            last_change(ROLE_KEY),
            last_change(ROLE_BINDING_KEY),
        )
        if now != self._decided_at or len(self._decided) > _REMEMBERED:
            self._decided.clear()
            self._decided_at = now
        question = (user.name, user.groups, attributes)
        decision = self._decided.get(question)
        if decision is None:
            decision = self._decided[question] = self._decide(user, attributes)
        return decision

    def check(self, user: User, attributes: Attributes) -> None:
        """Raise the refusal that Kubernetes gives unless the user may do this.

        Raises:
            ApiFailure: 403.
        """
        decision = self.authorize(user, attributes)
        if not decision.allowed:
            raise forbidden(user, attributes, reason=decision.reason)

    def held_rules(self, user: User, *, namespace: str) -> HeldRules:
        """Return all that a user holds everywhere, and in a namespace unless that is empty."""
        rules: list[Rule] = []
        problems: list[str] = []
        for grant in self.bindings.grants(user, namespace=namespace):
            if grant.rules is None:
                problems.append(say_missing(grant.binding.role, plural=True))
            else:
                rules.extend(grant.rules)
        return HeldRules(tuple(rules), tuple(problems))

    def _decide(self, user: User, attributes: Attributes) -> Decision:
        problems: list[str] = []
        for grant in self.bindings.grants(user, namespace=attributes.namespace):
            if grant.rules is None:
                problems.append(say_missing(grant.binding.role))
            elif any(rule.allows(attributes) for rule in grant.rules):
                return Decision(
                    allowed=True, reason=f"RBAC: allowed by {grant.binding.describe(user)}"
                )
        return Decision(allowed=False, reason=f"rbac: RBAC: {joined(problems)}" if problems else "")
