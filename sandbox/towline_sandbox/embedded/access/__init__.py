"""Who calls, and what they may do: authentication, authorization, and the questions about both."""

from towline_sandbox.embedded.access.access_reviews import AccessReviews
from towline_sandbox.embedded.access.account_tokens import AccountTokens
from towline_sandbox.embedded.access.attributes import Attributes, forbidden
from towline_sandbox.embedded.access.authenticator import Authenticator
from towline_sandbox.embedded.access.authorizer import Authorizer, Decision
from towline_sandbox.embedded.access.csr_rules import CsrRules
from towline_sandbox.embedded.access.escalation import EscalationCheck
from towline_sandbox.embedded.access.identity_reviews import IdentityReviews, user_info
from towline_sandbox.embedded.access.impersonation import Impersonation, find_wanted
from towline_sandbox.embedded.access.reviews import ReviewHandler, handlers
from towline_sandbox.embedded.access.token_requests import TokenRequests

__all__ = [
    "AccessReviews",
    "AccountTokens",
    "Attributes",
    "Authenticator",
    "Authorizer",
    "CsrRules",
    "Decision",
    "EscalationCheck",
    "IdentityReviews",
    "Impersonation",
    "ReviewHandler",
    "TokenRequests",
    "find_wanted",
    "forbidden",
    "handlers",
    "user_info",
]
