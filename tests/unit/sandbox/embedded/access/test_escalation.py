"""Writes of roles and bindings by those who hold less, and the ways around that are meant to be."""

import pytest

from support.kinds import call_for
from support.policies import (
    ADMIN,
    ALICE,
    binding,
    group,
    put,
    resource_of,
    role,
    rule,
    user,
)
from towline_api.resources import ROLES, KubeObject
from towline_sandbox.embedded.access import Authorizer, EscalationCheck
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

RBAC = (ROLES.group,)
READ_SECRETS = rule("get", "secrets")
WIDE = role("wide", READ_SECRETS)


def _store(*rules: KubeObject) -> Store:
    return put(Store(), WIDE, role("own", *rules), binding("own", "own", group("devs")))


async def _write(
    store: Store, new: KubeObject, *, old: KubeObject | None = None, by: User = ALICE
) -> None:
    namespace = new["metadata"].get("namespace")
    name = new["metadata"]["name"] if old is not None else None
    call = call_for(
        resource_of(new), "update" if old else "create", by, namespace=namespace, name=name
    )
    await EscalationCheck(Authorizer(store))(call, new, old)


async def _refusal(store: Store, new: KubeObject, *, old: KubeObject | None = None) -> ApiFailure:
    with pytest.raises(ApiFailure) as failure:
        await _write(store, new, old=old)
    return failure.value


async def test_a_role_may_grant_what_its_writer_holds() -> None:
    """Passing on is no gain."""
    await _write(_store(READ_SECRETS), role("new", READ_SECRETS, namespace="ns1"))


async def test_a_role_may_not_grant_more() -> None:
    """The refusal says what is missing, and who asked."""
    failure = await _refusal(_store(rule("get", "pods")), role("new", READ_SECRETS))
    assert failure.code == 403
    assert failure.message == (
        'clusterroles.rbac.authorization.k8s.io "new" is forbidden: user "alice" '
        '(groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not '
        'currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )


async def test_a_right_held_in_one_namespace_is_not_held_in_another() -> None:
    """Nor everywhere."""
    store = put(Store(), WIDE, binding("b", "wide", user("alice"), namespace="ns1"))
    await _write(store, role("new", READ_SECRETS, namespace="ns1"))
    await _refusal(store, role("new", READ_SECRETS, namespace="ns2"))
    await _refusal(store, role("new", READ_SECRETS))


@pytest.mark.parametrize(
    ("allowance", "new"),
    [
        pytest.param(
            rule("escalate", "clusterroles", groups=RBAC),
            role("new", READ_SECRETS),
            id="escalate-role",
        ),
        pytest.param(
            rule("bind", "clusterroles", groups=RBAC, names=("wide",)),
            binding("new", "wide", user("bob")),
            id="bind-this-role",
        ),
        pytest.param(
            rule("bind", "clusterroles", groups=RBAC),
            binding("new", "wide", user("bob"), namespace="ns1"),
            id="bind-in-a-namespace",
        ),
    ],
)
async def test_escalate_and_bind_are_rights_of_their_own(
    allowance: KubeObject, new: KubeObject
) -> None:
    """How a controller grants what it does not hold itself: the hub works this way."""
    await _refusal(_store(), new)
    await _write(_store(allowance), new)


async def test_bind_on_one_role_is_not_bind_on_another() -> None:
    """A right with names holds for these alone."""
    store = _store(rule("bind", "clusterroles", groups=RBAC, names=("other",)))
    await _refusal(store, binding("new", "wide", user("bob")))


async def test_binding_a_role_that_is_not_there_is_not_found() -> None:
    """With Kubernetes' words, which call the role a binding."""
    failure = await _refusal(_store(), binding("new", "missing", user("bob")))
    assert failure.code == 404
    assert failure.message == ('clusterrolebindings.rbac.authorization.k8s.io "missing" not found')


async def test_an_aggregation_rule_takes_full_authority() -> None:
    """It may gather anything, later."""
    gathering = {
        **role("new"),
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }
    failure = await _refusal(_store(rule("get", "pods")), gathering)
    assert failure.message.endswith("must have cluster-admin privileges to use the aggregationRule")
    failure = await _refusal(_store(), role("new"), old=gathering)
    assert failure.message.endswith("must have cluster-admin privileges to use the aggregationRule")


async def test_cleaning_up_needs_no_rights_of_the_role() -> None:
    """Garbage collection takes finalizers off roles that it could never grant."""
    old = {**WIDE, "metadata": {"name": "wide", "resourceVersion": "1"}}
    cleaned = {"name": "wide", "resourceVersion": "1", "finalizers": ["example.com/x"]}
    await _write(_store(), {**old, "metadata": cleaned}, old=old)
    labelled = {"name": "wide", "resourceVersion": "1", "labels": {"a": "b"}}
    await _refusal(_store(), {**old, "metadata": labelled}, old=old)


async def test_masters_grant_what_they_like() -> None:
    """They could do everything anyway."""
    await _write(Store(), role("new", rule("*", "*", groups=("*",))), by=ADMIN)


async def test_roles_bound_to_the_writer_that_are_gone_are_told() -> None:
    """They may be why something is missing."""
    store = put(Store(), binding("lost", "gone", user("alice")))
    failure = await _refusal(store, role("new", READ_SECRETS))
    assert failure.message.endswith(
        '; resolution errors: [clusterroles.rbac.authorization.k8s.io "gone" not found]'
    )


async def test_a_name_that_the_server_made_up_is_not_told() -> None:
    """In Kubernetes it does not exist yet when escalation is checked."""
    generated = {**role("new-x7k2p", READ_SECRETS)}
    generated["metadata"] = {"name": "new-x7k2p", "generateName": "new-"}
    failure = await _refusal(_store(), generated)
    assert failure.message.startswith("clusterroles.rbac.authorization.k8s.io is forbidden: user")
    assert "name" not in failure.details
