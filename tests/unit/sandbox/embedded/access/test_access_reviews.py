"""Access reviews: what is answered, and what is refused in which words."""

from typing import Any

import pytest

from support.kinds import call_for
from support.policies import ALICE, binding, group, put, role, rule, url_rule
from towline_api.resources import (
    SELF_SUBJECT_ACCESS_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    KubeObject,
    Resource,
)
from towline_sandbox.embedded.access import AccessReviews, Authorizer
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store

GROUP = SUBJECT_ACCESS_REVIEWS.group
LOCAL = Resource(GROUP, "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", True)
RULES = Resource(GROUP, "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False)
PODS = {"verb": "get", "resource": "pods"}


@pytest.fixture
def reviews() -> AccessReviews:
    """Return reviews of a cluster in which developers read pods."""
    reader = role("reader", rule("get", "pods", names=("p",)), url_rule("get", "/logs"))
    return AccessReviews(Authorizer(put(Store(), reader, binding("b", "reader", group("devs")))))


async def _ask(reviews: AccessReviews, **spec: Any) -> KubeObject:
    call = call_for(SUBJECT_ACCESS_REVIEWS, "create", ALICE)
    status: KubeObject = (await reviews.review_subject(call, {"spec": spec}))["status"]
    return status


async def _refusal(reviews: AccessReviews, review: KubeObject) -> ApiFailure:
    call = call_for(SUBJECT_ACCESS_REVIEWS, "create", ALICE)
    with pytest.raises(ApiFailure) as failure:
        await reviews.review_subject(call, review)
    assert failure.value.code == 422
    return failure.value


async def test_the_review_is_about_the_user_it_names(reviews: AccessReviews) -> None:
    """Groups count only as far as the review names them: nobody is looked up."""
    asked = {**PODS, "name": "p", "group": ""}
    assert await _ask(reviews, user="bob", groups=["devs"], resourceAttributes=asked) == {
        "allowed": True,
        "reason": 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "devs"',
    }
    assert await _ask(reviews, user="alice", resourceAttributes=asked) == {"allowed": False}


async def test_a_path_is_no_resource(reviews: AccessReviews) -> None:
    """They are asked about apart."""
    asked = {"verb": "get", "path": "/logs"}
    status = await _ask(reviews, groups=["devs"], nonResourceAttributes=asked)
    assert status["allowed"]


async def test_a_review_of_oneself_is_about_the_caller(reviews: AccessReviews) -> None:
    """Whoever else is named in it: there is no such field."""
    call = call_for(SELF_SUBJECT_ACCESS_REVIEWS, "create", ALICE)
    answer = await reviews.review_self(
        call, {"spec": {"resourceAttributes": {**PODS, "name": "p"}}}
    )
    assert answer["status"]["allowed"]
    assert answer["kind"] == "SelfSubjectAccessReview"


async def test_selectors_that_cannot_be_read_are_told_of(reviews: AccessReviews) -> None:
    """They are no reason to refuse: rules do not look at them."""
    asked = {
        **PODS,
        "name": "p",
        "labelSelector": {"rawSelector": "(("},
        "fieldSelector": {
            "requirements": [
                {"key": "a", "operator": "In", "values": ["1"]},
                {"key": "a", "operator": "Unheard", "values": ["1"]},
            ]
        },
    }
    status = await _ask(reviews, groups=["devs"], resourceAttributes=asked)
    assert status["allowed"]
    assert status["evaluationError"] == (
        "spec.resourceAttributes.fieldSelector partially ignored due to parse error; "
        "spec.resourceAttributes.labelSelector ignored due to parse error"
    )


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        pytest.param(
            {},
            "[spec: Invalid value: null: exactly one of nonResourceAttributes or "
            'resourceAttributes must be specified, spec.user: Invalid value: "": at least one of '
            "user or group must be specified]",
            id="nothing",
        ),
        pytest.param(
            {"user": "u", "resourceAttributes": {}, "nonResourceAttributes": {"path": "/x"}},
            'spec: Invalid value: {"Path":"/x","Verb":""}: exactly one of nonResourceAttributes or '
            "resourceAttributes must be specified",
            id="both",
        ),
        pytest.param(
            {"user": "u", "resourceAttributes": {**PODS, "fieldSelector": {}}},
            "spec.resourceAttributes.fieldSelector.requirements: Required value: when "
            "spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is "
            "required",
            id="empty-selector",
        ),
    ],
)
async def test_a_review_that_asks_nothing_is_refused(
    reviews: AccessReviews, spec: KubeObject, sentences: str
) -> None:
    """In Kubernetes' words, which leave out the kind here."""
    failure = await _refusal(reviews, {"spec": spec})
    assert failure.message == f'.authorization.k8s.io "" is invalid: {sentences}'
    assert "kind" not in failure.details


async def test_a_review_has_no_metadata(reviews: AccessReviews) -> None:
    """It is never stored; a namespace that does not belong there is dropped in silence."""
    spec = {"user": "u", "resourceAttributes": PODS}
    failure = await _refusal(
        reviews, {"metadata": {"labels": {"a": "b"}, "name": "n"}, "spec": spec}
    )
    assert failure.message.endswith(
        'metadata: Invalid value: {"name":"n","labels":{"a":"b"}}: must be empty'
    )
    call = call_for(SUBJECT_ACCESS_REVIEWS, "create", ALICE)
    answer = await reviews.review_subject(call, {"metadata": {"namespace": "x"}, "spec": spec})
    assert answer["metadata"] == {}


async def test_a_local_review_is_about_its_namespace(reviews: AccessReviews) -> None:
    """Who may post them in a namespace learns nothing about others."""
    call = call_for(LOCAL, "create", ALICE, namespace="ns1")
    spec: KubeObject = {"user": "u", "resourceAttributes": {**PODS, "namespace": "ns1"}}
    answer = await reviews.review_subject_locally(call, {"spec": spec})
    assert answer["metadata"] == {"namespace": "ns1"}
    spec["resourceAttributes"]["namespace"] = "ns2"
    with pytest.raises(ApiFailure) as failure:
        await reviews.review_subject_locally(call, {"spec": spec})
    assert failure.value.message.endswith(
        'spec.resourceAttributes.namespace: Invalid value: "ns2": must match metadata.namespace'
    )
    with pytest.raises(ApiFailure) as failure:
        await reviews.review_subject_locally(call, {"metadata": {"namespace": "ns2"}, "spec": spec})
    assert failure.value.code == 400


async def test_a_rules_review_lists_what_the_caller_holds(reviews: AccessReviews) -> None:
    """`kubectl auth can-i --list` shows it."""
    call = call_for(RULES, "create", ALICE)
    answer = await reviews.review_own_rules(call, {"spec": {"namespace": "ns1"}})
    assert answer["status"] == {
        "resourceRules": [
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["p"]}
        ],
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/logs"]}],
        "incomplete": False,
    }
    nobody = call_for(RULES, "create", User("nobody"))
    answer = await reviews.review_own_rules(nobody, {"spec": {"namespace": "ns1"}})
    assert answer["status"]["resourceRules"] == []


async def test_a_rules_review_needs_a_namespace(reviews: AccessReviews) -> None:
    """Rules of Roles count in one only."""
    with pytest.raises(ApiFailure) as failure:
        await reviews.review_own_rules(call_for(RULES, "create", ALICE), {"spec": {}})
    assert (failure.value.code, failure.value.message) == (400, "no namespace on request")
