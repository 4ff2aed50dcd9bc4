"""Where a credential rests: the contract, and the form in a private directory.

The form in a Secret is `towline_agent.credentials.secret_store`.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn, Protocol

from watchfiles import awatch

from towline_agent.channel.mounted_folder import LISTEN_EVERY_MS
from towline_agent.credentials.enrollment import Progress
from towline_agent.credentials.stored import (
    Stored,
    StoredCredential,
    decode_credential,
    decode_progress,
    encode_credential,
    encode_progress,
)
from towline_api.errors import ConfigError, WireError
from towline_api.names import AGENT_NAME_KEY, CLUSTER_NAME_KEY, TLS_CERTIFICATE_KEY
from towline_certs.errors import StoreError, StoreProblem
from towline_certs.store import DirectoryStore
from towline_kube.clock import SYSTEM_CLOCK, Clock

log = logging.getLogger(__name__)

_NAMING = (CLUSTER_NAME_KEY, AGENT_NAME_KEY, TLS_CERTIFICATE_KEY)
"""Files that say which cluster and agent a credential is of, and hold no secret."""
_LOOK_EVERY = timedelta(minutes=5)
"""How often a directory is read although nothing was announced: file events get lost."""
_LOOK_AGAIN = timedelta(seconds=30)
"""How often a directory is read that cannot be listened to."""


class CredentialStore(Protocol):
    """One identity's place for its credential and for the key of its pending request."""

    @property
    def description(self) -> str:
        """What messages call it, for example `secret open-cluster-management-agent/x`."""
        ...

    async def read(self) -> Stored:
        """Return what is stored; what somebody broke counts as nothing, and is logged."""
        ...

    async def write_credential(self, credential: StoredCredential) -> None:
        """Replace the credential, completely or not at all."""
        ...

    async def write_progress(self, progress: Progress | None) -> None:
        """Replace what is known of the pending request; None forgets it."""
        ...

    async def remove(self) -> None:
        """Delete everything; nothing there is no error."""
        ...

    async def watch(self, on_change: Callable[[], None]) -> NoReturn:
        """Call back each time somebody may have changed the store; never returns."""
        ...


class DirectoryCredentialStore:
    """A store in a directory of this machine, for agents that run outside of a cluster.

    `current` under it is the credential as a Secret would hold it; `pending` belongs to the
    request that is under way. Both are readable for their owner only.

    Args:
        path: The directory; made if missing.
        clock: Time.
    """

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._current = DirectoryStore(path / "current")
        self._pending = DirectoryStore(path / "pending")

    @property
    def description(self) -> str:
        """What messages call it."""
        return f"directory {self._path}"

    async def read(self) -> Stored:
        """Return what is stored."""
        current, pending = await asyncio.to_thread(self._read_files)
        credential, progress = None, None
        if current:
            credential = decode_credential(current)
        elif names := await asyncio.to_thread(self._salvage_names):
            credential = StoredCredential(files=names)
        try:
            progress = decode_progress(pending)
        except WireError as error:
            log.warning(
                "stored record is broken", extra={"object": self.description, "error": str(error)}
            )
        return Stored(credential=credential, progress=progress)

    def _read_files(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        self._make_directory()
        return self._read_one(self._current), self._read_one(self._pending)

    def _salvage_names(self) -> dict[str, bytes]:
        """Return what still says whose credential it was: a cluster keeps its name.

        No key, and no word about the hub: nobody knows who has seen or changed them.
        """
        found = self._current.salvage()
        return {name: found[name] for name in _NAMING if found.get(name)}

    def _make_directory(self) -> None:
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{self.description} cannot be made: {error.strerror}; name another one"
            ) from error

    def _read_one(self, store: DirectoryStore) -> dict[str, bytes]:
        try:
            return dict(store.read())
        except StoreError as error:
            if error.reason is StoreProblem.IO:
                raise
            if error.reason is not StoreProblem.NOTHING_STORED:
                log.warning(
                    "stored files cannot be used",
                    extra={"object": self.description, "error": str(error)},
                )
            return {}

    def _write(self, store: DirectoryStore, files: dict[str, bytes]) -> None:
        self._make_directory()
        store.write(files)

    async def write_credential(self, credential: StoredCredential) -> None:
        """Replace the credential, completely or not at all."""
        await asyncio.to_thread(self._write, self._current, encode_credential(credential))

    async def write_progress(self, progress: Progress | None) -> None:
        """Replace what is known of the pending request."""
        if progress is None:
            await asyncio.to_thread(self._pending.remove)
        else:
            await asyncio.to_thread(self._write, self._pending, encode_progress(progress))

    async def remove(self) -> None:
        """Delete both parts; the directory itself stays."""
        await asyncio.to_thread(self._current.remove)
        await asyncio.to_thread(self._pending.remove)

    async def watch(self, on_change: Callable[[], None]) -> NoReturn:
        """Call back once it listens, when files below the directory change, and now and then."""
        milliseconds = _LOOK_EVERY // timedelta(milliseconds=1)
        refusal: str | None = None
        while True:
            try:
                events = awatch(
                    self._path,
                    step=LISTEN_EVERY_MS,
                    rust_timeout=milliseconds,
                    yield_on_timeout=True,
                )
                # Listening begins in the first step of the loop below, which waits only then.
                # What changed after the last reading and before that was heard by nobody.
                asyncio.get_running_loop().call_soon(on_change)
                async for _ in events:
                    refusal = None
                    on_change()
            except (OSError, RuntimeError) as error:
                # The directory is away, or the system has no watches left (which the library says
                # by a RuntimeError). It is looked at now and then instead, and made anew by that.
                if str(error) != refusal:
                    refusal = str(error)
                    log.info(
                        "directory cannot be listened to; looking at it now and then",
                        extra={"object": self.description, "error": refusal},
                    )
            on_change()
            await self._clock.sleep(_LOOK_AGAIN)
