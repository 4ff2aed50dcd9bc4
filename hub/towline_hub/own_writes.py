"""A cache that already knows what this process has just written.

A watch tells us about our own writes a moment later. A reconciler that runs again within that
moment would see the old state and write the same thing twice; with thousands of clusters joining,
that doubles what the API server has to do.
"""

from datetime import timedelta

from towline_api.metadata import (
    ObjectKey,
    finalizers_of,
    is_being_deleted,
    key_of,
    resource_version_of,
)
from towline_api.resources import KubeObject, Resource
from towline_kube.cache import Cache
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.store import Change

TRUST = timedelta(seconds=30)
"""How long our own write is believed without the watch confirming it. Longer than a watch takes to
tell; short, because an object deleted while the watch was down would otherwise seem to be there."""


class FreshView:
    """One kind's objects: as cached, or as we last wrote them where that is newer.

    Args:
        cache: What others' writes are read from.
        clock: Where time comes from.
    """

    def __init__(self, cache: Cache, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._cache = cache
        self._clock = clock
        self._written: dict[ObjectKey, tuple[KubeObject, float]] = {}
        cache.on_change(self._forget_outdated)

    @property
    def resource(self) -> Resource:
        """The kind of the objects."""
        return self._cache.resource

    def find(self, name: str, namespace: str | None = None) -> KubeObject | None:
        """Return an object in the newest state known, or None if none is known."""
        key = ObjectKey(name, namespace)
        written = self._written.get(key)
        if written is not None:
            obj, since = written
            if self._clock.monotonic() - since < TRUST.total_seconds():
                return obj
            del self._written[key]
        return self._cache.find(name, namespace)

    def remember(self, obj: KubeObject) -> None:
        """Note an object as the API server returned it after our write."""
        key = key_of(obj)
        if is_being_deleted(obj) and not finalizers_of(obj):
            # We took the last finalizer away: this is what the object was, and it is gone.
            self._written.pop(key, None)
            return
        cached = self._cache.find(key.name, key.namespace)
        if cached is None or _is_newer(obj, than=cached):
            self._written[key] = (obj, self._clock.monotonic())

    def forget(self, name: str, namespace: str | None = None) -> None:
        """Note that we deleted an object."""
        self._written.pop(ObjectKey(name, namespace), None)

    def _forget_outdated(self, change: Change) -> None:
        written = self._written.get(change.key)
        # A deletion tells what was cached last, which may be older than our write; it ends both.
        if written is not None and (
            change.new is None or not _is_newer(written[0], than=change.new)
        ):
            del self._written[change.key]


def _is_newer(obj: KubeObject, *, than: KubeObject) -> bool:
    # Kubernetes has declared resource versions of one kind to be comparable numbers.
    try:
        return int(resource_version_of(obj)) > int(resource_version_of(than))
    except ValueError:
        return False
