"""Every object of a control plane, in memory, under one counter.

Objects are never changed once they are stored, so whoever reads one may keep it; who wants it
different makes another. Nothing here waits, so on one event loop every write is whole.
"""

from collections.abc import Iterable, Mapping

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure, expired
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.collection import Collection, path_of
from towline_sandbox.embedded.storage.subscription import Subscription

LONGEST_HISTORY = 4096

Snapshot = Mapping[StorageKey, Mapping[str, KubeObject]]
"""Objects by key and path, as they were stored at some moment."""

_Place = tuple[StorageKey | None, str | None, str | None]
"""What a subscription is about: key, namespace and name, each None for any."""


class AlreadyThere(Exception):  # noqa: N818  # a finding, which the caller turns into an answer
    """An object of this name is stored already."""


class ChangedMeanwhile(Exception):  # noqa: N818  # a finding, which the caller turns into an answer
    """The object is not the one that was read: it changed, or it is gone."""


class Store:
    """Objects, their recent past, and who is told of changes.

    Args:
        longest_history: How many changes are remembered for each key.
    """

    def __init__(self, *, longest_history: int = LONGEST_HISTORY) -> None:
        self.revision = 1
        self._longest_history = longest_history
        self._forgotten = 0
        self._collections: dict[StorageKey, Collection] = {}
        self._subscriptions: dict[_Place, dict[Subscription, None]] = {}

    def find(self, key: StorageKey, *, namespace: str | None, name: str) -> KubeObject | None:
        """Return an object, if it is there."""
        collection = self._collections.get(key)
        return None if collection is None else collection.objects.get(path_of(namespace, name))

    def objects(self, key: StorageKey, *, namespace: str | None = None) -> list[KubeObject]:
        """Return all objects, or those of a namespace, in the order of a list."""
        collection = self._collections.get(key)
        if collection is None:
            return []
        return [collection.objects[path] for path in collection.paths(namespace=namespace)]

    def objects_at(
        self, key: StorageKey, revision: int, *, namespace: str | None = None
    ) -> list[KubeObject]:
        """Return the objects as they were, in the order of a list.

        Raises:
            ApiFailure: The revision is forgotten.
        """
        if revision >= self.last_change(key):
            return self.objects(key, namespace=namespace)
        if not self.remembers(key, revision):
            raise self._too_old(key, revision)
        past = self._collections[key].objects_at(revision)
        prefix = f"{namespace}/" if namespace else ""
        return [past[path] for path in sorted(past) if path.startswith(prefix)]

    def remembers(self, key: StorageKey, revision: int) -> bool:
        """Return whether all changes after this revision are known."""
        return revision >= self._floor(key)

    def last_change(self, key: StorageKey) -> int:
        """Return the revision of the latest change to these objects; 0 if there was none."""
        collection = self._collections.get(key)
        return 0 if collection is None else collection.last_change

    def keys(self) -> Iterable[StorageKey]:
        """Return what has ever been stored."""
        return tuple(self._collections)

    def create(self, key: StorageKey, obj: KubeObject) -> KubeObject:
        """Store a new object; return it with its resource version.

        Raises:
            AlreadyThere: There is one of this name.
        """
        path = _path(obj)
        collection = self._collection(key)
        if path in collection.objects:
            raise AlreadyThere(path)
        stored = self._stamped(obj)
        self._note(collection, Change(ChangeType.ADDED, key, self.revision, stored, None), path)
        return stored

    def replace(self, key: StorageKey, obj: KubeObject, *, expected_revision: str) -> KubeObject:
        """Store another state of an object; return it with its resource version.

        Args:
            key: What it is stored with.
            obj: The new state.
            expected_revision: Resource version of the state it was made from.

        Raises:
            ChangedMeanwhile: That is not the state that is stored.
        """
        path = _path(obj)
        collection = self._collection(key)
        previous = self._expected(collection, path, expected_revision)
        stored = self._stamped(obj)
        change = Change(ChangeType.MODIFIED, key, self.revision, stored, previous)
        self._note(collection, change, path)
        return stored

    def delete(
        self, key: StorageKey, *, namespace: str | None, name: str, expected_revision: str
    ) -> KubeObject:
        """Remove an object; return its last state, with the revision that removed it.

        Raises:
            ChangedMeanwhile: It is not in the expected state.
        """
        path = path_of(namespace, name)
        collection = self._collection(key)
        previous = self._expected(collection, path, expected_revision)
        last = self._stamped(previous)
        change = Change(ChangeType.DELETED, key, self.revision, last, previous)
        self._note(collection, change, path)
        return last

    def watch(
        self,
        key: StorageKey,
        *,
        since: int,
        namespace: str | None = None,
        name: str | None = None,
    ) -> Subscription:
        """Follow changes after a revision, of all these objects, a namespace's, or one's.

        Raises:
            ApiFailure: The revision is forgotten.
        """
        if not self.remembers(key, since):
            raise self._too_old(key, since)
        subscription = self._subscribe((key, namespace, name), since=since)
        collection = self._collections.get(key)
        if collection is not None:
            for change in collection.changes_since(since):
                metadata = change.object["metadata"]
                if namespace in (None, metadata.get("namespace")) and name in (
                    None,
                    metadata["name"],
                ):
                    subscription.offer(change)
        return subscription

    def watch_all(self) -> Subscription:
        """Follow every change from now on."""
        return self._subscribe((None, None, None), since=self.revision)

    def end_watches(self, key: StorageKey | None = None) -> None:
        """Close the subscriptions to one key, or to every single one.

        A server does the first when a kind goes, the second when it restarts.
        """
        for place, subscriptions in list(self._subscriptions.items()):
            if place[0] is not None and key in (None, place[0]):
                for subscription in list(subscriptions):
                    subscription.close()

    def snapshot(self) -> Snapshot:
        """Return everything that is stored now. May be called from any thread, unlike the rest."""
        while True:
            revision = self.revision
            # Copying a dictionary is one step for other threads; what they write between two of
            # them is seen by the revision.
            stored = {key: found.objects.copy() for key, found in self._collections.copy().items()}
            if revision == self.revision:
                return stored

    def restore(self, snapshot: Snapshot) -> None:
        """Store what a snapshot holds and nothing else, as ordinary changes that watches see.

        Objects that are as they should be stay as they are. One that was deleted and made anew is
        not the same object, so it goes before the other one comes.
        """
        for key in {**snapshot, **self._collections}:
            wanted, found = snapshot.get(key, {}), self._collection(key).objects.copy()
            for path, obj in found.items():
                metadata = obj["metadata"]
                expected = metadata["resourceVersion"]
                is_same = path in wanted and _uid(wanted[path]) == _uid(obj)
                if not is_same:
                    self.delete(
                        key,
                        namespace=metadata.get("namespace"),
                        name=metadata["name"],
                        expected_revision=expected,
                    )
                elif _content(wanted[path]) != _content(obj):
                    self.replace(key, wanted[path], expected_revision=expected)
            present = self._collection(key).objects
            for path in [path for path in wanted if path not in present]:
                self.create(key, wanted[path])

    def compact(self, revision: int | None = None) -> None:
        """Forget history up to a revision, or all: who wants to go on from there is refused."""
        self._forgotten = self.revision if revision is None else revision
        for collection in self._collections.values():
            collection.forget(self._forgotten)

    def begin(self, key: StorageKey) -> None:
        """Let the history of these objects begin now: what was before is forgotten."""
        self._collection(key).forget(self.revision)

    def _collection(self, key: StorageKey) -> Collection:
        found = self._collections.get(key)
        if found is None:
            found = self._collections[key] = Collection(
                longest_history=self._longest_history, forgotten=self._forgotten
            )
        return found

    def _expected(self, collection: Collection, path: str, revision: str) -> KubeObject:
        found = collection.objects.get(path)
        if found is None or found["metadata"]["resourceVersion"] != revision:
            raise ChangedMeanwhile(path)
        return found

    def _stamped(self, obj: KubeObject) -> KubeObject:
        self.revision += 1
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}

    def _note(self, collection: Collection, change: Change, path: str) -> None:
        collection.apply(change, path=path)
        metadata = change.object["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        places: dict[_Place, None] = {
            (None, None, None): None,
            (change.key, None, None): None,
            (change.key, None, name): None,
            (change.key, namespace, None): None,
            (change.key, namespace, name): None,
        }
        for place in places:
            for subscription in tuple(self._subscriptions.get(place, ())):
                subscription.offer(change)

    def _subscribe(self, place: _Place, *, since: int) -> Subscription:
        def leave(subscription: Subscription) -> None:
            here = self._subscriptions[place]
            del here[subscription]
            if not here:
                del self._subscriptions[place]

        subscription = Subscription(since=since, leave=leave)
        self._subscriptions.setdefault(place, {})[subscription] = None
        return subscription

    def _floor(self, key: StorageKey) -> int:
        """Return the latest revision whose change is forgotten."""
        collection = self._collections.get(key)
        return self._forgotten if collection is None else collection.forgotten

    def _too_old(self, key: StorageKey, revision: int) -> ApiFailure:
        return expired(f"too old resource version: {revision} ({self._floor(key)})")


def _uid(obj: KubeObject) -> object:
    return obj["metadata"].get("uid")


def _content(obj: KubeObject) -> KubeObject:
    """Return an object without what each write changes."""
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": ""}}


def _path(obj: KubeObject) -> str:
    metadata = obj["metadata"]
    return path_of(metadata.get("namespace"), metadata["name"])
