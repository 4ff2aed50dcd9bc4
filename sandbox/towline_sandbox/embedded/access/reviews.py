"""Kinds that are answered, not stored: what handles a POST of each."""

from collections.abc import Awaitable, Callable, Mapping

from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.access_reviews import AccessReviews
from towline_sandbox.embedded.access.identity_reviews import IdentityReviews
from towline_sandbox.embedded.access.review_bodies import (
    read_question,
    read_review,
    read_token_request,
)
from towline_sandbox.embedded.access.token_requests import TokenRequests
from towline_sandbox.embedded.model.calls import Call

ReviewHandler = Callable[[Call, KubeObject], Awaitable[KubeObject]]
"""Answers a POST of such a kind. Gets the body as it was sent, and does not change it."""

_AUTHENTICATION = "authentication.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"


def handlers(
    access: AccessReviews, identities: IdentityReviews, tokens: TokenRequests
) -> Mapping[tuple[str, str, str], ReviewHandler]:
    """Return what answers a POST, by API group, plural and subresource."""
    return {
        (_AUTHORIZATION, "subjectaccessreviews", ""): _reading(read_review, access.review_subject),
        (_AUTHORIZATION, "localsubjectaccessreviews", ""): _reading(
            read_review, access.review_subject_locally
        ),
        (_AUTHORIZATION, "selfsubjectaccessreviews", ""): _reading(read_review, access.review_self),
        (_AUTHORIZATION, "selfsubjectrulesreviews", ""): _reading(
            read_question, access.review_own_rules
        ),
        (_AUTHENTICATION, "selfsubjectreviews", ""): _reading(
            read_question, identities.review_self
        ),
        (_AUTHENTICATION, "tokenreviews", ""): _reading(read_review, identities.review_token),
        ("", "serviceaccounts", "token"): _reading(read_token_request, tokens.create_token),
    }


def _reading(
    read: Callable[[Call, KubeObject], KubeObject], handler: ReviewHandler
) -> ReviewHandler:
    async def answer(call: Call, body: KubeObject) -> KubeObject:
        return await handler(call, read(call, body))

    return answer
