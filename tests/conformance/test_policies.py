"""ValidatingAdmissionPolicies: rules that the server itself enforces."""

from typing import Any

import pytest

from conformance.api import Answer, Api
from conformance.callers import Callers
from conformance.objects import CONFIG_MAPS, config_map, rule, user_subject
from conformance.rights import grant_everywhere
from support.waiting import until
from towline_api.resources import NAMESPACES, KubeObject
from towline_hub.clusters.acceptance_guard import POLICIES, POLICY_BINDINGS

GROUP = "admissionregistration.k8s.io"
CONFIG_MAP_RULE = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps"],
}


def policy(name: str, *validations: KubeObject, **spec: Any) -> KubeObject:
    """Return a policy for writes of ConfigMaps."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [CONFIG_MAP_RULE]},
            "validations": list(validations),
            **spec,
        },
    }


def policy_binding(name: str, namespace: str, **spec: Any) -> KubeObject:
    """Return a binding of a policy to one namespace."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
            **spec,
        },
    }


async def enforce(api: Api, namespace: str, made: KubeObject, **binding: Any) -> str:
    """Bind a policy to a namespace and wait until it is enforced.

    Every policy here lets pass what is named `probe-pass` and stops `probe-stop`, by a validation
    that is added in front. Returns the path of the namespace's ConfigMaps.
    """
    name = made["metadata"]["name"]
    made["spec"]["validations"].insert(
        0, {"expression": "object.metadata.name != 'probe-stop'", "message": "probe"}
    )
    (await api.post(POLICIES.path(), made)).ok(201)
    bound = policy_binding(name, namespace, **binding)
    (await api.post(POLICY_BINDINGS.path(), bound)).ok(201)
    path = CONFIG_MAPS.path(namespace=namespace)
    seen: list[Answer] = []

    async def enforced() -> bool:
        seen.append(await api.post(path, config_map("probe-stop"), dryRun="All"))
        return seen[-1].status != 201 or "Warning" in seen[-1].headers

    await until(enforced, what=lambda: seen[-1].text)
    return path


async def test_a_policy_denies(api: Api, namespace: str, name: str) -> None:
    """The refusal names policy, binding and message."""
    validation = {"expression": "has(object.data)", "message": "data has to be there"}
    path = await enforce(api, namespace, policy(name, validation))
    (await api.post(path, config_map("good", {"k": "v"}))).ok(201)
    told = (
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: data has to be "
        "there"
    )
    (await api.post(path, config_map("bad"))).assert_refused(
        422,
        "Invalid",
        f'configmaps "bad" is forbidden: {told}',
        {"name": "bad", "kind": "configmaps", "causes": [{"message": told}]},
    )
    assert (await api.get(f"{path}/bad")).status == 404


async def test_a_policy_can_choose_its_reason(api: Api, namespace: str, name: str) -> None:
    """And with it the code; a message can be computed."""
    validation = {
        "expression": "has(object.data)",
        "reason": "Forbidden",
        "messageExpression": "'no data in ' + object.metadata.name",
    }
    path = await enforce(api, namespace, policy(name, validation))
    told = (
        f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: no data in bad"
    )
    answer = await api.post(path, config_map("bad"))
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == f'configmaps "bad" is forbidden: {told}'


async def test_a_failed_expression_is_the_message_of_last_resort(
    api: Api, namespace: str, name: str
) -> None:
    """When nobody wrote one."""
    path = await enforce(api, namespace, policy(name, {"expression": "has(object.data)"}))
    answer = await api.post(path, config_map("bad"))
    assert answer.status == 422
    assert answer.body["message"].endswith("denied request: failed expression: has(object.data)")


async def test_changes_are_compared_with_the_old_object(
    api: Api, namespace: str, name: str
) -> None:
    """`oldObject` is null when something is created."""
    validation = {
        "expression": "oldObject == null || object.data == oldObject.data",
        "message": "data stays",
    }
    path = await enforce(api, namespace, policy(name, validation))
    (await api.post(path, config_map("a", {"k": "v"}))).ok(201)
    (await api.patch(f"{path}/a", {"metadata": {"labels": {"l": "1"}}})).ok()
    refused = await api.patch(f"{path}/a", {"data": {"k": "w"}})
    assert refused.status == 422
    assert refused.body["message"].endswith("denied request: data stays")
    (await api.delete(f"{path}/a")).ok()  # DELETE is not among the policy's operations


async def test_conditions_narrow_a_policy(api: Api, namespace: str, name: str) -> None:
    """`matchConditions`: what does not meet them is none of its business."""
    made = policy(
        name,
        {"expression": "has(object.data)", "message": "data"},
        matchConditions=[
            {
                "name": "labelled",
                "expression": "has(object.metadata.labels) || "
                "object.metadata.name.startsWith('probe')",
            }
        ],
    )
    path = await enforce(api, namespace, made)
    (await api.post(path, config_map("plain"))).ok(201)
    refused = await api.post(path, config_map("labelled", labels={"l": "1"}))
    assert refused.status == 422


async def test_a_policy_knows_who_asks(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """`request.userInfo`, and `authorizer` for what he may do."""
    validation = {
        "expression": "!object.metadata.name.startsWith('guarded') || "
        "(request.userInfo.username == 'towline-sandbox-admin' || "
        "authorizer.group('example.com').resource('gates').name(object.metadata.name)"
        ".check('open').allowed())",
        "message": "gate is closed",
    }
    path = await enforce(api, namespace, policy(name, validation))
    writes = rule("", "configmaps", "create", "get")
    opens = rule("example.com", "gates", "open", resource_names=["guarded-mine"])
    await grant_everywhere(api, name, writes, opens, to=user_subject(name))
    user = await callers.user(name)

    async def known() -> bool:
        return (await user.get(f"{path}/none")).status == 404

    await until(known, what=lambda: "the binding to be known")
    (await user.post(path, config_map("guarded-mine"))).ok(201)
    refused = await user.post(path, config_map("guarded-yours"))
    assert refused.status == 422
    assert refused.body["message"].endswith("gate is closed")
    (await api.post(path, config_map("guarded-yours"))).ok(201)


async def test_a_policy_can_warn(api: Api, namespace: str, name: str) -> None:
    """The write goes through, with a warning."""
    validation = {"expression": "has(object.data)", "message": "data would be nice"}
    path = await enforce(api, namespace, policy(name, validation), validationActions=["Warn"])
    answer = await api.post(path, config_map("a"))
    answer.ok(201)
    assert answer.headers["Warning"] == (
        f"299 - \"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': "
        'data would be nice"'
    )


async def test_variables_are_computed_once(api: Api, namespace: str, name: str) -> None:
    """And may build on each other."""
    made = policy(
        name,
        {"expression": "variables.count <= 1", "messageExpression": "string(variables.count)"},
        variables=[
            {"name": "data", "expression": "has(object.data) ? object.data : {}"},
            {"name": "count", "expression": "variables.data.size()"},
        ],
    )
    path = await enforce(api, namespace, made)
    (await api.post(path, config_map("a", {"k": "v"}))).ok(201)
    refused = await api.post(path, config_map("b", {"k": "v", "l": "w"}))
    assert refused.body["message"].endswith("denied request: 2")


@pytest.mark.parametrize(("failure_policy", "status"), [("Fail", 422), ("Ignore", 201)])
async def test_an_expression_that_fails_to_compute(
    api: Api, namespace: str, name: str, failure_policy: str, status: int
) -> None:
    """Stops the write or not, as the policy says."""
    made = policy(
        name,
        {
            "expression": "object.metadata.name.startsWith('probe') || object.data.missing == 'x'",
            "message": "m",
        },
        failurePolicy=failure_policy,
    )
    path = await enforce(api, namespace, made)
    answer = await api.post(path, config_map("a", {"k": "v"}))
    assert answer.status == status
    if status == 422:
        assert "resulted in error: no such key: missing" in answer.body["message"]


async def test_the_namespace_can_be_looked_at(api: Api, namespace: str, name: str) -> None:
    """`namespaceObject` is the one that the object is in."""
    validation = {
        "expression": "object.metadata.name.startsWith('probe') || "
        "('open' in namespaceObject.metadata.labels)",
        "message": "closed",
    }
    path = await enforce(api, namespace, policy(name, validation))
    assert (await api.post(path, config_map("a"))).status == 422
    label = {"metadata": {"labels": {"open": "yes"}}}
    (await api.patch(NAMESPACES.path(name=namespace), label)).ok()

    async def passes() -> bool:
        return (await api.post(path, config_map("a"), dryRun="All")).status == 201

    await until(passes, what=lambda: "the label to be seen")


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        pytest.param("object.", "Syntax error", id="syntax"),
        pytest.param("nothing == 1", "undeclared reference to 'nothing'", id="unknown name"),
        pytest.param("'text'", "must evaluate to bool", id="no bool"),
    ],
)
async def test_a_policy_that_cannot_work_is_refused(
    api: Api, name: str, expression: str, told: str
) -> None:
    """When it is written, not when it is needed."""
    answer = await api.post(POLICIES.path(), policy(name, {"expression": expression}))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    (cause,) = answer.body["details"]["causes"]
    assert cause["field"] == "spec.validations[0].expression"
    assert told in cause["message"]
