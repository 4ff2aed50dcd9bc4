"""Watches as they go over the wire: one line of JSON for each event."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.serving.forms import Form, Shape, as_json, shaped
from towline_sandbox.embedded.verbs.watching import EventType, WatchEvent


async def watch_lines(
    events: AsyncGenerator[WatchEvent, None], *, form: Form, kind: Kind, now: Callable[[], datetime]
) -> AsyncGenerator[bytes, None]:
    """Return a watch's events as lines.

    Args:
        events: What happens.
        form: What the caller asked for.
        kind: Kind of the objects.
        now: The clock, for ages in tables.
    """
    is_first = True
    async with aclosing(events):
        async for event in events:
            found = _shown(event, form=form, kind=kind, now=now)
            if form.shape is Shape.TABLE and event.type is not EventType.ERROR:
                if not is_first:
                    # A reader of tables has seen the columns.
                    found["columnDefinitions"] = None
                is_first = False
            yield as_json({"type": event.type, "object": found})


def _shown(event: WatchEvent, *, form: Form, kind: Kind, now: Callable[[], datetime]) -> KubeObject:
    if form.shape is Shape.WHOLE or event.type is EventType.ERROR:
        return event.object
    return shaped(event.object, form=form, kind=kind, now=now())
