"""Service accounts' tokens: issued for one account, good while what they are bound to lives."""

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_sandbox.embedded.access.stored_kinds import (
    NODE_KEY,
    POD_KEY,
    SECRET_KEY,
    SERVICE_ACCOUNT_KEY,
)
from towline_sandbox.embedded.access.subject_index import SERVICE_ACCOUNT_PREFIX
from towline_sandbox.embedded.access.web_tokens import (
    TokenError,
    find_claims,
    sign_claims,
    verify_signature,
)
from towline_sandbox.embedded.access.wording import quoted, quoted_list
from towline_sandbox.embedded.model.calls import AUTHENTICATED_GROUP, User
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.store import Store

ISSUER = "https://kubernetes.default.svc"
"""Who issues the tokens, and the audience that means the API server itself."""

_GROUP = "system:serviceaccounts"
_EXTRA = "authentication.kubernetes.io"
_PRIVATE_CLAIM = "kubernetes.io"
# What Kubernetes' library grants to clocks that disagree.
_LEEWAY = timedelta(minutes=1)
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Bound:
    """An object besides the account that a token lives and dies with.

    Args:
        claim: `pod`, `secret` or `node`.
        name: Its name.
        uid: Its uid; empty for a node that is only named.
    """

    claim: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Who shows a token, and to whom it may be shown.

    Args:
        user: The account.
        audiences: Those of the wanted audiences that the token is for.
    """

    user: User
    audiences: tuple[str, ...]


class AccountTokens:
    """Issues service accounts' tokens and tells whose they are.

    Kubernetes believes a token for up to ten seconds after its account is gone. Not so here.

    Args:
        store: Holds accounts and what tokens are bound to.
        key: Signs the tokens; on curve P-256.
        now: The plane's clock.
    """

    def __init__(
        self,
        store: Store,
        *,
        key: ec.EllipticCurvePrivateKey,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._key = key
        self._now = now
        self._verified: set[bytes] = set()

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """What the tokens can be verified with."""
        return self._key.public_key()

    def issue(
        self,
        account: KubeObject,
        *,
        audiences: Sequence[str],
        lifetime: timedelta,
        bound: Sequence[Bound] = (),
        warn_after: timedelta | None = None,
    ) -> str:
        """Return a fresh token of a stored account.

        Args:
            account: Whose.
            audiences: Whom it may be shown to.
            lifetime: How long from now it is good.
            bound: What else it lives and dies with.
            warn_after: From when on its use counts as late.
        """
        metadata = account["metadata"]
        now = self._now()
        private: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        for each in bound:
            private[each.claim] = {"name": each.name, **({"uid": each.uid} if each.uid else {})}
        if warn_after is not None:
            private["warnafter"] = _seconds(now + warn_after)
        return sign_claims(
            {
                "iss": ISSUER,
                "sub": f"{SERVICE_ACCOUNT_PREFIX}{metadata['namespace']}:{metadata['name']}",
                "aud": list(audiences),
                "iat": _seconds(now),
                "nbf": _seconds(now),
                "exp": _seconds(now + lifetime),
                "jti": str(uuid.uuid4()),
                _PRIVATE_CLAIM: private,
            },
            key=self._key,
        )

    def find_holder(
        self, token: str, *, audiences: Sequence[str] = (ISSUER,)
    ) -> TokenHolder | None:
        """Return whose token it is; None if it is none of ours.

        Raises:
            TokenError: It is ours, and not good (any more).
        """
        claims = find_claims(token)
        if claims is None or claims.get("iss") != ISSUER:
            return None
        self._verify(token)
        allowed = [each for each in claims.get("aud") or () if each in audiences]
        if not allowed:
            raise TokenError(
                f"token audiences {quoted_list(claims.get('aud') or ())} is invalid for the "
                f"target audiences {quoted_list(audiences)}"
            )
        self._check_time(claims)
        return TokenHolder(self._account_of(claims), tuple(allowed))

    def _verify(self, token: str) -> None:
        digest = hashlib.sha256(token.encode()).digest()
        if digest in self._verified:
            return
        verify_signature(token, key=self.public_key)
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified.add(digest)

    def _check_time(self, claims: Mapping[str, Any]) -> None:
        now = self._now()
        if now + _LEEWAY < _instant(claims["nbf"]):
            raise TokenError("service account token is not valid yet")
        if now - _LEEWAY > _instant(claims["exp"]):
            raise TokenError("service account token has expired")
        if now + _LEEWAY < _instant(claims["iat"]):
            raise TokenError("service account token is issued in the future")

    def _account_of(self, claims: Mapping[str, Any]) -> User:
        private = claims[_PRIVATE_CLAIM]
        namespace, claimed = private["namespace"], private["serviceaccount"]
        account = self._store.find(SERVICE_ACCOUNT_KEY, namespace=namespace, name=claimed["name"])
        if account is None:
            raise TokenError(f"serviceaccounts {quoted(claimed['name'])} not found")
        uid = account["metadata"]["uid"]
        if uid != claimed["uid"]:
            raise TokenError(f"service account UID ({uid}) does not match claim ({claimed['uid']})")
        if self._is_gone(account):
            raise TokenError(f"service account {namespace}/{claimed['name']} has been deleted")
        extra = {f"{_EXTRA}/credential-id": [f"JTI={claims['jti']}"]}
        if "secret" in private:
            self._check_bound(SECRET_KEY, "secret", private["secret"], namespace=namespace)
        if "pod" in private:
            self._check_bound(POD_KEY, "pod", private["pod"], namespace=namespace)
            extra[f"{_EXTRA}/pod-name"] = [private["pod"]["name"]]
            extra[f"{_EXTRA}/pod-uid"] = [private["pod"]["uid"]]
        if "node" in private:
            if "pod" not in private:
                self._check_bound(NODE_KEY, "node", private["node"], namespace=None)
            extra[f"{_EXTRA}/node-name"] = [private["node"]["name"]]
            if private["node"].get("uid"):
                extra[f"{_EXTRA}/node-uid"] = [private["node"]["uid"]]
        return User(
            f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{claimed['name']}",
            (*account_groups(namespace), AUTHENTICATED_GROUP),
            uid=uid,
            extra=extra,
        )

    def _check_bound(
        self, key: StorageKey, what: str, claimed: Mapping[str, str], *, namespace: str | None
    ) -> None:
        stored = self._store.find(key, namespace=namespace, name=claimed["name"])
        if stored is None or self._is_gone(stored):
            raise TokenError("service account token has been invalidated")
        uid = stored["metadata"]["uid"]
        if uid != claimed["uid"]:
            account = "service account secret" if what == "secret" else f"service account {what}"
            spelled = what if what == "secret" else what.capitalize()
            raise TokenError(
                f"{spelled} UID ({uid}) does not match {account} ref claim ({claimed['uid']})"
            )

    def _is_gone(self, stored: KubeObject) -> bool:
        # Something with finalizers stays a while; what it gave stops a minute after its end.
        deleted = stored["metadata"].get("deletionTimestamp")
        return deleted is not None and parse_time(deleted) < self._now() - _LEEWAY


def account_groups(namespace: str) -> tuple[str, str]:
    """Return the groups that every account of a namespace belongs to."""
    return _GROUP, f"{_GROUP}:{namespace}"


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
