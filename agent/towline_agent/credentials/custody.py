"""One identity's credential in memory and in its store, kept the same whoever touches the store."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from towline_agent.credentials.enrollment import (
    CertificateOrder,
    Holding,
    Progress,
    Unusable,
    Usable,
    progress_at,
)
from towline_agent.credentials.stored import Stored, StoredCredential, assess
from towline_agent.credentials.stores import CredentialStore
from towline_certs.credentials import Credential
from towline_kube.clock import Clock

log = logging.getLogger(__name__)


REFUSED_FOR = timedelta(minutes=4)
"""How long a refused credential is not tried again; then once more, if none has followed it."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why the hub refuses a credential, and until when that is believed."""

    reason: str
    until: float


class Custody:
    """Holds what is stored for one identity. Only one task may read and write through it.

    The store is written first and memory after it, so that memory never knows more than a restart
    would.

    Args:
        store: Where it rests.
        order: What a credential must have been issued for.
        hub: URL of the hub a credential must be for.
        changed: Set when somebody touched the store; `refresh` is due then.
        clock: Time.
    """

    def __init__(
        self,
        store: CredentialStore,
        *,
        order: CertificateOrder,
        hub: str,
        changed: asyncio.Event,
        clock: Clock,
    ) -> None:
        self._store = store
        self._order = order
        self._hub = hub
        self._changed = changed
        self._clock = clock
        self._stored = Stored()
        self._was_read = False
        self._is_stale = True
        self._refused: dict[str, _Refusal] = {}

    @property
    def where(self) -> str:
        """What messages call the store."""
        return self._store.description

    @property
    def credential(self) -> StoredCredential | None:
        """What is stored as the credential."""
        return self._stored.credential

    @property
    def progress(self) -> Progress | None:
        """What is known of the request under way."""
        return self._stored.progress

    @property
    def is_stale(self) -> bool:
        """Whether somebody may have touched the store since `refresh`."""
        return self._is_stale

    async def watch(self) -> NoReturn:
        """Notice when somebody touches the store, until cancelled."""
        await self._store.watch(self._note_change)

    def _note_change(self) -> None:
        self._is_stale = True
        self._changed.set()

    def refuse(self, credential: Credential, *, reason: str) -> bool:
        """Count a credential as unusable for a while: the hub does not take it.

        Not for ever: a hub whose authentication is broken refuses everybody, and an agent whose
        bootstrap credential has ended has nothing else to come back with.

        Returns:
            Whether that is news.
        """
        is_news = credential.fingerprint not in self._refused
        until = self._clock.monotonic() + REFUSED_FOR.total_seconds()
        self._refused = {credential.fingerprint: _Refusal(reason, until)}
        # Somebody else may have stored a better one; and whoever waits has to look at this anew.
        self._note_change()
        return is_news

    def assess(self) -> tuple[Holding, Credential | None]:
        """Return whether the credential can be used now, and the credential if so."""
        return self._assess(self._stored.credential)

    async def refresh(self) -> None:
        """Take over what the store holds, or put back what somebody damaged."""
        self._is_stale = False
        try:
            found = await self._store.read()
            if not self._was_read:
                progress = progress_at(found.progress, hub=self._hub)
                self._stored = Stored(credential=found.credential, progress=progress)
                self._was_read = True
            elif not _same(found.credential, self._stored.credential):
                await self._settle(found.credential)
            if found.has_leftover or found.progress != self._stored.progress:
                # The key of a request under way must survive the next restart; a used one must not.
                await self._store.write_progress(self._stored.progress)
        except BaseException:
            self._is_stale = True
            raise

    async def _settle(self, found: StoredCredential | None) -> None:
        """Decide between the credential in memory and another one found in the store."""
        theirs, _ = self._assess(found)
        own, _ = self._assess(self._stored.credential)
        if isinstance(own, Usable) and self._stored.credential is not None:
            if not isinstance(theirs, Usable) or theirs.expires_at <= own.expires_at:
                log.warning(
                    "stored credential was changed or removed by somebody; writing it again",
                    extra={"object": self.where},
                )
                await self._store.write_credential(self._stored.credential)
                return
            log.info("newer credential found in the store", extra={"object": self.where})
        self._stored = Stored(credential=found, progress=self._stored.progress)

    async def store_beside(self, beside: Mapping[str, bytes]) -> None:
        """Store what goes with the credential, if it differs from what is stored."""
        stored = self._stored.credential
        if stored is None or all(
            stored.files.get(name) == content for name, content in beside.items()
        ):
            return
        log.info("storing what goes with the credential anew", extra={"object": self.where})
        await self._write(
            StoredCredential(
                files={**stored.files, **beside}, issued_at=stored.issued_at, hub=self._hub
            )
        )

    async def store_credential(
        self, credential: Credential, *, beside: Mapping[str, bytes]
    ) -> None:
        """Store a new credential, then forget the key that was pending for it."""
        await self._write(
            StoredCredential(
                files={**beside, **credential.files},
                issued_at=self._clock.now(),
                hub=self._hub,
            )
        )
        await self._store.write_progress(None)

    async def store_progress(self, progress: Progress | None) -> None:
        """Store what is known of the request under way; None forgets it."""
        if progress is not None:
            progress = replace(progress, hub=self._hub)
        await self._store.write_progress(progress)
        self._stored = Stored(credential=self._stored.credential, progress=progress)

    async def _write(self, credential: StoredCredential) -> None:
        await self._store.write_credential(credential)
        # `Stored` drops a pending key that the credential uses, as it will after a restart.
        self._stored = Stored(credential=credential, progress=self._stored.progress)

    def _assess(self, stored: StoredCredential | None) -> tuple[Holding, Credential | None]:
        holding, credential = assess(
            stored, order=self._order, hub=self._hub, now=self._clock.now()
        )
        refusal = None if credential is None else self._refused.get(credential.fingerprint)
        if refusal is not None and self._clock.monotonic() < refusal.until:
            return Unusable(f"the hub refuses the stored credential: {refusal.reason}"), None
        return holding, credential


def _same(one: StoredCredential | None, other: StoredCredential | None) -> bool:
    if one is None or other is None:
        return one is other
    return dict(one.files) == dict(other.files)
