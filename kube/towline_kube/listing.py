"""Whole lists out of pages."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from towline_api.resources import KubeObject
from towline_kube import operations
from towline_kube.errors import Gone
from towline_kube.list_watch import Selection
from towline_kube.operations import Operation


@dataclass(frozen=True, slots=True)
class ObjectList:
    """The objects of a list call, at one moment.

    Args:
        items: Plain objects, each with its apiVersion and kind.
        resource_version: Where a watch goes on from.
    """

    items: Sequence[KubeObject]
    resource_version: str


async def list_all(
    selection: Selection, *, page_size: int, call: Callable[[Operation], Awaitable[KubeObject]]
) -> ObjectList:
    """Return all selected objects, however many pages they fill.

    Args:
        selection: Which objects.
        page_size: Objects per request; 0 asks for all at once.
        call: Carries out an operation and returns the answer.
    """
    items: list[KubeObject] = []
    page = await call(operations.list_page(selection, limit=page_size))
    while True:
        metadata = page.get("metadata") or {}
        items += (
            operations.with_kind(selection.resource, item) for item in page.get("items") or ()
        )
        token = metadata.get("continue")
        if not token:
            return ObjectList(tuple(items), str(metadata.get("resourceVersion") or ""))
        try:
            page = await call(operations.list_page(selection, limit=page_size, token=token))
        except Gone:
            # The pages' moment is no longer kept: a list longer than the server's memory. One whole
            # list cannot come apart like that.
            page_size = 0
            items.clear()
            page = await call(operations.list_page(selection, limit=page_size))
