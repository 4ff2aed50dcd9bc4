"""The certificate requests that wait, in line by who asks for what.

Flood protection asks of each request how many of the same identity came before it, and when those
were answered. The lines are kept up to date change by change, so that the answer costs the same
whether ten requests wait or ten thousand. They hold nothing but what the cache of requests holds.
"""

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from towline_api.errors import WireError
from towline_api.resources import KubeObject
from towline_certs.approval_case import find_agent
from towline_certs.flood import NO_TRAFFIC, FloodKey, FloodLimits, Traffic
from towline_certs.signing_requests import SigningRequest
from towline_kube.cache import Cache
from towline_kube.store import Change

_BEGINNING = datetime.min.replace(tzinfo=UTC)

_Place = tuple[datetime, str]
"""When, and the request's name, so that those of one second have an order as well."""


@dataclass(frozen=True, slots=True)
class _Entry:
    key: FloodKey
    created: _Place
    decided: _Place | None


@dataclass(slots=True)
class _Line:
    pending: list[_Place] = field(default_factory=list)
    decided: list[_Place] = field(default_factory=list)


class RequestLines:
    """The lines of all identities that ask for anything of ours.

    Args:
        requests: The certificate requests.
        limits: How many of a line are looked at.
        wake: Told of a request that has moved up, so that it is looked at again.
    """

    def __init__(
        self, requests: Cache, *, limits: FloodLimits, wake: Callable[[str], None]
    ) -> None:
        self._limits = limits
        self._wake = wake
        self._entries: dict[str, _Entry] = {}
        self._lines: dict[FloodKey, _Line] = {}
        self._of_cluster: dict[str, dict[FloodKey, None]] = {}
        requests.on_change(self._take)

    def traffic(self, request: SigningRequest) -> Traffic:
        """Return what else the identity behind a request has been asking."""
        key = _key_of(request)
        line = self._lines.get(key) if key is not None else None
        if line is None:
            return NO_TRAFFIC
        # No more of them can count than the limit has.
        latest = line.decided[-self._limits.max_per_hour :] if self._limits.max_per_hour else []
        return Traffic(
            older_pending=bisect.bisect_left(line.pending, _place(request.created, request.name)),
            decided=tuple(when for when, _ in latest),
        )

    def in_line(self, cluster: str) -> Iterable[str]:
        """Return the undecided requests labelled with a cluster, but those too many."""
        for key in self._of_cluster.get(cluster, ()):
            for _, name in self._lines[key].pending[: self._limits.waiting_line]:
                yield name

    def _take(self, change: Change) -> None:
        name = change.key.name
        old = self._entries.get(name)
        if old is not None and old.decided is not None and change.new is not None:
            return  # the signer is done, or somebody wrote a label: its place stays what it was
        new = None if change.new is None else _entry(change.new)
        if old == new:
            return
        if new is None:
            self._entries.pop(name, None)
        else:
            self._entries[name] = new
        moved_up: list[str] = []
        if old is not None:
            moved_up = self._remove(old, is_gone=new is None or new.key != old.key)
        if new is not None:
            self._insert(new)
        for name in moved_up:
            self._wake(name)

    def _insert(self, entry: _Entry) -> None:
        line = self._lines.get(entry.key)
        if line is None:
            line = self._lines[entry.key] = _Line()
            if entry.key.cluster:
                self._of_cluster.setdefault(entry.key.cluster, {})[entry.key] = None
        if entry.decided is None:
            bisect.insort(line.pending, entry.created)
        else:
            bisect.insort(line.decided, entry.decided)

    def _remove(self, entry: _Entry, *, is_gone: bool) -> list[str]:
        """Take a request out of its line; return those behind it that this concerns."""
        line = self._lines[entry.key]
        places, place = (
            (line.pending, entry.created)
            if entry.decided is None
            else (line.decided, entry.decided)
        )
        position = bisect.bisect_left(places, place)
        del places[position]
        last = self._limits.waiting_line
        if is_gone:
            # Neither waiting nor answered any more: there is more room for all that wait.
            concerned = line.pending[:last]
        else:
            # It was answered: one moves up, the room of an hour is what it was.
            concerned = line.pending[last - 1 : last] if position < last else []
        if not line.pending and not line.decided:
            del self._lines[entry.key]
            of_cluster = self._of_cluster.get(entry.key.cluster, {})
            of_cluster.pop(entry.key, None)
            if not of_cluster:
                self._of_cluster.pop(entry.key.cluster, None)
        return [name for _, name in concerned]


def _entry(obj: KubeObject) -> _Entry | None:
    try:
        request = SigningRequest.from_csr(obj)
    except WireError:
        return None  # no API server lets such a one in; who decides about it says so
    key = _key_of(request)
    if key is None:
        return None
    created = _place(request.created, request.name)
    decided = None
    if request.is_decided:
        decided = _place(request.decided_at or request.created, request.name)
    return _Entry(key, created, decided)


def _key_of(request: SigningRequest) -> FloodKey | None:
    """Return whose request it is; None for one that has nothing to do with managed clusters."""
    if request.cluster is None and find_agent(request.username) is None:
        return None
    return FloodKey(
        request.username, request.cluster or "", request.addon or "", request.signer_name
    )


def _place(when: datetime | None, name: str) -> _Place:
    return (when or _BEGINNING, name)
