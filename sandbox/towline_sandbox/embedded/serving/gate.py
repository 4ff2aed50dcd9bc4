"""Who calls, as whom, and whether that user may."""

from dataclasses import dataclass

from towline_sandbox.embedded.access import (
    Authenticator,
    Authorizer,
    Impersonation,
    find_wanted,
)
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.serving.answers import HttpRequest
from towline_sandbox.embedded.serving.request_info import RequestInfo

_IMPERSONATE = "impersonate-"


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets requests in.

    Args:
        authenticator: Knows who calls.
        authorizer: Knows what they may do.
        impersonation: Knows who may act as whom.
    """

    authenticator: Authenticator
    authorizer: Authorizer
    impersonation: Impersonation

    def identify(self, request: HttpRequest, *, warnings: list[str]) -> User:
        """Return who calls.

        Raises:
            ApiFailure: 401, the credential is not good.
        """
        return self.authenticator.authenticate(
            authorization=request.headers.get("Authorization"),
            certificate_der=request.certificate_der,
            warnings=warnings,
        )

    def act_as(self, request: HttpRequest, info: RequestInfo, user: User) -> User:
        """Return as whom the caller wants to be treated.

        Raises:
            ApiFailure: 403, it may not act as them.
        """
        if not any(name.lower().startswith(_IMPERSONATE) for name in request.headers):
            return user
        wanted = find_wanted(request.all_headers())
        if wanted is None:
            return user
        return self.impersonation.act_as(user, wanted, attributes=info.attributes())

    def check(self, user: User, info: RequestInfo) -> None:
        """Let a request pass, or not.

        Raises:
            ApiFailure: 403.
        """
        self.authorizer.check(user, info.attributes())
