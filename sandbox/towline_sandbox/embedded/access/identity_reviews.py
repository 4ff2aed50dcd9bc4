"""Reviews about identities: who am I, and whose token is this?"""

from dataclasses import dataclass

from towline_api.resources import KubeObject
from towline_api.timestamps import format_time
from towline_sandbox.embedded.access.access_reviews import at_its_place
from towline_sandbox.embedded.access.account_tokens import ISSUER
from towline_sandbox.embedded.access.authenticator import Authenticator
from towline_sandbox.embedded.access.web_tokens import TokenError
from towline_sandbox.embedded.model.calls import Call, User
from towline_sandbox.embedded.model.failures import bad_request


@dataclass(frozen=True, slots=True)
class IdentityReviews:
    """Answers reviews about identities.

    Args:
        authenticator: Knows whose a token is.
    """

    authenticator: Authenticator

    async def review_self(self, call: Call, review: KubeObject) -> KubeObject:
        """Answer a SelfSubjectReview: who am I?"""
        review = at_its_place(call, review)
        return {
            "kind": review["kind"],
            "apiVersion": review["apiVersion"],
            "metadata": {"creationTimestamp": format_time(call.now)},
            "status": {"userInfo": user_info(call.user)},
        }

    async def review_token(self, call: Call, review: KubeObject) -> KubeObject:
        """Answer a TokenReview: whose token is this, and may it be shown to these?"""
        review = at_its_place(call, review)
        spec = review.get("spec") or {}
        if not spec.get("token"):
            raise bad_request("token is required for TokenReview in authentication")
        try:
            holder = self.authenticator.find_holder(
                spec["token"], audiences=spec.get("audiences") or (ISSUER,)
            )
        except TokenError as error:
            return {**review, "status": {"user": {}, "error": str(error)}}
        return {
            **review,
            "status": {
                "authenticated": True,
                "user": user_info(holder.user),
                "audiences": list(holder.audiences),
            },
        }


def user_info(user: User) -> KubeObject:
    """Return a user as it stands in objects; what is empty is left out."""
    found = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    return {key: value for key, value in found.items() if value}
