"""Where a credential rests: a Secret on the managed cluster, or a private directory."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from towline_agent.enrollment import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """One generation of a credential, written and read as a whole.

    Args:
        files: By name: `tls.key`, `tls.crt`, and what goes with them (`kubeconfig`,
            `cluster-name`, ...).
        issued_at: When this credential was stored first. Signers may date certificates back, so
            its own start says little about how long it was meant to live.
        hub: URL of the hub that issued it; None in credentials others have stored.
    """

    files: Mapping[str, bytes] = field(repr=False)
    issued_at: datetime | None = None
    hub: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Everything a store holds for one identity."""

    credential: StoredCredential | None = None
    progress: Progress | None = None


class CredentialStore(Protocol):
    """One identity's place for its credential and for the key of its pending request."""

    @property
    def description(self) -> str:
        """What messages call it, for example `secret open-cluster-management-agent/x`."""
        ...

    async def read(self) -> Stored:
        """Return what is stored; what cannot be read counts as nothing, and is logged."""
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

    def changes(self) -> AsyncIterator[None]:
        """Yield, endlessly, each time somebody may have changed the store."""
        ...
