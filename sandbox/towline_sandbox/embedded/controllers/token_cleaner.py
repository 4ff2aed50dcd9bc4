"""Deletes bootstrap tokens whose time is over."""

import base64
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, TOKEN_SECRET_TYPE
from towline_api.resources import SECRETS, KubeObject
from towline_api.timestamps import InvalidTimeError, parse_time
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)

_SECRETS = StorageKey("", SECRETS.plural)


def expiry(secret: KubeObject) -> datetime | None:
    """Return when a bootstrap token ends; None if it does not end, or nobody can read when."""
    encoded = (secret.get("data") or {}).get("expiration")
    if secret.get("type") != TOKEN_SECRET_TYPE or not encoded:
        return None
    try:
        return parse_time(base64.b64decode(encoded).decode())
    except (InvalidTimeError, UnicodeDecodeError):
        return None


class TokenCleaner:
    """Deletes expired bootstrap tokens, as kube-controller-manager does.

    Args:
        store: Where their Secrets are.
        calls: Deletes them.
        now: The clock.
    """

    def __init__(self, store: Store, *, calls: OwnCalls, now: Callable[[], datetime]) -> None:
        self._store = store
        self._calls = calls
        self._now = now
        self._passes = passes("clean-bootstrap-tokens", self._clean)

    def note(self, change: Change) -> None:
        """Look at a token that changed."""
        if change.key == _SECRETS and change.type is not ChangeType.DELETED:
            self._look_at(change.object)

    def look_at_everything(self) -> None:
        """Look at all tokens."""
        for secret in self._store.objects(_SECRETS, namespace=TOKEN_NAMESPACE):
            self._look_at(secret)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    def _look_at(self, secret: KubeObject) -> None:
        metadata = secret["metadata"]
        if metadata["namespace"] == TOKEN_NAMESPACE and secret.get("type") == TOKEN_SECRET_TYPE:
            self._passes.enqueue(metadata["name"])

    async def _clean(self, name: str) -> Result:
        secret = self._store.find(_SECRETS, namespace=TOKEN_NAMESPACE, name=name)
        ends = None if secret is None else expiry(secret)
        if secret is None or ends is None:
            return DONE
        left = ends - self._now()
        if left > timedelta(0):
            return Result(look_again_in=left)
        await self._calls.delete(
            SECRETS, name, namespace=TOKEN_NAMESPACE, uid=secret["metadata"]["uid"]
        )
        log.debug("expired bootstrap token deleted", extra={"object": name})
        return DONE
