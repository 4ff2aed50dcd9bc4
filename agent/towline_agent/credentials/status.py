"""How a credential is doing, in words for operators and for the hub's conditions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from towline_api.certificate_report import rotated_message, rotation_failed_message
from towline_api.condition_types import REASON_CERTIFICATE_UPDATE_FAILED, REASON_CERTIFICATE_UPDATED
from towline_api.timestamps import format_time
from towline_certs.validity import Validity


class CredentialState(StrEnum):
    """What the keeper of a credential is doing."""

    STARTING = "starting"
    """The store was not read yet."""
    REQUESTING = "requesting"
    """A key is being made or its request is being posted."""
    WAITING = "waiting"
    """The request waits on the hub for its approval or its signer."""
    HOLDING = "holding"
    """The credential is good and not due for renewal."""
    PAUSED = "paused"
    """The last request came to nothing; the next one follows later."""
    FAILING = "failing"
    """Something is in the way (the hub, the store); it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialStatus:
    """How one credential is doing.

    Args:
        state: What its keeper is doing.
        reason: CamelCase word for programs.
        message: One line for people: what happened, on which object, what comes next.
        since: When this state began.
        validity: Validity of the newest credential that was put into use, be it over; None before
            the first.
        failure: What went wrong last, until a credential that is not due shows that it is over.
        failing_since: When something first went wrong since then.
    """

    state: CredentialState
    reason: str
    message: str
    since: datetime
    validity: Validity | None = None
    failure: str | None = None
    failing_since: datetime | None = None


class StatusBoard:
    """Where a keeper writes how its credential is doing.

    Args:
        on_status: Told each change.
        now: Reads the time.
    """

    def __init__(
        self, *, on_status: Callable[[CredentialStatus], None] | None, now: Callable[[], datetime]
    ) -> None:
        self._on_status = on_status
        self._now = now
        self.status = CredentialStatus(
            state=CredentialState.STARTING,
            reason="Starting",
            message="nothing was looked at yet",
            since=now(),
        )

    def tell(
        self,
        state: CredentialState,
        reason: str,
        message: str,
        *,
        validity: Validity | None,
        failure: str | None = None,
    ) -> bool:
        """Record and pass on how things are; return whether that is news."""
        old = self.status
        if failure is None and state is not CredentialState.HOLDING:
            failure = old.failure
        new = CredentialStatus(
            state=state,
            reason=reason,
            message=message,
            since=old.since if (old.state, old.reason) == (state, reason) else self._now(),
            validity=validity,
            failure=failure,
            failing_since=None if failure is None else old.failing_since or self._now(),
        )
        if new == old:
            return False
        self.status = new
        if self._on_status is not None:
            self._on_status(new)
        return True


@dataclass(frozen=True, slots=True)
class RotationReport:
    """What the condition `ClusterCertificateRotated` should say."""

    status: Literal["True", "False"]
    reason: str
    message: str


def rotation_report(status: CredentialStatus) -> RotationReport | None:
    """Return what to tell the hub about a certificate; None while there is nothing to tell.

    A failure is told until a newer certificate is in use.
    """
    validity = status.validity
    if status.failure is not None:
        failure = status.failure
        if status.failing_since is not None:
            failure = f"failing since {format_time(status.failing_since)}: {failure}"
        message = rotation_failed_message(
            failure, end=None if validity is None else validity.not_after
        )
        return RotationReport("False", REASON_CERTIFICATE_UPDATE_FAILED, message)
    if validity is None:
        return None
    message = rotated_message(start=validity.not_before, end=validity.not_after)
    return RotationReport("True", REASON_CERTIFICATE_UPDATED, message)
