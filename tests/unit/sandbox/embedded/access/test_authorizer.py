"""Decisions from stored roles and bindings, as they come and go."""

import pytest

from support.policies import (
    ADMIN,
    ALICE,
    account,
    binding,
    group,
    put,
    role,
    rule,
    url_rule,
    user,
)
from towline_sandbox.embedded.access import Attributes, Authorizer
from towline_sandbox.embedded.access.stored_kinds import (
    CLUSTER_ROLE_BINDING_KEY,
    CLUSTER_ROLE_KEY,
)
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

READ_PODS = Attributes("get", resource="pods", namespace="ns1", name="p")


@pytest.fixture
def store() -> Store:
    """Return a store with a role that nobody holds yet."""
    return put(Store(), role("reader", rule("get list", "pods"), url_rule("get", "/logs/*")))


def test_nothing_is_allowed_without_a_binding(store: Store) -> None:
    """Rules only add, so no rule is no."""
    decision = Authorizer(store).authorize(ALICE, READ_PODS)
    assert not decision.allowed
    assert decision.reason == ""


@pytest.mark.parametrize(
    ("subject", "who"),
    [
        pytest.param(user("alice"), 'User "alice"', id="user"),
        pytest.param(group("devs"), 'Group "devs"', id="group"),
    ],
)
def test_a_cluster_role_binding_holds_everywhere_and_is_named(
    store: Store, subject: dict[str, str], who: str
) -> None:
    """Access reviews show the reason, and operators find the binding by it."""
    put(store, binding("b", "reader", user("bob"), subject))
    decision = Authorizer(store).authorize(ALICE, READ_PODS)
    assert decision.allowed
    assert decision.reason == (
        f'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to {who}'
    )
    assert Authorizer(store).authorize(ALICE, Attributes("list", resource="pods")).allowed


def test_a_role_binding_holds_in_its_namespace_only(store: Store) -> None:
    """Agents of one cluster must not reach into another's namespace."""
    put(store, binding("b", "reader", user("alice"), namespace="ns1"))
    authorizer = Authorizer(store)
    decision = authorizer.authorize(ALICE, READ_PODS)
    assert decision.allowed
    assert decision.reason == (
        'RBAC: allowed by RoleBinding "b/ns1" of ClusterRole "reader" to User "alice"'
    )
    elsewhere = Attributes("get", resource="pods", namespace="ns2", name="p")
    assert not authorizer.authorize(ALICE, elsewhere).allowed
    assert not authorizer.authorize(ALICE, Attributes("list", resource="pods")).allowed
    path = Attributes("get", path="/logs/x", is_resource=False)
    assert not authorizer.authorize(ALICE, path).allowed


def test_an_account_without_namespace_is_the_one_beside_the_binding(store: Store) -> None:
    """It may be left out in a RoleBinding, and stands for nobody in a ClusterRoleBinding."""
    agent = User("system:serviceaccount:ns1:agent", ("system:serviceaccounts",))
    put(store, binding("wide", "reader", account("agent")))
    authorizer = Authorizer(store)
    assert not authorizer.authorize(agent, READ_PODS).allowed
    put(store, binding("near", "reader", account("agent"), namespace="ns1"))
    assert authorizer.authorize(agent, READ_PODS).reason == (
        'RBAC: allowed by RoleBinding "near/ns1" of ClusterRole "reader" to '
        'ServiceAccount "agent/ns1"'
    )


def test_a_role_of_another_namespace_is_not_found(store: Store) -> None:
    """A Role can only be granted beside it."""
    put(
        store,
        role("local", rule("get", "pods"), namespace="ns2"),
        binding("b", "local", user("alice"), namespace="ns1", role_kind="Role"),
    )
    decision = Authorizer(store).authorize(ALICE, READ_PODS)
    assert not decision.allowed
    assert decision.reason == 'rbac: RBAC: role.rbac.authorization.k8s.io "local" not found'


def test_every_change_of_a_role_or_binding_is_noticed_at_once(store: Store) -> None:
    """Decisions are remembered, and nobody may keep what was taken away."""
    authorizer = Authorizer(store)
    assert not authorizer.authorize(ALICE, READ_PODS).allowed
    put(store, binding("b", "reader", user("alice")))
    assert authorizer.authorize(ALICE, READ_PODS).allowed

    reader = store.find(CLUSTER_ROLE_KEY, namespace=None, name="reader")
    assert reader is not None
    emptied = store.replace(
        CLUSTER_ROLE_KEY,
        {**reader, "rules": []},
        expected_revision=reader["metadata"]["resourceVersion"],
    )
    assert not authorizer.authorize(ALICE, READ_PODS).allowed
    store.replace(
        CLUSTER_ROLE_KEY,
        {**emptied, "rules": reader["rules"]},
        expected_revision=emptied["metadata"]["resourceVersion"],
    )
    assert authorizer.authorize(ALICE, READ_PODS).allowed

    bound = store.find(CLUSTER_ROLE_BINDING_KEY, namespace=None, name="b")
    assert bound is not None
    rebound = store.replace(
        CLUSTER_ROLE_BINDING_KEY,
        {**bound, "subjects": [user("bob")]},
        expected_revision=bound["metadata"]["resourceVersion"],
    )
    assert not authorizer.authorize(ALICE, READ_PODS).allowed
    assert authorizer.authorize(User("bob"), READ_PODS).allowed
    store.delete(
        CLUSTER_ROLE_BINDING_KEY,
        namespace=None,
        name="b",
        expected_revision=rebound["metadata"]["resourceVersion"],
    )
    assert not authorizer.authorize(User("bob"), READ_PODS).allowed


def test_bindings_are_found_again_after_their_watch_was_cut(store: Store) -> None:
    """A plane that restarts closes every watch, the authorizer's own among them."""
    authorizer = Authorizer(store)
    assert not authorizer.authorize(ALICE, READ_PODS).allowed
    store.end_watches()
    put(store, binding("b", "reader", user("alice")))
    assert authorizer.authorize(ALICE, READ_PODS).allowed


def test_masters_may_do_everything_without_a_rule(store: Store) -> None:
    """Somebody has to be able to repair the rules."""
    decision = Authorizer(store).authorize(ADMIN, READ_PODS)
    assert decision.allowed
    assert decision.reason == ""


@pytest.mark.parametrize(
    ("wanted", "message", "details"),
    [
        pytest.param(
            Attributes("get", "apps", "v1", "deployments", "scale", "ns1", "d"),
            'deployments.apps "d" is forbidden: User "a<b" cannot get resource '
            '"deployments/scale" in API group "apps" in the namespace "ns1"',
            {"name": "d", "group": "apps", "kind": "deployments"},
            id="object",
        ),
        pytest.param(
            Attributes("list", resource="nodes"),
            'nodes is forbidden: User "a<b" cannot list resource "nodes" in API group "" at the '
            "cluster scope",
            {"kind": "nodes"},
            id="list",
        ),
        pytest.param(
            Attributes.of_path("GET", "/x?"),
            'forbidden: User "a<b" cannot get path "/x?"',
            {},
            id="path",
        ),
    ],
)
def test_a_refusal_says_who_may_not_do_what_where(
    wanted: Attributes, message: str, details: dict[str, str]
) -> None:
    """Operators write the missing rule from this sentence."""
    with pytest.raises(ApiFailure) as failure:
        Authorizer(Store()).check(User("a<b"), wanted)
    assert failure.value.status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message.replace("<", "&lt;"),
        "reason": "Forbidden",
        "details": details,
        "code": 403,
    }
