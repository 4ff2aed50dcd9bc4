"""Watching: what is there, then every change."""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.queries.list_options import ListOptions, list_options, revision_of
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.storage.subscription import Subscription
from towline_sandbox.embedded.verbs.reading import check_reached
from towline_sandbox.embedded.verbs.selection import Selection, selection_of
from towline_sandbox.embedded.verbs.versions import as_served

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
BOOKMARK_SECONDS = 60.0
LAST_BOOKMARK_SECONDS = 2.0
"""Before the end of a watch: with a bookmark at the end, the next watch misses nothing."""
DEFAULT_SECONDS = 1800
"""How long a watch lasts that does not say; Kubernetes takes twice as long by chance."""


class EventType(StrEnum):
    """What a watch event tells."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch.

    Args:
        type: What it tells.
        object: The object, as of then; a Status if it is an error.
    """

    type: EventType
    object: KubeObject


async def watch(store: Store, call: Call) -> AsyncGenerator[WatchEvent, None]:
    """Return the events of a watch; it begins when the first is asked for.

    Raises:
        ApiFailure: The selectors or options make no sense. A resource version that is too old, or
            still to come, is told by an event, as Kubernetes does.
    """
    options = list_options(call)
    selection = selection_of(call)
    since = revision_of(options.resource_version)
    return _events(store, call, selection, options, since=since)


async def _events(
    store: Store, call: Call, selection: Selection, options: ListOptions, *, since: int
) -> AsyncGenerator[WatchEvent, None]:
    begins_with_all = options.initial_events or (options.initial_events is None and not since)
    begun = store.revision if begins_with_all or not since else since
    namespace = call.namespace or selection.namespace
    key = call.kind.storage_key
    try:
        if options.initial_events:
            check_reached(store, since)
        subscription = store.watch(key, since=begun, namespace=namespace, name=selection.name)
    except ApiFailure as failure:
        yield WatchEvent(EventType.ERROR, failure.status())
        return
    try:
        first = store.objects(key, namespace=namespace) if begins_with_all else []
        for obj in await as_served(call.kind, list(filter(selection.matches, first))):
            yield WatchEvent(EventType.ADDED, obj)
        if options.initial_events and options.bookmarks:
            yield _bookmark(call, begun, annotations={INITIAL_EVENTS_END: "true"})
        async for event in _following(store, call, subscription, selection, options):
            yield event
    except ApiFailure as failure:
        # A webhook that converts objects has failed; there is no going on without them.
        yield WatchEvent(EventType.ERROR, failure.status())
    finally:
        subscription.close()


async def _following(
    store: Store,
    call: Call,
    subscription: Subscription,
    selection: Selection,
    options: ListOptions,
) -> AsyncGenerator[WatchEvent, None]:
    clock = asyncio.get_running_loop().time
    end = clock() + (options.timeout_seconds or DEFAULT_SECONDS)
    bookmark_at = min(clock() + BOOKMARK_SECONDS, end - LAST_BOOKMARK_SECONDS)
    if bookmark_at < clock():
        bookmark_at = math.inf
    while subscription.is_open and clock() < end:
        until = min(end, bookmark_at) if options.bookmarks else end
        for change in await subscription.changes(within=until - clock()):
            event = _seen_through(selection, change)
            if event is not None:
                yield WatchEvent(event.type, (await as_served(call.kind, [event.object]))[0])
        if options.bookmarks and clock() >= bookmark_at:
            yield _bookmark(call, store.revision)
            is_last = bookmark_at >= end - LAST_BOOKMARK_SECONDS
            next_at = min(clock() + BOOKMARK_SECONDS, end - LAST_BOOKMARK_SECONDS)
            bookmark_at = math.inf if is_last else next_at


def _seen_through(selection: Selection, change: Change) -> WatchEvent | None:
    """Return what a change is to somebody who sees only selected objects."""
    if selection.is_everything:
        return WatchEvent(EventType(change.type), change.object)
    was_in = change.previous is not None and selection.matches(change.previous)
    is_in = change.type is not ChangeType.DELETED and selection.matches(change.object)
    if is_in:
        return WatchEvent(EventType.MODIFIED if was_in else EventType.ADDED, change.object)
    if not was_in or change.previous is None:
        return None
    metadata = {**change.previous["metadata"], "resourceVersion": str(change.revision)}
    return WatchEvent(EventType.DELETED, {**change.previous, "metadata": metadata})


def _bookmark(
    call: Call, revision: int, *, annotations: dict[str, str] | None = None
) -> WatchEvent:
    metadata: KubeObject = {"resourceVersion": str(revision)}
    if annotations:
        metadata["annotations"] = annotations
    resource = call.kind.resource
    return WatchEvent(
        EventType.BOOKMARK,
        {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata},
    )
