"""Stored policies judge writes as the real server lets them."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from towline_api.resources import CONFIG_MAPS, MANAGED_CLUSTERS, KubeObject, Resource
from towline_hub.clusters.acceptance_guard import acceptance_guard
from towline_sandbox.embedded.access.attributes import Attributes
from towline_sandbox.embedded.access.authorizer import Decision
from towline_sandbox.embedded.admission.policies import BINDING_KEY, POLICY_KEY, PolicyAdmission
from towline_sandbox.embedded.model.calls import Call, User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Catalog, Kind, StorageKey
from towline_sandbox.embedded.storage.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGENT = User("system:open-cluster-management:c1:agent", ("system:authenticated",))
OWNER = User("owner", ("system:authenticated",))


class Asked:
    """An authorizer that allows one user everything and remembers what it was asked."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, Attributes]] = []

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        self.questions.append((user.name, attributes))
        return Decision(allowed=user == OWNER)


class Plane:
    """A store with policies, and writes that they judge."""

    def __init__(self) -> None:
        self.store = Store()
        self.authorizer = Asked()
        self.admission = PolicyAdmission(self.store, Catalog(), self.authorizer)

    def add(self, policy: KubeObject, binding: KubeObject) -> None:
        self.store.create(POLICY_KEY, policy)
        self.store.create(BINDING_KEY, binding)

    def add_rule(self, spec: KubeObject, *, actions: tuple[str, ...] = ("Deny",)) -> None:
        """Add a policy about ConfigMaps, bound."""
        everything = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["configmaps"],
        }
        self.add(
            {
                "metadata": {"name": "p"},
                "spec": {"matchConstraints": {"resourceRules": [everything]}, **spec},
            },
            {
                "metadata": {"name": "b"},
                "spec": {"policyName": "p", "validationActions": list(actions)},
            },
        )

    async def write(
        self,
        new: KubeObject | None,
        old: KubeObject | None = None,
        *,
        resource: Resource = CONFIG_MAPS,
        user: User = OWNER,
        subresource: str = "",
    ) -> list[str]:
        """Write, and return the warnings."""
        namespace = "default" if resource.namespaced else None
        kind = Kind(resource, frozenset(), "", "")
        present = new if new is not None else old or {}
        call = Call(
            "update",
            kind,
            user,
            NOW,
            namespace=namespace,
            name=present["metadata"]["name"],
            subresource=subresource,
        )
        await self.admission(call, new, old)
        return call.warnings


@pytest.fixture
def plane() -> Plane:
    """Provide a plane without policies."""
    return Plane()


def cluster(*, accepts: bool | None) -> KubeObject:
    spec = {} if accepts is None else {"hubAcceptsClient": accepts}
    return {"metadata": {"name": "c1", "labels": {"a": "b"}}, "spec": spec}


def config_map(data: Mapping[str, str] | None = None) -> KubeObject:
    return {"metadata": {"name": "a"}, **({} if data is None else {"data": dict(data)})}


async def test_without_policies_everything_passes(plane: Plane) -> None:
    """Most planes have no policy, and CEL is not even loaded for them."""
    assert await plane.write(config_map()) == []


@pytest.mark.parametrize(
    ("new", "old"),
    [
        pytest.param(cluster(accepts=True), None, id="created-accepted"),
        pytest.param(cluster(accepts=True), cluster(accepts=False), id="turned"),
        pytest.param(cluster(accepts=True), cluster(accepts=None), id="set"),
        pytest.param(cluster(accepts=True), {"metadata": {"name": "c1"}}, id="spec-added"),
    ],
)
async def test_an_agent_cannot_accept_its_own_cluster(
    plane: Plane, new: KubeObject, old: KubeObject | None
) -> None:
    """The hub's guard is what keeps a bootstrap identity from accepting itself."""
    plane.add(*acceptance_guard())
    with pytest.raises(ApiFailure) as refused:
        await plane.write(new, old, resource=MANAGED_CLUSTERS, user=AGENT)
    told = (
        "ValidatingAdmissionPolicy 'acceptance.register.open-cluster-management.io' with binding "
        "'acceptance.register.open-cluster-management.io' denied request: setting "
        "spec.hubAcceptsClient takes the right to update managedclusters/accept in "
        "register.open-cluster-management.io"
    )
    assert refused.value.code == 403
    assert refused.value.reason == "Forbidden"
    assert refused.value.message == (
        f'managedclusters.cluster.open-cluster-management.io "c1" is forbidden: {told}'
    )
    assert refused.value.details == {
        "name": "c1",
        "group": "cluster.open-cluster-management.io",
        "kind": "managedclusters",
        "causes": [{"message": told}],
    }


async def test_the_guard_asks_for_the_right_to_accept_this_cluster(plane: Plane) -> None:
    """OCM's own webhook asks the same question, so one grant serves both."""
    plane.add(*acceptance_guard())
    await plane.write(cluster(accepts=True), None, resource=MANAGED_CLUSTERS, user=OWNER)
    assert plane.authorizer.questions == [
        (
            "owner",
            Attributes(
                verb="update",
                group="register.open-cluster-management.io",
                version="*",
                resource="managedclusters",
                subresource="accept",
                name="c1",
            ),
        )
    ]


@pytest.mark.parametrize(
    ("new", "old", "subresource"),
    [
        pytest.param(cluster(accepts=False), None, "", id="created-not-accepted"),
        pytest.param(cluster(accepts=None), None, "", id="created-without"),
        pytest.param({"metadata": {"name": "c1"}}, None, "", id="created-without-spec"),
        pytest.param(cluster(accepts=True), cluster(accepts=True), "", id="stays"),
        pytest.param(cluster(accepts=False), cluster(accepts=True), "", id="taken-back"),
        pytest.param(cluster(accepts=True), cluster(accepts=False), "status", id="status"),
        pytest.param(None, cluster(accepts=True), "", id="deleted"),
    ],
)
async def test_the_guard_lets_everything_else_pass(
    plane: Plane, new: KubeObject | None, old: KubeObject | None, subresource: str
) -> None:
    """Agents write their cluster all day; only turning the one field is special."""
    plane.add(*acceptance_guard())
    await plane.write(new, old, resource=MANAGED_CLUSTERS, user=AGENT, subresource=subresource)
    assert plane.authorizer.questions == []


@pytest.mark.parametrize(
    ("validation", "code", "reason", "told"),
    [
        pytest.param(
            {"expression": "!has(object.data)"},
            422,
            "Invalid",
            "failed expression: !has(object.data)",
            id="no-message",
        ),
        pytest.param(
            {"expression": "!has(object.data)", "message": "no data", "reason": "Forbidden"},
            403,
            "Forbidden",
            "no data",
            id="message",
        ),
        pytest.param(
            {
                "expression": "!has(object.data)",
                "message": "plain",
                "messageExpression": "'of ' + object.metadata.name + ' by ' + "
                "request.userInfo.username + ' in ' + request.namespace",
            },
            422,
            "Invalid",
            "of a by owner in default",
            id="message-expression",
        ),
        pytest.param(
            {
                "expression": "!has(object.data)",
                "message": "plain",
                "messageExpression": "'a' + object.data.missing",
            },
            422,
            "Invalid",
            "plain",
            id="message-expression-fails",
        ),
        pytest.param(
            {"expression": "object.data.missing == 'x'"},
            422,
            "Invalid",
            "expression 'object.data.missing == 'x'' resulted in error: no such key: missing",
            id="error",
        ),
    ],
)
async def test_a_broken_rule_is_told_in_the_words_of_the_policy(
    plane: Plane, validation: KubeObject, code: int, reason: str, told: str
) -> None:
    """Operators find the policy by the message, and programs the refusal by its reason."""
    plane.add_rule({"validations": [validation]})
    with pytest.raises(ApiFailure) as refused:
        await plane.write(config_map({"a": "b"}))
    assert (refused.value.code, refused.value.reason) == (code, reason)
    assert refused.value.message == (
        "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied "
        f"request: {told}"
    )


async def test_an_error_is_no_reason_to_refuse_where_the_policy_says_ignore(plane: Plane) -> None:
    """`failurePolicy: Ignore` puts availability before the rule."""
    rule = {"expression": "object.data.missing == 'x'"}
    plane.add_rule({"failurePolicy": "Ignore", "validations": [rule]})
    await plane.write(config_map({}))


async def test_errors_in_conditions_are_told_together(plane: Plane) -> None:
    """All of what is wrong with a policy is seen at once."""
    plane.add_rule(
        {
            "matchConditions": [
                {"name": "one", "expression": "object.data.x == 'x'"},
                {"name": "two", "expression": "'y' in object.data"},
            ],
            "validations": [{"expression": "true"}],
        }
    )
    with pytest.raises(ApiFailure) as refused:
        await plane.write(config_map())
    assert refused.value.message.endswith(
        "denied request: [expression 'object.data.x == 'x'' resulted in error: no such key: data, "
        "expression ''y' in object.data' resulted in error: no such key: data]"
    )


async def test_a_condition_that_does_not_hold_overrules_one_that_fails(plane: Plane) -> None:
    """The policy is not about this object: what cannot be found out does not matter."""
    plane.add_rule(
        {
            "matchConditions": [
                {"name": "one", "expression": "object.data.x == 'x'"},
                {"name": "two", "expression": "'y' in object.data"},
            ],
            "validations": [{"expression": "false"}],
        }
    )
    await plane.write(config_map({}))


async def test_a_binding_that_warns_lets_the_write_pass(plane: Plane) -> None:
    """New policies are tried out this way."""
    plane.add_rule({"validations": [{"expression": "false", "message": "odd"}]}, actions=("Warn",))
    assert await plane.write(config_map()) == [
        "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': odd"
    ]


async def test_variables_are_computed_from_one_another(plane: Plane) -> None:
    """Long rules are written in steps."""
    plane.add_rule(
        {
            "variables": [
                {"name": "n", "expression": "object.metadata.name"},
                {"name": "m", "expression": "variables.n + '!'"},
                {"name": "unused", "expression": "object.nowhere"},
            ],
            "validations": [
                {"expression": "variables.m != 'a!'", "messageExpression": "'is ' + variables.m"}
            ],
        }
    )
    with pytest.raises(ApiFailure, match="denied request: is a!"):
        await plane.write(config_map())


async def test_a_changed_policy_holds_from_the_next_write_on(plane: Plane) -> None:
    """Compiled policies are kept, but not longer than they are true."""
    plane.add_rule({"validations": [{"expression": "false"}]})
    with pytest.raises(ApiFailure):
        await plane.write(config_map())
    binding = plane.store.find(BINDING_KEY, namespace=None, name="b")
    assert binding is not None
    plane.store.delete(
        BINDING_KEY,
        namespace=None,
        name="b",
        expected_revision=binding["metadata"]["resourceVersion"],
    )
    await plane.write(config_map())


async def test_selectors_of_constraints_and_bindings_leave_objects_out(plane: Plane) -> None:
    """Policies are put to use namespace by namespace."""
    for name, labels in (("default", {"env": "test"}), ("other", {})):
        plane.store.create(
            StorageKey("", "namespaces"), {"metadata": {"name": name, "labels": labels}}
        )
    plane.add_rule({"validations": [{"expression": "false"}]})
    binding = plane.store.find(BINDING_KEY, namespace=None, name="b")
    assert binding is not None
    selector = {"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod"]}]}
    spec = {**binding["spec"], "matchResources": {"namespaceSelector": selector}}
    plane.store.replace(
        BINDING_KEY,
        {**binding, "spec": spec},
        expected_revision=binding["metadata"]["resourceVersion"],
    )
    await plane.write(config_map())
