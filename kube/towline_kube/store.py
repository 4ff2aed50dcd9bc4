"""The objects a cache holds in memory, with their indexes."""

import logging
from collections.abc import Callable, Iterable, KeysView, Mapping
from dataclasses import dataclass
from enum import StrEnum

from towline_api.metadata import ObjectKey, key_of
from towline_api.resources import KubeObject

log = logging.getLogger(__name__)

IndexFunction = Callable[[KubeObject], Iterable[str]]
"""Returns the values under which an object is to be found."""


class ChangeType(StrEnum):
    """What happened to an object, seen from a cache."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Change:
    """One object has changed in a cache. The objects are shared: read, never write them.

    Args:
        type: What happened.
        old: What the cache held before; None if it was added.
        new: What it holds now; None if it was deleted.
    """

    type: ChangeType
    old: KubeObject | None
    new: KubeObject | None

    @property
    def object(self) -> KubeObject:
        """The newest state known: the new one, or for a deletion the last."""
        known = self.new if self.new is not None else self.old
        if known is None:
            raise ValueError("a change has an old or a new object")
        return known

    @property
    def key(self) -> ObjectKey:
        """Which object it is about."""
        return key_of(self.object)


class Store:
    """Objects by key and by index; says what each write has changed.

    Args:
        indexes: Index functions by name. They must depend on the object alone.
    """

    def __init__(self, indexes: Mapping[str, IndexFunction] | None = None) -> None:
        self._functions = dict(indexes or {})
        self._failing_functions: set[str] = set()
        self._objects: dict[ObjectKey, KubeObject] = {}
        # Value to keys; the inner dict is a set that keeps its order, so that answers do.
        self._indexes: dict[str, dict[str, dict[ObjectKey, None]]] = {
            name: {} for name in self._functions
        }

    def __len__(self) -> int:
        return len(self._objects)

    def keys(self) -> KeysView[ObjectKey]:
        """Return a live view of the keys of all objects."""
        return self._objects.keys()

    def find(self, key: ObjectKey) -> KubeObject | None:
        """Return an object, or None if there is none."""
        return self._objects.get(key)

    def all(self) -> list[KubeObject]:
        """Return all objects."""
        return list(self._objects.values())

    def by_index(self, index: str, value: str) -> list[KubeObject]:
        """Return the objects found under a value.

        Raises:
            ValueError: There is no such index.
        """
        if index not in self._indexes:
            known = ", ".join(sorted(self._indexes)) or "none"
            raise ValueError(f"there is no index {index!r}; there are: {known}")
        # An index function that breaks its promise leaves keys behind; they find nothing.
        keys = self._indexes[index].get(value, ())
        return [self._objects[key] for key in keys if key in self._objects]

    def has_version(self, obj: KubeObject) -> bool:
        """Return whether this very version of the object is here already.

        Raises:
            WireError: The object has no name.
        """
        known = self._objects.get(key_of(obj))
        return known is not None and _same_version(known, obj)

    def put(self, obj: KubeObject) -> list[Change]:
        """Take in the present state of an object and return what that changes.

        Nothing, if it is known in this version. Two changes, if an object of the same name was
        deleted and created again without our hearing of it: whoever kept something for the old
        one has to let go of it.

        Raises:
            WireError: The object has no name.
        """
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None:
            self._objects[key] = obj
            self._index(key, obj)
            return [Change(ChangeType.ADDED, None, obj)]
        if _meta(old, "uid") != _meta(obj, "uid"):
            gone = self.remove(key)
            return [*([gone] if gone else []), *self.put(obj)]
        if _same_version(old, obj):
            return []
        self._unindex(key, old)
        self._objects[key] = obj
        self._index(key, obj)
        return [Change(ChangeType.MODIFIED, old, obj)]

    def remove(self, key: ObjectKey) -> Change | None:
        """Take in that an object is gone; return None if it was not known."""
        old = self._objects.pop(key, None)
        if old is None:
            return None
        self._unindex(key, old)
        return Change(ChangeType.DELETED, old, None)

    def _index(self, key: ObjectKey, obj: KubeObject) -> None:
        for name, values in self._values(obj):
            for value in values:
                self._indexes[name].setdefault(value, {})[key] = None

    def _unindex(self, key: ObjectKey, obj: KubeObject) -> None:
        for name, values in self._values(obj):
            index = self._indexes[name]
            for value in values:
                keys = index.get(value, {})
                keys.pop(key, None)
                if not keys:
                    index.pop(value, None)

    def _values(self, obj: KubeObject) -> Iterable[tuple[str, Iterable[str]]]:
        for name, function in self._functions.items():
            try:
                yield name, list(function(obj))
            except Exception as error:
                # Anybody's object may be malformed; that must not stop the watch over all others.
                # It is looked at with each of its changes, so only the first time is news.
                level = logging.DEBUG if name in self._failing_functions else logging.ERROR
                self._failing_functions.add(name)
                log.log(
                    level,
                    "index function failed; the object is left out of that index",
                    extra={"object": str(key_of(obj)), "reason": name, "error": str(error)},
                    exc_info=error,
                )


def _same_version(one: KubeObject, other: KubeObject) -> bool:
    version = _meta(one, "resourceVersion")
    return (
        version is not None
        and version == _meta(other, "resourceVersion")
        and _meta(one, "uid") == _meta(other, "uid")
    )


def _meta(obj: KubeObject, field: str) -> object:
    return obj.get("metadata", {}).get(field)
