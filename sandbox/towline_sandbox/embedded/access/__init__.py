"""Who calls, and what they may do: authentication, authorization, and the questions about both."""

from towline_sandbox.embedded.access.account_tokens import AccountTokens
from towline_sandbox.embedded.access.attributes import Attributes, forbidden
from towline_sandbox.embedded.access.authenticator import Authenticator
from towline_sandbox.embedded.access.authorizer import Authorizer, Decision

__all__ = [
    "AccountTokens",
    "Attributes",
    "Authenticator",
    "Authorizer",
    "Decision",
    "forbidden",
]
