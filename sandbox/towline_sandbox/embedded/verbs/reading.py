"""Getting one object and listing many."""

from bisect import bisect_left
from dataclasses import replace

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import (
    ApiFailure,
    bad_request,
    expired,
    not_found,
    too_large_resource_version,
)
from towline_sandbox.embedded.queries.list_options import (
    EXACT,
    ListOptions,
    list_options,
    listed_revision_of,
    revision_of,
)
from towline_sandbox.embedded.storage.collection import path_of
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.continue_tokens import LATEST, Place, parse_token, token_for
from towline_sandbox.embedded.verbs.selection import Selection, selection_of
from towline_sandbox.embedded.verbs.versions import as_served

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_TOO_OLD_EXACT = "The resourceVersion for the provided list is too old."


class ExpiredToken(ApiFailure):
    """A list cannot be continued as it was begun.

    Args:
        message: The refusal, for people.
        token: Where to go on with what is there now.
    """

    def __init__(self, message: str, *, token: str) -> None:
        super().__init__(410, "Expired", message)
        self.token = token

    def status(self) -> KubeObject:
        """Return the refusal as a Status object, with the token that can be used instead."""
        return {**super().status(), "metadata": {"continue": self.token}}


async def get(store: Store, call: Call) -> KubeObject:
    """Return the object a call names.

    Raises:
        ApiFailure: There is none, or none as new as asked for.
    """
    check_reached(store, revision_of(call.query.get("resourceVersion", "")))
    found = store.find(call.kind.storage_key, namespace=call.namespace, name=call.target)
    if found is None:
        raise not_found(call.kind.resource, call.target)
    return (await as_served(call.kind, [found]))[0]


async def list_objects(store: Store, call: Call) -> KubeObject:
    """Return the List of what a call selects.

    Raises:
        ApiFailure: The selectors or options make no sense, or the state asked for is not known.
    """
    options = list_options(call)
    selection = selection_of(call)
    place = _place(store, options)
    revision = store.revision if place.revision == LATEST else place.revision
    objects = _objects_at(store, call, revision, selection)
    if objects is None:
        raise _forgotten(place, options)
    if selection.name is not None and len(objects) <= 1:
        # One object needs no pages.
        options = replace(options, limit=0)
    metadata, objects = _page(objects, selection, options, revision, place)
    items = await as_served(call.kind, objects)
    if call.kind.custom:
        metadata.setdefault("continue", "")
    else:
        items = [_as_item(item) for item in items]
    return {
        "kind": call.kind.list_kind,
        "apiVersion": call.kind.resource.api_version,
        "metadata": metadata,
        "items": items,
    }


def check_reached(store: Store, revision: int) -> None:
    """Refuse a call that asks for a state still to come."""
    if revision > store.revision:
        raise too_large_resource_version(revision, store.revision)


def _place(store: Store, options: ListOptions) -> Place:
    if options.token:
        place = parse_token(options.token)
        if options.resource_version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        check_reached(store, place.revision)
        return place
    asked = listed_revision_of(options.resource_version)
    check_reached(store, asked)
    is_exact = options.match == EXACT or (options.limit > 0 and asked > 0 and not options.match)
    return Place(asked if is_exact else store.revision, "")


def _objects_at(
    store: Store, call: Call, revision: int, selection: Selection
) -> list[KubeObject] | None:
    """Return at least the selected objects as they were; None if that is forgotten."""
    key, name = call.kind.storage_key, selection.name
    namespace = call.namespace or selection.namespace
    is_current = revision >= store.last_change(key)
    if not is_current and not store.remembers(key, revision):
        return None
    if name is None:
        return store.objects_at(key, revision, namespace=namespace)
    if is_current and (namespace or not call.kind.resource.namespaced):
        found = store.find(key, namespace=namespace, name=name)
        return [] if found is None else [found]
    objects = store.objects_at(key, revision, namespace=namespace)
    return [obj for obj in objects if obj["metadata"]["name"] == name]


def _forgotten(place: Place, options: ListOptions) -> ApiFailure:
    if not options.token:
        return expired(_TOO_OLD_EXACT)
    # The rest can still be had, as it is now.
    return ExpiredToken(_TOO_OLD, token=token_for(Place(LATEST, place.start)))


def _page(
    objects: list[KubeObject],
    selection: Selection,
    options: ListOptions,
    revision: int,
    place: Place,
) -> tuple[KubeObject, list[KubeObject]]:
    """Return a List's metadata and its objects."""
    metadata: KubeObject = {"resourceVersion": str(revision)}
    first = bisect_left(objects, place.start, key=_path) if place.start else 0
    if options.limit <= 0 or options.resource_version == "0":
        # Whoever takes any state gets it from Kubernetes' cache, which knows no pages.
        kept = objects[first:] if first else objects
        return metadata, kept if selection.is_everything else list(filter(selection.matches, kept))
    found: list[KubeObject] = []
    for at in range(first, len(objects)):
        if len(found) == options.limit:
            # Kubernetes goes on after the last object it gave, not at the next.
            last = _path(objects[at - 1])
            metadata["continue"] = token_for(Place(revision, f"{last}\0"))
            if selection.is_everything:
                metadata["remainingItemCount"] = len(objects) - at
            break
        if selection.matches(objects[at]):
            found.append(objects[at])
    return metadata, found


def _path(obj: KubeObject) -> str:
    metadata = obj["metadata"]
    return path_of(metadata.get("namespace"), metadata["name"])


def _as_item(obj: KubeObject) -> KubeObject:
    # Items of built-in lists do not say what they are; the list does.
    return {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
