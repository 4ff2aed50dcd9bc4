"""The shell that earns one credential, keeps it fresh and keeps it stored."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NoReturn, assert_never

from towline_agent.channel.hub_return import not_before
from towline_agent.credentials.asker import Asker
from towline_agent.credentials.custody import Custody
from towline_agent.credentials.enrollment import (
    Absent,
    CertificateOrder,
    Dead,
    DiscardPending,
    Facts,
    Holding,
    LookUpRequest,
    MakeKey,
    NothingStored,
    NotLookedUp,
    Pause,
    Paused,
    Pending,
    PostRequest,
    StoreCredential,
    Unusable,
    Usable,
    UseCredential,
    WaitForRequest,
    Waiting,
    is_overdue,
    next_step,
)
from towline_agent.credentials.hub_request import HubRequest
from towline_agent.credentials.proof import CredentialProof
from towline_agent.credentials.request_limits import (
    DEFAULT_PAUSES,
    REQUESTS_AN_HOUR,
    time_until_request,
)
from towline_agent.credentials.signing_requests import new_pending
from towline_agent.credentials.state_tracking import CredentialFacts
from towline_agent.credentials.status import CredentialState, CredentialStatus, StatusBoard
from towline_agent.credentials.stored import StoredCredential
from towline_agent.credentials.stores import CredentialStore
from towline_agent.running.resting import rest
from towline_api.errors import TowlineError
from towline_certs.credentials import Credential, parse_credential
from towline_certs.validity import Validity
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Unauthorized
from towline_kube.log_context import log_context
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=2))
"""Between attempts at one step while the hub or the store cannot be reached."""
_LONGEST_REST = timedelta(minutes=5)
"""Clocks are set and machines sleep, so even the longest wait looks at the time now and then."""
_FAILURES_WORTH_TELLING = 3
"""One failed attempt is life; the hub's condition is not to flap for it."""


class CredentialKeeper:
    """Keeps one identity's credential: the cluster's, or that of one add-on registration.

    Args:
        order: What certificate to ask for.
        store: Where the credential and the pending key rest.
        asker: Under whose name to ask. For add-ons: `ChannelAsker(channel)`.
        hub: URL of the hub; a credential stored for another hub is not used.
        beside: What is stored beside `tls.key` and `tls.crt` (`kubeconfig`, `cluster-name`, ...);
            asked again at each look, so that a change of it (a new CA) is stored as well.
        on_credential: Told each credential that is put into use, once it is stored.
        on_status: Told each change of the status.
        proof: Shows a new credential to the hub before it replaces one that works; None replaces
            it unseen.
        pauses: How long to wait after requests that came to nothing.
        clock: Time.
    """

    def __init__(
        self,
        order: CertificateOrder,
        *,
        store: CredentialStore,
        asker: Asker,
        hub: str,
        beside: Callable[[], Mapping[str, bytes]],
        on_credential: Callable[[Credential], None] | None = None,
        on_status: Callable[[CredentialStatus], None] | None = None,
        proof: CredentialProof | None = None,
        pauses: Backoff = DEFAULT_PAUSES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._order = order
        self._asker = asker
        self._beside = beside
        self._on_credential = on_credential
        self._proof = proof
        self._pauses = pauses
        self._clock = clock
        self._wake = asyncio.Event()
        self._nudge = asyncio.Event()
        self._custody = Custody(store, order=order, hub=hub, changed=self._wake, clock=clock)
        self._board = StatusBoard(on_status=on_status, now=clock.now)
        self._at_hub = HubRequest(order, wake=self._wake, clock=clock)
        self._credential: Credential | None = None
        self._validity: Validity | None = None
        self._asking_with = ""
        self._holding: Holding = NothingStored()
        self._keys_made: deque[float] = deque(maxlen=REQUESTS_AN_HOUR)
        self._refused_in_vain = 0
        self._refusal: str | None = None
        self.renewals = 0
        """How many certificates were earned and stored, the first among them."""
        self.failures = 0
        """How many attempts at a step failed, and how many requests came to nothing."""
        self.has_looked = False
        """Whether `credential` says what the store holds; before, it is None whatever is stored."""
        self.stuck_since: datetime | None = None
        """Since when every attempt at a step has failed; None if the last one did not."""
        self.is_recorded = asyncio.Event()
        """Set once the store holds who we are: a credential, or the key of a request for one."""

    @property
    def status(self) -> CredentialStatus:
        """How the credential is doing."""
        return self._board.status

    @property
    def credential(self) -> Credential | None:
        """The credential in use; None until the first is earned."""
        return self._credential

    @property
    def stored(self) -> StoredCredential | None:
        """The credential as it rests in the store, usable or not; None if there is none."""
        return self._custody.credential

    @property
    def request_facts(self) -> dict[str, str]:
        """What to log beside whatever concerns the latest request and its certificate."""
        return self._at_hub.facts

    @property
    def facts(self) -> CredentialFacts:
        """What is known of the credential and of the request for the next; without any key."""
        progress, status = self._custody.progress, self.status
        # Not what the last step saw: between two writes that would tell of no credential at all.
        holding, credential = self._custody.assess()
        pending = progress if isinstance(progress, Pending) else None
        return CredentialFacts(
            reason=status.reason,
            message=status.message,
            validity=self._validity if credential is None else credential.validity,
            renew_at=holding.renew_at if isinstance(holding, Usable) else None,
            request=pending.request_name if pending is not None else None,
            requested_at=pending.created if pending is not None else None,
            is_refused=isinstance(progress, Paused),
        )

    def look_again(self) -> None:
        """Wake the keeper: what it asks `beside` for may have changed, or whom it asks as."""
        self._wake.set()
        self._nudge.set()

    def refuse(self, reason: str) -> None:
        """Stop using the present credential: the hub does not take it, whatever its dates say."""
        if self._credential is not None:
            is_news = self._custody.refuse(self._credential, reason=reason)
            if is_news and self._keys_made:
                # The hub refuses what it has just issued to us, and may go on like that for ever.
                self._refused_in_vain += 1
                self._refusal = reason
            self._wake.set()

    async def run(self) -> NoReturn:
        """Keep the credential until cancelled. Cancel it at any point: nothing is lost."""
        where = self._custody.where
        async with TaskGroup() as group:
            group.create_task(self._custody.watch(), name=f"watch-store/{where}")
            group.create_task(self._step_forever(), name=f"keep-credential/{where}")
        raise AssertionError("a keeper's tasks never end by themselves")

    async def _step_forever(self) -> NoReturn:
        failures = 0
        while True:
            self._wake.clear()
            self._nudge.clear()
            try:
                with log_context(**self.request_facts):
                    if self._custody.is_stale:
                        await self._custody.refresh()
                    await self._take_step()
            except TowlineError as error:
                failures += 1
                self.failures += 1
                self.stuck_since = self.stuck_since or self._clock.now()
                delay = _delay_after(error, failures)
                self._tell_failure(error, failures=failures, delay=delay)
                await rest(self._clock, delay, unless=self._nudge)
            else:
                self.stuck_since = None
                if failures:
                    log.info(
                        "credential is being kept again", extra={"object": self._custody.where}
                    )
                failures = 0

    async def _take_step(self) -> None:
        holding, credential = self._custody.assess()
        self._holding = holding
        if self._refusal is not None and self._custody.progress is None:
            await self._pause_after_refusal(self._refusal)
        if isinstance(holding, Unusable) and holding.ended is not None and self._validity is None:
            # Also after a restart the hub is to hear when the certificate ended.
            self._validity = holding.ended
        await self._put_into_use(credential, holding)
        self.has_looked = True
        if credential is not None or self._custody.progress is not None:
            self.is_recorded.set()
        step = next_step(
            Facts(
                order=self._order,
                holding=holding,
                progress=self._custody.progress,
                request=self._at_hub.found,
                now=self._clock.now(),
            )
        )
        match step:
            case UseCredential(until=until):
                self._tell(CredentialState.HOLDING, "Holding", f"renewal is due at {until:%FT%TZ}")
                await self._rest_until(until)
            case MakeKey(reason=reason, failures=failures):
                wait = time_until_request(self._keys_made, now=self._clock.monotonic())
                if wait:
                    await self._rest_from_requests(wait, why=reason)
                    return
                if isinstance(holding, Usable):
                    self._refused_in_vain = 0
                self._keys_made.append(self._clock.monotonic())
                self._tell(CredentialState.REQUESTING, "MakingKey", reason)
                self._at_hub.forget_uid()
                log.info("making a key", extra={"object": self._custody.where, "reason": reason})
                pending = new_pending(self._order, now=self._clock.now(), failures=failures)
                await self._custody.store_progress(pending)
                # A key that did not exist a moment ago cannot have been posted.
                self._at_hub.found = Absent()
            case LookUpRequest(pending=pending):
                await self._at_hub.look_up(pending, await self._client(holding))
            case PostRequest(pending=pending):
                await self._post(pending, await self._client(holding))
            case WaitForRequest(pending=pending):
                await self._wait_for(pending, await self._client(holding), holding)
            case StoreCredential(pending=pending, certificate_pem=certificate_pem):
                await self._store(pending, certificate_pem, replaces=isinstance(holding, Usable))
            case DiscardPending():
                await self._discard(step)
            case Pause(until=until, reason=reason):
                self._tell(CredentialState.PAUSED, "Paused", reason, failure=reason)
                await self._rest_until(until)
            case _:
                assert_never(step)

    async def _put_into_use(self, credential: Credential | None, holding: Holding) -> None:
        old = self._credential
        if credential is None:
            self._credential = None
            if old is not None:
                reason = holding.reason if isinstance(holding, Unusable) else "it is gone"
                log.warning(
                    "credential lost", extra={"object": self._custody.where, "reason": reason}
                )
            return
        await self._custody.store_beside(self._beside())
        if old is not None and old.fingerprint == credential.fingerprint:
            return
        self._credential = credential
        # Outlives the credential: the hub is told when it ends, also by a clock that differs.
        self._validity = credential.validity
        until = f"{credential.validity.not_after:%FT%TZ}"
        log.info("credential in use", extra={"object": self._custody.where, "not_after": until})
        if self._on_credential is not None:
            self._on_credential(credential)

    async def _client(self, holding: Holding) -> Client:
        client = await self._asker.client_for(renewing=isinstance(holding, Usable))
        self._asking_with = client.connection.source
        return client

    async def _post(self, pending: Pending, client: Client) -> None:
        self._tell(
            CredentialState.REQUESTING, "PostingRequest", f"posting request {pending.request_name}"
        )
        await self._at_hub.post(pending, client)

    async def _wait_for(self, pending: Pending, client: Client, holding: Holding) -> None:
        until = self._clock.now() + _LONGEST_REST
        if isinstance(holding, Usable):
            # A certificate is still good in its last second.
            until = min(until, holding.expires_at + timedelta(seconds=1))
        await self._at_hub.wait(
            pending,
            client,
            until=until,
            is_disturbed=lambda: self._custody.is_stale,
            on_waiting=lambda waiting: self._tell_waiting(pending, waiting),
        )

    async def _store(self, pending: Pending, certificate_pem: bytes, *, replaces: bool) -> None:
        credential = parse_credential(key_pem=pending.key_pem, certificate_pem=certificate_pem)
        if replaces and self._proof is not None:
            refusal = await self._proof.find_refusal(credential)
            if refusal is not None:
                message = f"the hub refuses the certificate of request {pending.request_name}"
                self._at_hub.found = Dead(
                    "Refused", f"{message}: {refusal}; going on with the old one"
                )
                return
        self._at_hub.found, self._refusal = NotLookedUp(), None
        await self._custody.store_credential(credential, beside=self._beside())
        self.renewals += 1
        log.info(
            "certificate stored",
            extra={
                "csr": pending.request_name,
                "object": self._custody.where,
                "not_after": f"{credential.validity.not_after:%FT%TZ}",
            },
        )

    async def _discard(self, step: DiscardPending) -> None:
        progress: Paused | None = None
        if step.failures:
            self.failures += 1
            now = self._clock.now()
            until = now + self._pauses.delay(step.failures, roll=random.random())  # noqa: S311 - spreads load
            progress = Paused(
                until=until,
                failures=step.failures,
                reason=f"{step.message}; asking again at {until:%FT%TZ}",
                subject=self._order.subject,
            )
        log.warning(
            "certificate request came to nothing",
            extra={"object": self._custody.where, "reason": step.reason, "error": step.message},
        )
        await self._custody.store_progress(progress)
        self._at_hub.found = NotLookedUp()

    async def _pause_after_refusal(self, reason: str) -> None:
        """Have the next request wait, the longer the more certificates were refused in a row."""
        failures = self._refused_in_vain
        delay = self._pauses.delay(failures, roll=random.random())  # noqa: S311 - spreads load
        until = self._clock.now() + delay
        paused = Paused(
            until=until,
            failures=failures,
            reason=f"the hub refuses the certificate it issued: {reason}; asking for another at "
            f"{until:%FT%TZ}",
            subject=self._order.subject,
        )
        await self._custody.store_progress(paused)
        self._refusal = None

    async def _rest_from_requests(self, wait: timedelta, *, why: str) -> None:
        """Make no key for a while, though one is due: no hub is ever flooded with requests."""
        until = self._clock.now() + wait
        message = (
            f"{REQUESTS_AN_HOUR} certificates were asked for within an hour; asking again at "
            f"{until:%FT%TZ} ({why})"
        )
        if self._tell(CredentialState.PAUSED, "TooManyRequests", message, failure=message):
            log.warning(
                "too many certificate requests; pausing",
                extra={"object": self._custody.where, "reason": message},
            )
        await self._rest_until(until)

    async def _rest_until(self, until: datetime) -> None:
        delay = min(until - self._clock.now(), _LONGEST_REST)
        await rest(self._clock, delay, unless=self._wake)

    def _tell_waiting(self, pending: Pending, waiting: Waiting) -> None:
        name = pending.request_name
        if waiting.note:
            reason, message = "WaitingForClock", waiting.note
        elif waiting.approved:
            reason, message = "WaitingForSigner", f"request {name} is approved; its signer is next"
        else:
            reason, message = "WaitingForApproval", f"request {name} waits for the hub's approval"
        # Once the credential has ended nobody can tell the hub what it hangs on.
        failure = message if is_overdue(self._holding, now=self._clock.now()) else None
        if self._tell(CredentialState.WAITING, reason, message, failure=failure):
            log.info(
                "waiting for a certificate",
                extra={"csr": name, "reason": message} | self.request_facts,
            )

    def _tell_failure(self, error: TowlineError, *, failures: int, delay: timedelta) -> None:
        message = str(error)
        if isinstance(error, Unauthorized):
            # Which of an agent's credentials it was is what has to be known first.
            message = f"{self._asking_with}: {message}"
        failure = message if failures >= _FAILURES_WORTH_TELLING else None
        self._tell(CredentialState.FAILING, type(error).__name__, message, failure=failure)
        if failures == 1:
            log.warning(
                "credential cannot be kept at the moment; trying again",
                extra={
                    "object": self._custody.where,
                    "error": message,
                    "delay_s": round(delay.total_seconds(), 1),
                }
                | self.request_facts,
            )

    def _tell(
        self, state: CredentialState, reason: str, message: str, *, failure: str | None = None
    ) -> bool:
        return self._board.tell(state, reason, message, validity=self._validity, failure=failure)


def _delay_after(error: TowlineError, failures: int) -> timedelta:
    return not_before(_RETRIES.delay(failures, roll=random.random()), error)  # noqa: S311 - spreads load
