"""All objects of one group and plural, and the changes that led to them."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

from towline_api.resources import KubeObject
from towline_sandbox.embedded.storage.changes import Change, ChangeType


def path_of(namespace: str | None, name: str) -> str:
    """Return what an object is found and sorted by.

    Kubernetes keeps objects under `namespace/name` in byte order, so `a-b/x` comes before `a/x`.
    """
    return f"{namespace}/{name}" if namespace else name


class Collection:
    """Objects by path, with a bounded history.

    Args:
        longest_history: How many changes are kept.
        forgotten: Changes up to this revision are not known.
    """

    def __init__(self, *, longest_history: int, forgotten: int = 0) -> None:
        self.objects: dict[str, KubeObject] = {}
        self.forgotten = forgotten
        self.last_change = 0
        self._paths: list[str] = []
        self._history: deque[Change] = deque()
        self._longest_history = longest_history

    def paths(self, *, namespace: str | None = None) -> list[str]:
        """Return the paths of all objects, or of those in a namespace, sorted."""
        if namespace is None:
            return self._paths
        # "0" is the character after "/".
        first = bisect_left(self._paths, f"{namespace}/")
        return self._paths[first : bisect_left(self._paths, f"{namespace}0")]

    def apply(self, change: Change, *, path: str) -> None:
        """Take note of a change."""
        if change.type is ChangeType.DELETED:
            del self.objects[path]
            del self._paths[bisect_left(self._paths, path)]
        else:
            if change.previous is None:
                insort(self._paths, path)
            self.objects[path] = change.object
        self.last_change = change.revision
        self._history.append(change)
        if len(self._history) > self._longest_history:
            self.forgotten = self._history.popleft().revision

    def changes_since(self, revision: int) -> Iterable[Change]:
        """Return the changes after a revision, oldest first; it must not be forgotten."""
        found = []
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            found.append(change)
        return reversed(found)

    def objects_at(self, revision: int) -> dict[str, KubeObject]:
        """Return the objects as they were at a revision; it must not be forgotten."""
        if revision >= self.last_change:
            return self.objects
        past = dict(self.objects)
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            metadata = change.object["metadata"]
            path = path_of(metadata.get("namespace"), metadata["name"])
            if change.previous is None:
                del past[path]
            else:
                past[path] = change.previous
        return past

    def forget(self, revision: int) -> None:
        """Forget the changes up to a revision."""
        while self._history and self._history[0].revision <= revision:
            self._history.popleft()
        self.forgotten = max(self.forgotten, revision)
