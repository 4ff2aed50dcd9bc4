"""Kinds that are answered, not stored: what handles a POST of each."""

from collections.abc import Awaitable, Callable, Mapping

from towline_api.resources import KubeObject
from towline_sandbox.embedded.access.access_reviews import AccessReviews
from towline_sandbox.embedded.access.identity_reviews import IdentityReviews
from towline_sandbox.embedded.access.token_requests import TokenRequests
from towline_sandbox.embedded.model.calls import Call

ReviewHandler = Callable[[Call, KubeObject], Awaitable[KubeObject]]
"""Answers a POST of such a kind. Gets the body as it was decoded, and does not change it."""

_AUTHENTICATION = "authentication.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"


def handlers(
    access: AccessReviews, identities: IdentityReviews, tokens: TokenRequests
) -> Mapping[tuple[str, str, str], ReviewHandler]:
    """Return what answers a POST, by API group, plural and subresource."""
    return {
        (_AUTHORIZATION, "subjectaccessreviews", ""): access.review_subject,
        (_AUTHORIZATION, "localsubjectaccessreviews", ""): access.review_subject_locally,
        (_AUTHORIZATION, "selfsubjectaccessreviews", ""): access.review_self,
        (_AUTHORIZATION, "selfsubjectrulesreviews", ""): access.review_own_rules,
        (_AUTHENTICATION, "selfsubjectreviews", ""): identities.review_self,
        (_AUTHENTICATION, "tokenreviews", ""): identities.review_token,
        ("", "serviceaccounts", "token"): tokens.create_token,
    }
