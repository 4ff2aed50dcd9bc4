"""Logging in with a bootstrap token: the Secret that stands for it decides.

A token that is wrong in any way is simply not known; nobody is told in which.
"""

import base64
import binascii
import hmac
import re
from datetime import datetime

from towline_api.bootstrap_tokens import TOKEN_GROUP, TOKEN_NAMESPACE, TOKEN_SECRET_TYPE
from towline_api.resources import KubeObject
from towline_api.timestamps import InvalidTimeError, parse_time
from towline_sandbox.embedded.access.stored_kinds import SECRET_KEY
from towline_sandbox.embedded.model.calls import AUTHENTICATED_GROUP, User
from towline_sandbox.embedded.storage.store import Store

_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = "system:bootstrappers"


def find_bootstrap_user(token: str, *, store: Store, now: datetime) -> User | None:
    """Return who a bootstrap token makes its holder, or None if it is not good.

    Args:
        token: What the caller shows.
        store: Holds the Secrets.
        now: The plane's time.
    """
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        return None
    token_id, secret_half = parts.groups()
    secret = store.find(SECRET_KEY, namespace=TOKEN_NAMESPACE, name=f"bootstrap-token-{token_id}")
    if (
        secret is None
        or "deletionTimestamp" in secret["metadata"]
        or secret.get("type") != TOKEN_SECRET_TYPE
        or not hmac.compare_digest(_datum(secret, "token-secret"), secret_half.encode())
        or _datum(secret, "token-id") != token_id.encode()
        or _is_expired(_datum(secret, "expiration"), now=now)
        or _datum(secret, "usage-bootstrap-authentication") != b"true"
    ):
        return None
    groups = _read_groups(_datum(secret, "auth-extra-groups"))
    if groups is None:
        return None
    return User(f"system:bootstrap:{token_id}", (*groups, AUTHENTICATED_GROUP))


def _datum(secret: KubeObject, key: str) -> bytes:
    try:
        return base64.b64decode((secret.get("data") or {}).get(key) or "")
    except binascii.Error:
        return b""


def _is_expired(expiration: bytes, *, now: datetime) -> bool:
    if not expiration:
        return False
    try:
        return parse_time(expiration.decode()) <= now
    except (InvalidTimeError, UnicodeDecodeError):
        return True  # a time that cannot be read may be long past


def _read_groups(extra: bytes) -> tuple[str, ...] | None:
    if not extra:
        return (_GROUP,)
    groups = extra.decode(errors="replace").split(",")
    if not all(TOKEN_GROUP.fullmatch(group) for group in groups):
        return None
    return tuple(sorted({_GROUP, *groups}))
