"""An API server in memory, seen through the client's methods, with every fault a test wants."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from support.clock import FakeClock
from towline_api.metadata import ObjectKey, key_of, labels_of
from towline_api.resources import KubeObject, Resource
from towline_kube.errors import AlreadyExists, Gone, NotFound

SILENCE_LIMIT = timedelta(seconds=70)
"""After how long a real client gives a silent watch up."""


@dataclass(frozen=True, slots=True)
class FakeList:
    """What `list` returns."""

    items: list[KubeObject]
    resource_version: str


@dataclass(frozen=True, slots=True)
class FakeEvent:
    """What `watch` yields."""

    type: str
    object: KubeObject


@dataclass(frozen=True, slots=True)
class _Entry:
    version: int
    type: str
    resource: Resource
    old: KubeObject | None
    new: KubeObject


class _Ending(Exception):  # noqa: N818 - not an error: the server closes the stream
    """The server ends a watch in good order."""


class FakeClient:
    """One store of objects, its history, and the calls that were made.

    The test changes objects with `put` and `remove` and causes faults with the rest. What it hands
    out is a copy, as what comes over the wire is.

    Args:
        clock: Needed for silence only.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock
        self.calls: list[tuple[str, str]] = []
        """Verb and qualified resource of each call, in order."""
        self.open_watches = 0
        self._objects: dict[tuple[Resource, ObjectKey], KubeObject] = {}
        self._history: list[_Entry] = []
        self._oldest = 0
        self._version = 0
        self._uids = count(1)
        self._errors: defaultdict[str, list[BaseException]] = defaultdict(list)
        self._news = asyncio.Event()
        self._endings = 0
        self._ending: BaseException = _Ending()
        self._silent = False

    # What the test does to the server

    def put(self, resource: Resource, obj: KubeObject) -> KubeObject:
        """Create or change an object; return it as stored."""
        key = (resource, key_of(obj))
        old = self._objects.get(key)
        new = copy.deepcopy(obj)
        new["metadata"]["uid"] = old["metadata"]["uid"] if old else f"uid-{next(self._uids)}"
        self._store("MODIFIED" if old else "ADDED", resource, old, new)
        self._objects[key] = new
        return copy.deepcopy(new)

    def remove(self, resource: Resource, name: str, namespace: str | None = None) -> None:
        """Delete an object."""
        old = self._objects.pop((resource, ObjectKey(name, namespace)))
        self._store("DELETED", resource, old, copy.deepcopy(old))

    def bookmark(self, resource: Resource) -> None:
        """Send a bookmark to all watches of a kind."""
        self._store("BOOKMARK", resource, None, {"metadata": {}})

    def stored(self, resource: Resource) -> dict[ObjectKey, KubeObject]:
        """Return what the server has."""
        return {key: obj for (kind, key), obj in self._objects.items() if kind == resource}

    def forget_history(self) -> None:
        """Compact: a watch from before now is answered with 410."""
        self._oldest = self._version

    def fail(self, verb: str, *errors: BaseException) -> None:
        """Have the next calls of a verb fail, one for each error."""
        self._errors[verb].extend(errors)

    def recover(self) -> None:
        """Take back every failure that has not happened yet."""
        self._errors.clear()

    def end_watches(self, error: BaseException | None = None) -> None:
        """End the watches that are open now, in good order or with an error."""
        self._endings += 1
        self._ending = error if error is not None else _Ending()
        self._announce()

    def go_silent(self) -> None:
        """Stop sending anything on watches that are open or will be; they end by their limit."""
        self._silent = True
        self._announce()

    def speak_again(self) -> None:
        """End the silence for watches opened from now on."""
        self._silent = False

    def called(self, verb: str) -> int:
        """Return how many calls of a verb there were."""
        return sum(made == verb for made, _ in self.calls)

    # What the code under test does

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> FakeList:
        self._call("list", resource)
        await asyncio.sleep(0)
        chosen = [
            copy.deepcopy(obj)
            for obj in self.stored(resource).values()
            if _selects(obj, namespace, label_selector, field_selector)
        ]
        return FakeList(chosen, str(self._version))

    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[FakeEvent, None]:
        self._call("watch", resource)
        seen = int(resource_version)
        if seen < self._oldest:
            raise Gone("too old resource version")
        if on_open is not None:
            on_open()
        endings = self._endings
        self.open_watches += 1
        try:
            while True:
                news = self._news
                if self._silent:
                    assert self.clock is not None, "silence needs a clock"
                    await self.clock.sleep(SILENCE_LIMIT)
                    return
                for entry in [entry for entry in self._history if entry.version > seen]:
                    seen = entry.version
                    selectors = (namespace, label_selector, field_selector)
                    event = _seen_through(entry, resource, *selectors)
                    if event is not None:
                        yield event
                if self._endings > endings:
                    raise self._ending
                if news is self._news:
                    await news.wait()
        except _Ending:
            return
        finally:
            self.open_watches -= 1

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        self._call("create", resource)
        await asyncio.sleep(0)
        if (resource, key_of(body)) in self._objects:
            raise AlreadyExists(f"create {key_of(body)}: it exists already")
        return self.put(resource, body)

    async def patch(
        self, resource: Resource, name: str, patch: KubeObject, *, namespace: str | None = None
    ) -> KubeObject:
        self._call("patch", resource)
        await asyncio.sleep(0)
        old = self._objects.get((resource, ObjectKey(name, namespace)))
        if old is None:
            raise NotFound(f"patch {name}: not found")
        return self.put(resource, _merged(old, patch))

    def _call(self, verb: str, resource: Resource) -> None:
        self.calls.append((verb, resource.qualified))
        if self._errors[verb]:
            raise self._errors[verb].pop(0)

    def _store(
        self, event_type: str, resource: Resource, old: KubeObject | None, new: KubeObject
    ) -> None:
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        self._history.append(_Entry(self._version, event_type, resource, old, new))
        self._announce()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _seen_through(
    entry: _Entry,
    resource: Resource,
    namespace: str | None,
    label_selector: str | None,
    field_selector: str | None,
) -> FakeEvent | None:
    """Return how an entry looks to a watch: objects come and go as they begin or cease to match."""
    if entry.resource != resource:
        return None
    new = copy.deepcopy(entry.new)
    if entry.type == "BOOKMARK":
        return FakeEvent("BOOKMARK", new)
    selectors = (namespace, label_selector, field_selector)
    before = entry.old is not None and _selects(entry.old, *selectors)
    after = entry.type != "DELETED" and _selects(new, *selectors)
    match before, after:
        case False, True:
            return FakeEvent("ADDED", new)
        case True, True:
            return FakeEvent("MODIFIED", new)
        case True, False:
            return FakeEvent("DELETED", new)
        case _:
            return None


def _selects(
    obj: KubeObject,
    namespace: str | None,
    label_selector: str | None,
    field_selector: str | None,
) -> bool:
    if namespace is not None and obj["metadata"].get("namespace") != namespace:
        return False
    if label_selector is not None:
        label, _, value = label_selector.partition("=")
        if labels_of(obj).get(label) != value:
            return False
    if field_selector is not None:
        field, _, value = field_selector.partition("=")
        assert field == "metadata.name", f"this fake cannot select by {field}"
        return bool(obj["metadata"]["name"] == value)
    return True


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(old) if isinstance(old, dict) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _merged(merged.get(field), value)
    return merged
