"""Telling people what happened to an object, as Kubernetes Events."""

import asyncio
import hashlib
import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import NoReturn, Protocol

from towline_api.errors import TowlineError
from towline_api.metadata import ObjectKey, name_of, namespace_of
from towline_api.resources import EVENTS, KubeObject, Resource
from towline_api.timestamps import format_micro_time
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, NotFound
from towline_kube.event_backlog import EventBacklog

log = logging.getLogger(__name__)

NOTE_LIMIT = 1024
"""Bytes of UTF-8 that an API server takes in a note."""

WORD_LIMIT = 128
"""Characters that an API server takes in a reason, an action and an instance."""

UPDATE_EVERY = timedelta(minutes=1)
"""How often the count of one repeated event is written: often enough for somebody who watches,
and at most 60 writes an hour for something that fails all the time."""

SERIES_END = timedelta(minutes=30)
"""A repeat after a longer pause is told as a new event. Events live for an hour by default, so the
one that would be updated may be about to disappear."""

CALL_TIMEOUT = timedelta(seconds=5)
"""Nobody's pass should wait long to tell what it did."""

FLUSH_WITHIN = timedelta(seconds=5)
"""How long a process that ends still tells what happened."""

_MAX_SERIES = 1_000
_DEFAULT_NAMESPACE = "default"  # where Kubernetes keeps the events of cluster-scoped objects


class EventType(StrEnum):
    """Whether something went as it should."""

    NORMAL = "Normal"
    WARNING = "Warning"


class EventWriter(Protocol):
    """The part of a client that events need."""

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        """Create an object."""
        ...

    async def patch(
        self, resource: Resource, name: str, patch: KubeObject, *, namespace: str | None = None
    ) -> KubeObject:
        """Merge a patch into an object."""
        ...


@dataclass(frozen=True, slots=True)
class _Sameness:
    """What two events have in common if the second is a repeat of the first."""

    namespace: str
    regarding: tuple[tuple[str, str], ...]
    type: str
    reason: str
    action: str
    note: str


@dataclass(slots=True)
class _Series:
    """An event that was sent, and what is known of its repeats."""

    name: str
    last_seen: datetime
    written_at: float
    count: int = 1
    written_count: int = field(default=1)


def _nobody_counts() -> None:
    """Do nothing about an event that was lost; the log tells of it anyhow."""


class EventRecorder:
    """Records events.k8s.io/v1 Events; a repeat counts up the first instead of adding another.

    Events are a courtesy to people: `record` never fails for the API server's sake, and while `run`
    runs nobody waits for it. A kind of failure is logged when it first happens and when events get
    through again.

    The count of a repeated event is written at most every `UPDATE_EVERY`, along with a later
    repeat; `flush` writes what is still held back. At most 1,000 different events are remembered,
    the latest ones.

    Args:
        client: Writes the events.
        controller: Who reports, as a qualified name such as `klusterlet-agent`.
        instance: Which instance of it, for example the host's name; cut to 128 characters.
        call_timeout: How long one call may take, in real time.
        clock: Where time comes from.
        on_lost: Called for each event, or count of a repeated one, that nobody will find; must
            neither raise nor block.
    """

    def __init__(
        self,
        client: EventWriter,
        *,
        controller: str,
        instance: str,
        call_timeout: timedelta = CALL_TIMEOUT,
        clock: Clock = SYSTEM_CLOCK,
        on_lost: Callable[[], None] = _nobody_counts,
    ) -> None:
        if not controller or not instance:
            raise ValueError(
                "an event names the controller and the instance that report it; "
                f"got {controller!r} and {instance!r}"
            )
        self._client = client
        self._controller = controller
        self._instance = instance[:WORD_LIMIT]
        self._call_timeout = call_timeout
        self._clock = clock
        self._series: OrderedDict[_Sameness, _Series] = OrderedDict()
        self._failing: set[type[Exception]] = set()
        self._on_lost = on_lost
        self._backlog = EventBacklog(clock=clock, on_dropped=on_lost)

    async def run(self) -> NoReturn:
        """Send behind everybody's back what is recorded, until cancelled.

        In a storm the events come after what they tell of; see `EventBacklog` for the pace.
        """
        await self._backlog.run()

    async def record(
        self,
        about: KubeObject,
        *,
        reason: str,
        note: str,
        action: str,
        type: EventType = EventType.NORMAL,  # noqa: A002 - the field's own word
        namespace: str | None = None,
    ) -> None:
        """Tell that something happened.

        Args:
            about: The object it happened to; needs its apiVersion, kind and name.
            reason: One word for why, in CamelCase, for example `ClusterAccepted`.
            note: A sentence for people; cut to 1,024 bytes.
            action: One word for what was done or failed, in CamelCase, for example `Accept`.
            type: Whether it went as it should.
            namespace: Where to put it if the object is cluster-scoped. By default that is
                `default`; agents, who may write there no more than anywhere else, put it into the
                namespace of their cluster, as OCM does.

        Raises:
            ValueError: The reason or the action is empty or too long.
            WireError: The object has no name.
        """
        for word, value in (("reason", reason), ("action", action)):
            if not 0 < len(value) <= WORD_LIMIT:
                raise ValueError(
                    f"an event's {word} has 1 to {WORD_LIMIT} characters; got {value!r}"
                )
        regarding = _reference(about, namespace)
        sameness = _Sameness(
            namespace=regarding.get("namespace", _DEFAULT_NAMESPACE),
            regarding=tuple(sorted(regarding.items())),
            type=str(type),
            reason=reason,
            action=action,
            note=_cut(note),
        )
        series = self._series.get(sameness)
        if series is None or self._clock.now() - series.last_seen > SERIES_END:
            await self._backlog.take(partial(self._begin, sameness, self._open(sameness)))
            return
        series.count += 1
        series.last_seen = self._clock.now()
        self._series.move_to_end(sameness)
        if self._clock.monotonic() - series.written_at >= UPDATE_EVERY.total_seconds():
            series.written_at = self._clock.monotonic()
            await self._backlog.take(partial(self._update, sameness, series))

    async def flush(self) -> None:
        """Write what is held back, before the process ends; give up after `FLUSH_WITHIN`."""
        try:
            async with asyncio.timeout(FLUSH_WITHIN.total_seconds()):
                await self._backlog.flush()
                for sameness, series in list(self._series.items()):
                    if series.count > series.written_count:
                        await self._update(sameness, series)
        except TimeoutError:
            log.warning("events not recorded in time", extra={"count": len(self._backlog)})

    def _open(self, sameness: _Sameness) -> KubeObject:
        """Remember an event that is no repeat; return it."""
        now = self._clock.now()
        regarding = dict(sameness.regarding)
        name = _event_name(sameness, controller=self._controller, now=now)
        # Remembered before it is sent: another pass may tell the same while this one waits.
        self._series[sameness] = _Series(name, now, self._clock.monotonic())
        self._series.move_to_end(sameness)
        while len(self._series) > _MAX_SERIES:
            self._series.popitem(last=False)
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": sameness.namespace},
            "eventTime": format_micro_time(now),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
            "type": sameness.type,
            "reason": sameness.reason,
            "action": sameness.action,
            "note": sameness.note,
            "regarding": regarding,
        }

    async def _begin(self, sameness: _Sameness, body: KubeObject) -> None:
        """Send an event that is no repeat."""
        try:
            async with asyncio.timeout(self._call_timeout.total_seconds()):
                await self._client.create(EVENTS, body)
        except AlreadyExists:
            # An earlier try got through after all and its answer did not, or it was told already
            # by the process before us.
            self._note_success()
        except (TowlineError, TimeoutError) as error:
            # Forgotten, so that the next one like it is sent whole.
            self._series.pop(sameness, None)
            self._note_failure(error, sameness)
        else:
            self._note_success()

    async def _update(self, sameness: _Sameness, series: _Series) -> None:
        """Write how often an event was repeated."""
        count = series.count
        patch: KubeObject = {
            "series": {"count": count, "lastObservedTime": format_micro_time(series.last_seen)}
        }
        try:
            async with asyncio.timeout(self._call_timeout.total_seconds()):
                await self._client.patch(EVENTS, series.name, patch, namespace=sameness.namespace)
        except NotFound:
            await self._begin(sameness, self._open(sameness))  # expired or deleted
        except (TowlineError, TimeoutError) as error:
            self._note_failure(error, sameness)
        else:
            series.written_count = count
            self._note_success()

    def _note_failure(self, error: Exception, sameness: _Sameness) -> None:
        is_news = type(error) not in self._failing
        self._failing.add(type(error))
        self._on_lost()
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "event not recorded",
            extra={
                "object": str(ObjectKey(dict(sameness.regarding)["name"], sameness.namespace)),
                "reason": sameness.reason,
                "error": str(error),
            },
        )

    def _note_success(self) -> None:
        if self._failing:
            log.info("events are recorded again", extra={"task": self._controller})
        self._failing.clear()


def _cut(note: str) -> str:
    """Return a note in at most `NOTE_LIMIT` bytes, with an ellipsis where it was cut."""
    encoded = note.encode(errors="replace")  # JSON can name halves of characters; UTF-8 cannot
    if len(encoded) <= NOTE_LIMIT:
        return encoded.decode()
    mark = "…"
    return encoded[: NOTE_LIMIT - len(mark.encode())].decode(errors="ignore") + mark


def _reference(about: KubeObject, namespace: str | None) -> dict[str, str]:
    """Return what `regarding` says of an object.

    The namespace in it has to be the event's own; with none, an API server takes the event in
    `default` only.
    """
    metadata = about.get("metadata", {})
    reference = {
        "apiVersion": about.get("apiVersion"),
        "kind": about.get("kind"),
        "name": name_of(about),
        "namespace": namespace_of(about) or namespace,
        "uid": metadata.get("uid"),
    }
    return {field_name: value for field_name, value in reference.items() if value}


def _event_name(sameness: _Sameness, *, controller: str, now: datetime) -> str:
    """Return a name that only the same event has, told by the same controller in the same while.

    So a request whose answer was lost can be repeated without making a second event, and a process
    that takes over from another does not tell all over again what that one has told. After a pause
    that ends a series the name is another one.
    """
    about = dict(sameness.regarding)["name"]
    # Names of RBAC objects hold colons and capitals, which names of events may not.
    stem = re.sub(r"[^a-z0-9]+", "-", about.lower()).strip("-")[:200].rstrip("-") or "event"
    told = repr((controller, int(now.timestamp() // SERIES_END.total_seconds()), sameness))
    return f"{stem}.{hashlib.sha256(told.encode(errors='replace')).hexdigest()[:16]}"
