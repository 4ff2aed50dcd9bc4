"""What a cache needs of a client, and which objects it asks for."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from towline_api.resources import KubeObject, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some objects of one kind.

    Args:
        resource: Their kind.
        namespace: The one namespace they live in; None for all, and for cluster-scoped kinds.
        label_selector: Only objects with these labels, as kubectl's `--selector` takes it.
        field_selector: Only objects with these fields; `metadata.name=x` selects a single object.
    """

    resource: Resource
    namespace: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace is not None else ""
        selectors = [
            selector for selector in (self.label_selector, self.field_selector) if selector
        ]
        which = f" with {' and '.join(selectors)}" if selectors else ""
        return f"{self.resource.qualified}{where}{which}"


class ListedObjects(Protocol):
    """The answer to a list: what there was at one resource version."""

    @property
    def items(self) -> Sequence[KubeObject]:
        """The objects."""
        ...

    @property
    def resource_version(self) -> str:
        """From where a watch goes on without a gap."""
        ...


class WatchedEvent(Protocol):
    """One event of a watch."""

    @property
    def type(self) -> str:
        """`ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`."""
        ...

    @property
    def object(self) -> KubeObject:
        """The object after the change; before it for a deletion."""
        ...


class ListWatcher(Protocol):
    """The part of a client that caches use."""

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ListedObjects:
        """Return all selected objects, however many pages they fill."""
        ...

    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchedEvent, None]:
        """Yield what changes after a resource version, bookmarks included.

        Ends when the server ends it, and when nothing has come for too long. Raises an `ApiError`
        when the server refuses and when it reports an error in the stream (`Gone`). Once the server
        has agreed, `on_open` is called.
        """
        ...
