"""Questions about rights: the caller's own, somebody else's, and all that somebody may do."""

import pytest

from conformance.api import Answer, Api
from conformance.callers import Callers
from conformance.objects import (
    REVIEWS,
    TOKEN_REVIEWS,
    binding,
    role,
    rule,
    user_subject,
)
from support.waiting import until
from towline_api.resources import ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, KubeObject

API_VERSION = "authorization.k8s.io/v1"
SUBJECT_REVIEWS = f"{REVIEWS}/subjectaccessreviews"
SELF_REVIEWS = f"{REVIEWS}/selfsubjectaccessreviews"
RULES_REVIEWS = f"{REVIEWS}/selfsubjectrulesreviews"


def subject_review(user: str, **spec: object) -> KubeObject:
    """Ask whether a user may do something."""
    return {
        "apiVersion": API_VERSION,
        "kind": "SubjectAccessReview",
        "spec": {"user": user, **spec},
    }


async def may_list(api: Api, namespace: str, user: str) -> None:
    """Let a user list ConfigMaps in a namespace, and wait until the server knows."""
    rules = rule("", "configmaps", "list")
    (await api.post(ROLES.path(namespace=namespace), role("Role", user, rules))).ok(201)
    bound = binding(
        "RoleBinding", user, role_kind="Role", role_name=user, subjects=[user_subject(user)]
    )
    (await api.post(ROLE_BINDINGS.path(namespace=namespace), bound)).ok(201)
    asked = {"namespace": namespace, "verb": "list", "resource": "configmaps"}
    seen: list[Answer] = []

    async def allowed() -> bool:
        seen.append(await api.post(SUBJECT_REVIEWS, subject_review(user, resourceAttributes=asked)))
        found: bool = seen[-1].ok(201)["status"]["allowed"]
        return found

    await until(allowed, what=lambda: seen[-1].text)


async def test_a_review_names_the_binding_that_allows(api: Api, namespace: str, name: str) -> None:
    """Who wonders why somebody may finds the binding in the reason."""
    await may_list(api, namespace, name)
    asked = {"namespace": namespace, "verb": "list", "resource": "configmaps"}
    body = (await api.post(SUBJECT_REVIEWS, subject_review(name, resourceAttributes=asked))).ok(201)
    assert body["kind"] == "SubjectAccessReview"
    assert body["apiVersion"] == API_VERSION
    assert body["spec"] == {"user": name, "resourceAttributes": asked}
    assert body["status"] == {
        "allowed": True,
        "reason": f'RBAC: allowed by RoleBinding "{name}/{namespace}" of Role "{name}" to User '
        f'"{name}"',
    }


async def test_a_review_of_what_nobody_allows(api: Api, name: str) -> None:
    """No reason, no denial: just not allowed."""
    asked = {"verb": "list", "resource": "configmaps"}
    body = (await api.post(SUBJECT_REVIEWS, subject_review(name, resourceAttributes=asked))).ok(201)
    assert body["status"] == {"allowed": False}


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        pytest.param({"verb": "list", "resource": "configmaps"}, True, id="granted"),
        pytest.param({"verb": "watch", "resource": "configmaps"}, False, id="other verb"),
        pytest.param({"verb": "list", "resource": "secrets"}, False, id="other resource"),
        pytest.param(
            {"verb": "list", "group": "apps", "resource": "configmaps"}, False, id="group"
        ),
        pytest.param(
            {"verb": "list", "resource": "configmaps", "subresource": "status"},
            False,
            id="subresource",
        ),
        pytest.param(
            {"verb": "list", "resource": "configmaps", "name": "any"}, True, id="any name"
        ),
    ],
)
async def test_one_word_decides(
    api: Api, namespace: str, name: str, asked: dict[str, str], *, allowed: bool
) -> None:
    """The right that is granted, and those right beside it."""
    await may_list(api, namespace, name)
    review = subject_review(name, resourceAttributes={"namespace": namespace, **asked})
    assert (await api.post(SUBJECT_REVIEWS, review)).ok(201)["status"]["allowed"] is allowed


async def test_groups_count_in_a_review(api: Api) -> None:
    """Approvers ask with the user and groups that stand in a request."""
    review = subject_review(
        "anybody",
        groups=["system:masters"],
        resourceAttributes={"verb": "delete", "resource": "nodes"},
    )
    assert (await api.post(SUBJECT_REVIEWS, review)).ok(201)["status"]["allowed"] is True


async def test_a_path_can_be_asked_about(api: Api, name: str) -> None:
    """Rights to what is no resource."""
    for path, allowed in (("/version", True), ("/metrics", False)):
        review = subject_review(
            name,
            groups=["system:authenticated"],
            nonResourceAttributes={"path": path, "verb": "get"},
        )
        assert (await api.post(SUBJECT_REVIEWS, review)).ok(201)["status"]["allowed"] is allowed


@pytest.mark.parametrize(
    ("spec", "field", "reason", "message"),
    [
        pytest.param(
            {"user": "u"},
            "spec",
            "FieldValueInvalid",
            "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must "
            "be specified",
            id="nothing asked",
        ),
        pytest.param(
            {"resourceAttributes": {"verb": "get", "resource": "pods"}},
            "spec.user",
            "FieldValueInvalid",
            'Invalid value: "": at least one of user or group must be specified',
            id="nobody named",
        ),
    ],
)
async def test_a_review_has_to_ask_something(
    api: Api, spec: KubeObject, field: str, reason: str, message: str
) -> None:
    """An empty question is no question."""
    review = {"apiVersion": API_VERSION, "kind": "SubjectAccessReview", "spec": spec}
    (await api.post(SUBJECT_REVIEWS, review)).assert_refused(
        422,
        "Invalid",
        f'.authorization.k8s.io "" is invalid: {field}: {message}',
        {
            "group": "authorization.k8s.io",
            "causes": [{"reason": reason, "message": message, "field": field}],
        },
    )


async def test_asking_about_others_takes_a_right(callers: Callers, name: str) -> None:
    """Asking about oneself is everybody's right."""
    user = await callers.user(name)
    asked = {"verb": "list", "resource": "configmaps"}
    refused = await user.post(SUBJECT_REVIEWS, subject_review(name, resourceAttributes=asked))
    assert refused.status == 403
    own = {
        "apiVersion": API_VERSION,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    body = (await user.post(SELF_REVIEWS, own)).ok(201)
    assert body["status"] == {"allowed": False}
    assert body["spec"] == {"resourceAttributes": asked}


async def test_a_local_review_asks_in_its_namespace(api: Api, namespace: str, name: str) -> None:
    """The namespace in the path and the one asked about have to be the same."""
    await may_list(api, namespace, name)
    path = f"{REVIEWS}/namespaces/{namespace}/localsubjectaccessreviews"
    asked = {"verb": "list", "resource": "configmaps", "namespace": namespace}
    review = {
        "apiVersion": API_VERSION,
        "kind": "LocalSubjectAccessReview",
        "metadata": {"namespace": namespace},
        "spec": {"user": name, "resourceAttributes": asked},
    }
    assert (await api.post(path, review)).ok(201)["status"]["allowed"] is True
    review["spec"] = {"user": name, "resourceAttributes": {**asked, "namespace": "default"}}
    answer = await api.post(path, review)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")


async def test_ones_own_rules_are_told(
    api: Api, callers: Callers, namespace: str, name: str
) -> None:
    """`kubectl auth can-i --list` shows them."""
    await may_list(api, namespace, name)
    user = await callers.user(name)
    review = {
        "apiVersion": API_VERSION,
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = (await user.post(RULES_REVIEWS, review)).ok(201)["status"]
    assert status["incomplete"] is False
    assert {"verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"]} in [
        *status["resourceRules"]
    ]
    assert any("/version" in item["nonResourceURLs"] for item in status["nonResourceRules"])


async def test_reviews_are_not_stored(api: Api) -> None:
    """There is nothing to read, only to ask."""
    answer = await api.get(SUBJECT_REVIEWS)
    answer.assert_refused(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )


async def test_a_token_can_be_reviewed(api: Api, namespace: str, name: str) -> None:
    """Servers behind the API server ask it whose token they were shown."""
    accounts = SERVICE_ACCOUNTS.path(namespace=namespace)
    made = (await api.post(accounts, {"metadata": {"name": name}})).ok(201)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await api.post(f"{accounts}/{name}/token", request)).ok(201)["status"]["token"]
    status = (await api.post(TOKEN_REVIEWS, _token_review(token))).ok(201)["status"]
    assert status["authenticated"] is True
    assert status["audiences"] == ["https://kubernetes.default.svc"]
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:{name}"
    assert status["user"]["uid"] == made["metadata"]["uid"]


async def test_a_bad_token_is_reviewed_as_bad(api: Api) -> None:
    """That is an answer, not a refusal."""
    status = (await api.post(TOKEN_REVIEWS, _token_review("nonsense"))).ok(201)["status"]
    assert "authenticated" not in status
    assert status["user"] == {}
    assert "invalid bearer token" in status["error"]


def _token_review(token: str) -> KubeObject:
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }
