"""Deletes objects whose owners are gone, and makes owners wait for, or let go of, what they own."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

from towline_api.resources import KubeObject, Resource
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.owners import (
    ORPHAN,
    Collect,
    OwnerState,
    blocks,
    verdict,
    waits_for,
    without_owner,
)
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, Kind, StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)

_NOT_COLLECTED = frozenset({StorageKey("", "events")})


class Place(NamedTuple):
    """Where one object is stored."""

    key: StorageKey
    namespace: str | None
    name: str


class GarbageCollector:
    """Follows `ownerReferences`, as kube-controller-manager does.

    Args:
        store: Where everything is.
        catalog: The kinds there are.
        calls: Deletes and updates.
    """

    def __init__(self, store: Store, *, catalog: Catalog, calls: OwnCalls) -> None:
        self._store = store
        self._catalog = catalog
        self._calls = calls
        self._dependents: dict[str, set[Place]] = {}
        self._passes = passes("collect-garbage", self._look_at)

    def note(self, change: Change) -> None:
        """Look at an object that names owners, and at those who own or are owned by it."""
        if change.key in _NOT_COLLECTED:
            return
        place = _place(change.key, change.object)
        owners = _owner_uids(change.object)
        before = _owner_uids(change.previous) if change.previous is not None else owners
        gone = change.type is ChangeType.DELETED
        if owners or before:
            self._index(place, owners=() if gone else owners, before=before)
        if gone:
            self._enqueue_dependents(change.object)
            self._enqueue_owners(change.object)
            return
        if owners:
            self._passes.enqueue(place)
        if before != owners and change.previous is not None:
            self._enqueue_owners(change.previous)
        if waits_for(change.object) is not None:
            self._passes.enqueue(place)
            self._enqueue_dependents(change.object)

    def look_at_everything(self) -> None:
        """Look at all objects that own or are owned."""
        self._dependents.clear()
        for key in tuple(self._store.keys()):
            if key in _NOT_COLLECTED:
                continue
            for obj in self._store.objects(key):
                owners, place = _owner_uids(obj), _place(key, obj)
                self._index(place, owners=owners, before=())
                if owners or waits_for(obj) is not None:
                    self._passes.enqueue(place)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    async def _look_at(self, place: Place) -> Result:
        obj = self._find(place)
        kind = self._kind(place.key)
        if obj is None or kind is None:
            return DONE
        waiting = waits_for(obj)
        if waiting is not None:
            await self._serve_waiting(kind.resource, place, obj, finalizer=waiting)
            return DONE
        owners = [
            self._state(reference, dependent=place, kind=kind)
            for reference in obj["metadata"].get("ownerReferences") or ()
        ]
        decided = verdict(obj, owners, has_dependents=bool(self._dependents_of(obj)))
        if isinstance(decided, Collect):
            metadata = obj["metadata"]
            await self._calls.delete(
                kind.resource,
                place.name,
                namespace=place.namespace,
                uid=metadata["uid"],
                propagation=decided.propagation.value,
            )
            log.debug("object without an owner deleted", extra={"object": _describe(place)})
        elif decided.references is not None:
            await self._set(kind.resource, place, "ownerReferences", decided.references)
        return DONE

    async def _serve_waiting(
        self, resource: Resource, place: Place, owner: KubeObject, *, finalizer: str
    ) -> None:
        """Let a deleted owner go, if it may: at once after orphaning, or when none blocks it."""
        uid = owner["metadata"]["uid"]
        for owned in self._dependents_of(owner):
            dependent, kind = self._find(owned), self._kind(owned.key)
            if dependent is None or kind is None:
                continue
            if finalizer == ORPHAN:
                left = without_owner(dependent, owner_uid=uid)
                await self._set(kind.resource, owned, "ownerReferences", left)
            elif blocks(dependent, owner_uid=uid):
                return
        finalizers = [each for each in owner["metadata"]["finalizers"] if each != finalizer]
        await self._set(resource, place, "finalizers", finalizers)

    async def _set(
        self, resource: Resource, place: Place, field: str, value: Sequence[object]
    ) -> None:
        """Write one field of an object's metadata."""
        current = await self._calls.find(resource, place.name, namespace=place.namespace)
        if current is None:
            return
        metadata = {**current["metadata"], field: list(value)}
        if not value:
            del metadata[field]
        await self._calls.update(resource, {**current, "metadata": metadata})

    def _state(self, reference: KubeObject, *, dependent: Place, kind: Kind) -> OwnerState:
        group, _, version = reference.get("apiVersion", "").rpartition("/")
        owner_kind = self._catalog.find_kind(GroupVersion(group, version), reference["kind"])
        if owner_kind is None:
            return OwnerState.UNKNOWN
        if owner_kind.resource.namespaced and not kind.resource.namespaced:
            # Kubernetes leaves such objects alone, too: which namespace is meant nobody knows.
            return OwnerState.UNKNOWN
        namespace = dependent.namespace if owner_kind.resource.namespaced else None
        owner = self._store.find(
            owner_kind.storage_key, namespace=namespace, name=reference["name"]
        )
        if owner is None or owner["metadata"]["uid"] != reference["uid"]:
            return OwnerState.ABSENT
        return OwnerState.THERE if waits_for(owner) in (None, ORPHAN) else OwnerState.WAITING

    def _find(self, place: Place) -> KubeObject | None:
        return self._store.find(place.key, namespace=place.namespace, name=place.name)

    def _kind(self, key: StorageKey) -> Kind | None:
        versions = self._catalog.versions_of(key)
        stored = (kind for kind in versions if kind.resource.version == kind.storage_version)
        return next(stored, versions[0] if versions else None)

    def _index(self, place: Place, *, owners: Sequence[str], before: Sequence[str]) -> None:
        for uid in before:
            if uid not in owners and uid in self._dependents:
                self._dependents[uid].discard(place)
                if not self._dependents[uid]:
                    del self._dependents[uid]
        for uid in owners:
            self._dependents.setdefault(uid, set()).add(place)

    def _dependents_of(self, owner: KubeObject) -> Sequence[Place]:
        found = self._dependents.get(owner["metadata"]["uid"], ())
        return sorted(found, key=lambda place: (place.key, place.namespace or "", place.name))

    def _enqueue_dependents(self, owner: KubeObject) -> None:
        for place in self._dependents_of(owner):
            self._passes.enqueue(place)

    def _enqueue_owners(self, dependent: KubeObject) -> None:
        for place in self._owner_places(dependent):
            self._passes.enqueue(place)

    def _owner_places(self, dependent: KubeObject) -> Iterator[Place]:
        for reference in dependent["metadata"].get("ownerReferences") or ():
            group, _, version = reference.get("apiVersion", "").rpartition("/")
            kind = self._catalog.find_kind(GroupVersion(group, version), reference["kind"])
            if kind is not None:
                namespace = dependent["metadata"].get("namespace")
                scope = namespace if kind.resource.namespaced else None
                yield Place(kind.storage_key, scope, reference["name"])


def _owner_uids(obj: KubeObject) -> tuple[str, ...]:
    references = obj["metadata"].get("ownerReferences")
    return tuple(reference["uid"] for reference in references) if references else ()


def _name(obj: KubeObject) -> tuple[str | None, str]:
    return obj["metadata"].get("namespace"), obj["metadata"]["name"]


def _place(key: StorageKey, obj: KubeObject) -> Place:
    return Place(key, *_name(obj))


def _describe(place: Place) -> str:
    return "/".join(part for part in (place.key.plural, place.namespace, place.name) if part)
