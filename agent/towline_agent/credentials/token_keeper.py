"""The shell that asks for an add-on's tokens, keeps one that serves, and keeps it stored."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import NoReturn

from towline_agent.channel.hub_channel import HubChannel
from towline_agent.channel.hub_return import not_before
from towline_agent.credentials.secret_store import SecretStore
from towline_agent.credentials.service_account_tokens import (
    RefreshReport,
    ServiceAccountToken,
    TokenOrder,
    find_token,
    parse_token,
    refresh_report,
)
from towline_agent.credentials.state_tracking import CredentialFacts
from towline_agent.credentials.stored import StoredCredential
from towline_agent.running.resting import rest
from towline_api.errors import TowlineError
from towline_api.names import TOKEN_KEY
from towline_api.resources import SERVICE_ACCOUNTS
from towline_certs.validity import Validity
from towline_kube.backoff import Backoff
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=2))
_LONGEST_REST = timedelta(minutes=5)
"""Clocks are set and machines sleep, so even the longest wait looks at the time now and then."""
_CHANNEL_PATIENCE = timedelta(seconds=30)
_FAILURES_WORTH_TELLING = 3
"""One failed attempt is life; the hub's condition is not to flap for it."""


class TokenKeeper:
    """Keeps one add-on's token.

    Args:
        order: Which tokens to ask for.
        store: Where the token rests.
        channel: The hub under the cluster's own identity, which asks for every add-on.
        find_uid: Returns the account's UID as the hub names it; None until it does.
        beside: What is stored beside the token (`kubeconfig`, `cluster-name`); asked again at each
            look.
        on_token: Told each token that is put into use, once it is stored.
        on_status: Called whenever there may be news to report.
        clock: Time.
    """

    def __init__(
        self,
        order: TokenOrder,
        *,
        store: SecretStore,
        channel: HubChannel,
        find_uid: Callable[[], str | None],
        beside: Callable[[], Mapping[str, bytes]],
        on_token: Callable[[ServiceAccountToken], None],
        on_status: Callable[[], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._order = order
        self._store = store
        self._channel = channel
        self._find_uid = find_uid
        self._beside = beside
        self._on_token = on_token
        self._on_status = on_status
        self._clock = clock
        self._wake = asyncio.Event()
        self._stale = True
        self._files: dict[str, bytes] = {}
        self._token: ServiceAccountToken | None = None
        self._failure: str | None = None
        self._waiting = False
        self.renewals = 0
        """How many tokens were had from the hub, the first among them."""
        self.failures = 0
        """How many attempts at a step failed."""

    @property
    def token(self) -> ServiceAccountToken | None:
        """The token in use; None until the first is there."""
        return self._token

    @property
    def facts(self) -> CredentialFacts:
        """What is known of the token; not the token itself."""
        token = self._token
        if self._failure is not None:
            reason, message = "TokenRefused", self._failure
        elif token is not None:
            reason, message = "Holding", f"renewal is due at {token.refresh_at:%FT%TZ}"
        else:
            reason = "WaitingForAccount"
            message = "the hub has not made the add-on's service account yet"
        return CredentialFacts(
            reason=reason,
            message=message,
            validity=None if token is None else Validity(token.issued_at, token.expires_at),
            renew_at=None if token is None else token.refresh_at,
            is_refused=token is None and self._failure is not None,
        )

    def report(self) -> RefreshReport | None:
        """Return what to tell the hub about the token."""
        return refresh_report(self._token, failure=self._failure)

    def look_again(self) -> None:
        """Wake the keeper: the account's UID, or what it asks `beside` for, may have changed."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Keep the token until cancelled; it stays where it is."""
        where = self._store.description
        async with TaskGroup() as group:
            group.create_task(self._store.watch(self._note_change), name=f"watch-store/{where}")
            group.create_task(self._step_forever(), name=f"keep-token/{where}")
        raise AssertionError("a keeper's tasks never end by themselves")

    def _note_change(self) -> None:
        self._stale = True
        self._wake.set()

    async def _step_forever(self) -> NoReturn:
        failures = 0
        while True:
            self._wake.clear()
            try:
                delay = await self._take_step()
            except TowlineError as error:
                failures += 1
                self.failures += 1
                delay = _RETRIES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
                self._tell_failure(error, failures=failures)
                await self._clock.sleep(not_before(delay, error))
                continue
            failures = 0
            await rest(self._clock, min(delay, _LONGEST_REST), unless=self._wake)

    async def _take_step(self) -> timedelta:
        """Do what is to be done now; return how long nothing else is."""
        if self._stale:
            hub = self._channel.connection.server
            self._stale = False
            try:
                stored = (await self._store.read()).credential
            except TowlineError:
                self._stale = True
                raise
            # A token of another hub opens nothing here.
            is_ours = stored is not None and stored.hub in (None, hub)
            self._files = dict(stored.files) if stored is not None and is_ours else {}
        uid = self._find_uid()
        now = self._clock.now()
        kept = find_token(self._files, key=TOKEN_KEY)
        fault = "there is no token yet" if kept is None else kept.find_fault(uid=uid, now=now)
        if kept is not None and now < kept.expires_at and (uid is None or kept.uid == uid):
            await self._put_into_use(kept)
        if fault is None:
            return self._until_refresh()
        if uid is None:
            self._tell_waiting()
            return _LONGEST_REST
        self._waiting = False
        token = await self._ask(fault)
        self.renewals += 1
        await self._put_into_use(token)
        return self._until_refresh()

    def _until_refresh(self) -> timedelta:
        token = self._token
        if token is None:
            return _LONGEST_REST
        return max(token.refresh_at - self._clock.now(), timedelta(seconds=1))

    async def _ask(self, reason: str) -> ServiceAccountToken:
        client = await self._channel.wait_ready(timeout=_CHANNEL_PATIENCE)
        account = self._order.account
        log.info("asking for a token", extra={"object": str(account), "reason": reason})
        answer = await client.create(
            SERVICE_ACCOUNTS,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "metadata": {"name": account.name, "namespace": account.namespace},
                "spec": {"expirationSeconds": int(self._order.lifetime.total_seconds())},
            },
            subresource="token",
        )
        return parse_token(str((answer.get("status") or {}).get("token") or ""))

    async def _put_into_use(self, token: ServiceAccountToken) -> None:
        """Store a token with what belongs beside it, then use it."""
        files = {**self._beside(), TOKEN_KEY: token.text.encode()}
        if any(self._files.get(name) != content for name, content in files.items()):
            await self._store.write_credential(
                StoredCredential(
                    files=files, hub=self._channel.connection.server, issued_at=token.issued_at
                )
            )
            self._files = self._files | files
        if self._token is not None and self._token.text == token.text:
            if self._failure is not None and self._clock.now() < token.refresh_at:
                self._failure = None
                self._on_status()
            return
        self._token, self._failure = token, None
        log.info(
            "token in use",
            extra={"object": self._store.description, "not_after": f"{token.expires_at:%FT%TZ}"},
        )
        self._on_token(token)
        self._on_status()

    def _tell_waiting(self) -> None:
        if not self._waiting:
            self._waiting = True
            log.info(
                "waiting for the hub to make a service account",
                extra={"object": str(self._order.account)},
            )

    def _tell_failure(self, error: TowlineError, *, failures: int) -> None:
        message = str(error)
        level = logging.WARNING if failures == 1 else logging.DEBUG
        log.log(
            level,
            "token cannot be had now; trying again",
            extra={"object": self._store.description, "error": message, "attempt": failures},
        )
        ended = self._token is None or self._clock.now() >= self._token.expires_at
        if (failures >= _FAILURES_WORTH_TELLING or ended) and message != self._failure:
            self._failure = message
            self._on_status()
