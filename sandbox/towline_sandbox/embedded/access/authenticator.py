"""Who calls? By client certificate, bearer token, or nobody in particular."""

from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from towline_sandbox.embedded.access.account_tokens import ISSUER, AccountTokens, TokenHolder
from towline_sandbox.embedded.access.bootstrap_login import find_bootstrap_user
from towline_sandbox.embedded.access.client_certificates import ClientCertificates
from towline_sandbox.embedded.access.web_tokens import TokenError
from towline_sandbox.embedded.access.wording import joined
from towline_sandbox.embedded.model.calls import ANONYMOUS, User
from towline_sandbox.embedded.model.failures import ApiFailure, unauthorized
from towline_sandbox.embedded.storage.store import Store

_INVALID = "invalid bearer token"
SPACE_WARNING = (
    "the provided Authorization header contains extra space before the bearer token, and is ignored"
)


class Authenticator:
    """Finds out who calls.

    Args:
        store: Holds bootstrap tokens, accounts and what their tokens are bound to.
        client_authorities: Who may have issued client certificates.
        account_tokens: Tells whose a service account's token is.
        now: The plane's clock.
    """

    def __init__(
        self,
        store: Store,
        *,
        client_authorities: Sequence[x509.Certificate],
        account_tokens: AccountTokens,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._certificates = ClientCertificates(client_authorities)
        self._account_tokens = account_tokens
        self._now = now

    def authenticate(
        self,
        *,
        authorization: str | None,
        certificate_der: bytes | None,
        warnings: list[str] | None = None,
    ) -> User:
        """Return who calls; `ANONYMOUS` if no credential is shown.

        A header that is no bearer token is no credential, as in Kubernetes. A good credential is
        enough, whatever else is shown with it; a certificate comes first.

        Args:
            authorization: The header of that name.
            certificate_der: Certificate that the connection was opened with.
            warnings: Gets what the caller is to be warned of.

        Raises:
            ApiFailure: 401, a credential is shown and none is good.
        """
        refusal: ApiFailure | None = None
        if certificate_der is not None:
            try:
                user = self._certificates.find_user(certificate_der, now=self._now())
            except ApiFailure as failure:
                refusal = failure
            else:
                if user is not None:
                    return user
        token = _find_token(authorization, warnings)
        if token is not None:
            try:
                return self.find_holder(token).user
            except TokenError:
                raise unauthorized() from None
        if refusal is not None:
            raise refusal
        return ANONYMOUS

    def find_holder(self, token: str, *, audiences: Sequence[str] = (ISSUER,)) -> TokenHolder:
        """Return whose a bearer token is.

        Args:
            token: The token.
            audiences: Whom it is shown to; one of them has to be meant.

        Raises:
            TokenError: Nobody's, or not good; says why in the words of a TokenReview.
        """
        try:
            holder = self._account_tokens.find_holder(token, audiences=audiences)
        except TokenError as error:
            raise TokenError(joined([_INVALID, str(error)])) from None
        if holder is not None:
            return holder
        # A bootstrap token is meant for the API server alone.
        user = find_bootstrap_user(token, store=self._store, now=self._now())
        if user is None or ISSUER not in audiences:
            raise TokenError(_INVALID)
        return TokenHolder(user, (ISSUER,))


def _find_token(authorization: str | None, warnings: list[str] | None) -> str | None:
    parts = (authorization or "").strip().split(" ", 2)
    if len(parts) < 2 or parts[0].lower() != "bearer":
        return None
    if not parts[1]:
        if len(parts) == 3 and warnings is not None:
            warnings.append(SPACE_WARNING)
        return None
    return parts[1]
