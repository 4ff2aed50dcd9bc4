"""A copy of an API server's objects in memory, kept up to date by a watch."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn

from towline_api.errors import TowlineError
from towline_api.metadata import ObjectKey, key_of, namespace_of
from towline_api.resources import KubeObject, Resource
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.compaction import drop_managed_fields, share_strings
from towline_kube.list_watch import ListWatcher, Selection, WatchedEvent
from towline_kube.reflector import RELIST_EVERY, Reflector
from towline_kube.store import Change, ChangeType, IndexFunction, Store

log = logging.getLogger(__name__)

Objects = list[KubeObject]
"""A list of objects, named because `Cache.list` hides the type's name inside its class."""

Handler = Callable[[Change], None]
Trim = Callable[[KubeObject], KubeObject]

_OBJECTS_PER_TURN = 100  # a few milliseconds' work between two chances for other tasks


class NotInCache(TowlineError, LookupError):  # noqa: N818 - reads as the answer it is
    """The cache holds no object of that name.

    Args:
        resource: Kind that was asked for.
        key: Name that was asked for.
    """

    def __init__(self, resource: Resource, key: ObjectKey) -> None:
        super().__init__(
            f"{resource.describe(key.name, namespace=key.namespace)} is not in the cache"
        )
        self.key = key


class Cache:
    """The selected objects of one kind, as of a moment ago.

    `run` keeps it up to date through expired watches, lost connections, refusals and swapped
    credentials; see `Reflector` for how. What it knew stays readable all the while.

    The objects are the cache's own: reading is free, writing to one corrupts it for everybody.
    Copy first (`copy.deepcopy`). They have passed through `trim`, so some may lack fields; to
    change an object, patch it.

    Args:
        client: Whom to ask.
        resource: Kind of the objects.
        namespace: Only this namespace.
        label_selector: Only objects with these labels.
        field_selector: Only objects with these fields, for example `metadata.name=x`.
        indexes: Functions that return the values under which `by_index` finds an object. They must
            depend on the (trimmed) object alone. One that raises finds nothing under that index.
        trim: Takes out what nobody here will read, to save memory. It may change the object it is
            given, and has to leave `metadata` with name, namespace, uid and resourceVersion. The
            default drops managedFields; one of your own had better do so too.
        relist_every: Longest time between two lists.
        clock: Where time comes from.
        roll: Source of chance for delays: numbers from 0 up to 1.
    """

    def __init__(
        self,
        client: ListWatcher,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        indexes: Mapping[str, IndexFunction] | None = None,
        trim: Trim | None = drop_managed_fields,
        relist_every: timedelta = RELIST_EVERY,
        clock: Clock = SYSTEM_CLOCK,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self.resource = resource
        self.selection = Selection(
            resource=resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        self._trim = trim
        self._store = Store(indexes)
        self._handlers: list[Handler] = []
        self._failing_handlers: set[int] = set()
        self._synced = asyncio.Event()
        self._reflector = Reflector(
            client,
            self.selection,
            on_list=self._take_list,
            on_event=self._take_event,
            relist_every=relist_every,
            clock=clock,
            roll=roll,
        )

    def __len__(self) -> int:
        return len(self._store)

    def __repr__(self) -> str:
        return f"<Cache of {self.selection}: {len(self)} objects>"

    @property
    def synced(self) -> bool:
        """Whether a whole list has been taken in since the cache was made."""
        return self._synced.is_set()

    @property
    def last_error(self) -> TowlineError | None:
        """Why nothing new arrives at present; None while all is well.

        A `Forbidden` or `Unauthorized` here is what an agent meets before it is accepted.
        """
        return self._reflector.last_error

    async def run(self) -> NoReturn:
        """Keep the cache up to date until cancelled."""
        await self._reflector.run()

    async def wait_synced(self) -> None:
        """Return once the first list is complete; bound it with `asyncio.timeout`.

        That may take for ever: see `last_error` for what it waits for.
        """
        await self._synced.wait()

    def on_change(self, handler: Handler) -> None:
        """Have a function called, synchronously, after each change of an object.

        It is called at once for every object already here, as if each had just been added. What
        it raises is logged and harms nobody else.
        """
        self._handlers.append(handler)
        for obj in self._store.all():
            self._call(handler, Change(ChangeType.ADDED, None, obj))

    @contextmanager
    def temporary_handlers(self) -> Iterator[None]:
        """Forget, at the end of the block, the handlers that were added in it."""
        before = len(self._handlers)
        try:
            yield
        finally:
            for handler in self._handlers[before:]:
                self._failing_handlers.discard(id(handler))
            del self._handlers[before:]

    def get(self, name: str, namespace: str | None = None) -> KubeObject:
        """Return one object.

        Raises:
            NotInCache: There is no such object here, at least not yet.
        """
        obj = self.find(name, namespace)
        if obj is None:
            raise NotInCache(self.resource, ObjectKey(name, namespace))
        return obj

    def find(self, name: str, namespace: str | None = None) -> KubeObject | None:
        """Return one object, or None if there is none here, at least not yet."""
        return self._store.find(ObjectKey(name, namespace))

    def list(self, namespace: str | None = None) -> Objects:
        """Return all objects, or all of one namespace (looks at each: for many, use an index)."""
        objects = self._store.all()
        if namespace is None:
            return objects
        return [obj for obj in objects if namespace_of(obj) == namespace]

    def keys(self) -> Sequence[ObjectKey]:
        """Return the keys of all objects."""
        return list(self._store.keys())

    def by_index(self, index: str, value: str) -> Objects:
        """Return the objects for which an index function returned a value.

        Raises:
            ValueError: There is no such index.
        """
        return self._store.by_index(index, value)

    async def _take_list(self, items: Sequence[KubeObject]) -> None:
        """Turn a list into the changes that lead from what is here to it."""
        listed: set[ObjectKey] = set()
        for number, item in enumerate(items, start=1):
            listed.add(self._put(item))
            if number % _OBJECTS_PER_TURN == 0:
                await asyncio.sleep(0)
        for key in self._store.keys() - listed:
            self._remove(key)
        self._synced.set()

    def _take_event(self, event: WatchedEvent) -> None:
        match event.type:
            case "ADDED" | "MODIFIED":
                self._put(event.object)
            case "DELETED":
                self._remove(key_of(event.object))
            case unknown:
                log.warning(
                    "watch event of a type nobody knows left out",
                    extra={"object": str(self.selection), "reason": unknown},
                )

    def _put(self, received: KubeObject) -> ObjectKey:
        key = key_of(received)
        if not self._store.has_version(received):  # a list repeats mostly what is known
            for change in self._store.put(self._prepare(received)):
                self._tell(change)
        return key

    def _prepare(self, received: KubeObject) -> KubeObject:
        # The items of a built-in kind's list do not say what they are; events of a watch do.
        received.setdefault("apiVersion", self.resource.api_version)
        received.setdefault("kind", self.resource.kind)
        trimmed = received
        if self._trim is not None:
            try:
                trimmed = self._trim(received)
            except Exception:
                log.exception(
                    "trimming an object failed; it is kept whole",
                    extra={"object": str(key_of(received))},
                )
        return share_strings(trimmed)

    def _remove(self, key: ObjectKey) -> None:
        change = self._store.remove(key)
        if change is not None:
            self._tell(change)

    def _tell(self, change: Change) -> None:
        for handler in tuple(self._handlers):
            self._call(handler, change)

    def _call(self, handler: Handler, change: Change) -> None:
        try:
            handler(change)
        except Exception as error:
            # One broken handler meets every object: its first failure is news, the rest are not.
            level = logging.DEBUG if id(handler) in self._failing_handlers else logging.ERROR
            self._failing_handlers.add(id(handler))
            log.log(
                level,
                "handler of a change failed",
                extra={
                    "object": self.resource.describe(
                        change.key.name, namespace=change.key.namespace
                    ),
                    "error": str(error),
                },
                exc_info=error,
            )
        else:
            self._failing_handlers.discard(id(handler))
