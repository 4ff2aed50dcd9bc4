"""What was called: the last calls in memory, for tests that count them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from towline_sandbox.audit import AuditEvent
from towline_sandbox.embedded.serving.request_info import RequestInfo

LONGEST_LOG = 20_000
"""A call takes up about a kilobyte, so all of them take 20 MiB."""


@dataclass(slots=True)
class CallRecord:
    """One call.

    Args:
        info: What it was about.
        target: Path and query as they were sent.
        user: User name of the caller; empty if that was not found out.
        user_agent: How the caller's program introduced itself.
        started: When it came in.
        code: HTTP status of the answer; 0 if there was none (yet).
        is_decided: Whether it has had all the effect it will ever have, or begun to stream.
    """

    info: RequestInfo
    target: str
    user: str
    user_agent: str
    started: datetime
    code: int = 0
    is_decided: bool = False

    @property
    def verb(self) -> str:
        """Kubernetes' verb."""
        return self.info.verb

    @property
    def resource(self) -> str:
        """Plural name with group, without a subresource."""
        return self.info.qualified.partition("/")[0]

    @property
    def subresource(self) -> str:
        """For example `status`."""
        return self.info.subresource

    @property
    def namespace(self) -> str:
        """Namespace of the object."""
        return self.info.namespace

    @property
    def name(self) -> str:
        """Name of the object, if it stands in the path."""
        return self.info.name if self.info.has_name else ""

    def as_audit_event(self) -> AuditEvent:
        """Return it as an API server's audit log has it."""
        info = self.info
        return AuditEvent(
            at=self.started,
            user=self.user,
            user_agent=self.user_agent,
            verb=info.verb,
            resource=info.qualified if info.is_resource else "",
            namespace=info.namespace,
            name=self.name,
            path=self.target,
            status=self.code,
        )


class CallLog:
    """The last calls, in the order they came in. Read from any thread.

    Args:
        longest: How many are remembered.
    """

    def __init__(self, *, longest: int = LONGEST_LOG) -> None:
        # Appending to and copying a deque are each one step for other threads.
        self._records: deque[CallRecord] = deque(maxlen=longest)

    def note(self, record: CallRecord) -> None:
        """Remember a call."""
        self._records.append(record)

    def records(self) -> Sequence[CallRecord]:
        """Return the calls remembered."""
        return tuple(self._records)
