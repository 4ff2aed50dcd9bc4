"""Each verb as a value: the request that it takes, and whether that may be sent twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from towline_api.resources import KubeObject, Resource
from towline_kube.errors import Attempt
from towline_kube.list_watch import Selection
from towline_kube.retries import Repeat
from towline_kube.targets import Target
from towline_kube.transport import Request
from towline_kube.wire_json import encode

JSON = "application/json"


class PatchType(StrEnum):
    """How the server is to read a patch."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(StrEnum):
    """What becomes of the objects that an object to be deleted owns."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing asked of an API server.

    Args:
        verb: What the client was asked to do, for example `apply`.
        object: On which object, as messages name it.
        counted: On what, as requests are counted.
        request: What is sent, but for the field manager.
        repeat: After which failures it may be sent again.
    """

    verb: str
    object: str
    counted: str
    request: Request
    repeat: Repeat

    def attempt_on(self, host: str) -> Attempt:
        """Return what messages say of this operation on one server."""
        return Attempt(self.verb, self.object, host)

    def request_by(self, field_manager: str) -> Request:
        """Return the request; one that writes fields says who owns them from then on."""
        if self.request.method in ("GET", "DELETE"):
            return self.request
        query = {"fieldManager": field_manager, **self.request.query}
        return replace(self.request, query=query)


def with_kind(resource: Resource, obj: KubeObject) -> KubeObject:
    """Return the object with the apiVersion and kind that items of lists come without."""
    if "kind" in obj and "apiVersion" in obj:
        return obj
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def read_path(path: str) -> Operation:
    """Read a path that is no resource."""
    request = Request("GET", path)
    return Operation(
        verb="get", object=path, counted=path, request=request, repeat=Repeat.WHEN_TRANSIENT
    )


def get(target: Target) -> Operation:
    """Read one object."""
    return _on(target, "get", Request("GET", target.object_path()), Repeat.WHEN_TRANSIENT)


def list_page(selection: Selection, *, limit: int, token: str | None = None) -> Operation:
    """Read the first page of a list, or the one that `token` leads to; a limit of 0 is none."""
    query = _selectors(selection)
    if limit:
        query["limit"] = str(limit)
    if token is not None:
        query["continue"] = token
    return _on_all(selection, "list", query)


def watch(selection: Selection, *, resource_version: str | None, lasting: timedelta) -> Operation:
    """Be told of changes, bookmarks included, until the server ends it after `lasting`."""
    query = _selectors(selection) | {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(max(1, round(lasting.total_seconds()))),
    }
    if resource_version is not None:
        query["resourceVersion"] = resource_version
    return _on_all(selection, "watch", query)


def ask(resource: Resource, review: KubeObject) -> Operation:
    """Post a review: nothing is stored, so asking twice is asking once."""
    request = replace(_write("POST", resource.path(), review), stores=False)
    return _on(Target(resource), "create", request, Repeat.WHEN_TRANSIENT)


def create(resource: Resource, body: KubeObject, *, subresource: str | None) -> Operation:
    """Store a new object, or post to a subresource of one."""
    target = Target.of(resource, body, subresource=subresource)
    if subresource is None:
        body, path = with_kind(resource, body), target.path_to_create_at()
    else:
        path = target.object_path()
    if not target.name:
        prefix = (body.get("metadata") or {}).get("generateName") or ""
        target = replace(target, name=prefix)
    return _on(target, "create", _write("POST", path, body), Repeat.WHEN_NOT_DONE)


def put(resource: Resource, body: KubeObject, *, subresource: str | None) -> Operation:
    """Replace an object or a subresource of it."""
    target = Target.of(resource, body, subresource=subresource)
    request = _write("PUT", target.object_path(), with_kind(resource, body))
    return _on(target, "replace", request, _repeat_if_bound(body))


def apply(
    resource: Resource, body: KubeObject, *, force: bool, subresource: str | None
) -> Operation:
    """Apply fields server-side: twice is the same as once."""
    target = Target.of(resource, body, subresource=subresource)
    request = _write(
        "PATCH",
        target.object_path(),
        with_kind(resource, body),
        content_type=PatchType.APPLY,
        query={"force": "true"} if force else {},
    )
    return _on(target, "apply", request, Repeat.WHEN_TRANSIENT)


def patch(
    target: Target,
    change: KubeObject | Sequence[KubeObject],
    *,
    content_type: PatchType = PatchType.MERGE,
) -> Operation:
    """Patch an object or a subresource of it."""
    request = _write("PATCH", target.object_path(), change, content_type=content_type)
    return _on(target, "patch", request, _repeat_if_bound(change))


def delete(
    target: Target,
    *,
    uid: str | None,
    resource_version: str | None,
    propagation: Propagation | None,
) -> Operation:
    """Delete an object."""
    preconditions = {"uid": uid, "resourceVersion": resource_version}
    preconditions = {key: value for key, value in preconditions.items() if value}
    options: KubeObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if preconditions:
        options["preconditions"] = preconditions
    if propagation:
        options["propagationPolicy"] = propagation.value
    request = Request("DELETE", target.object_path(), body=encode(options), stores=True)
    repeat = Repeat.WHEN_TRANSIENT if preconditions else Repeat.WHEN_NOT_DONE
    return _on(target, "delete", request, repeat)


def _on(target: Target, verb: str, request: Request, repeat: Repeat) -> Operation:
    return Operation(
        verb=verb, object=str(target), counted=target.counted, request=request, repeat=repeat
    )


def _on_all(selection: Selection, verb: str, query: Mapping[str, str]) -> Operation:
    target = Target(selection.resource, namespace=selection.namespace)
    request = Request("GET", selection.resource.path(namespace=selection.namespace), query)
    return _on(target, verb, request, Repeat.WHEN_TRANSIENT)


def _selectors(selection: Selection) -> dict[str, str]:
    selectors = {
        "labelSelector": selection.label_selector,
        "fieldSelector": selection.field_selector,
    }
    return {key: value for key, value in selectors.items() if value}


def _write(
    method: str,
    path: str,
    body: object,
    *,
    content_type: str = "application/json",
    query: Mapping[str, str] | None = None,
) -> Request:
    return Request(method, path, query or {}, encode(body), str(content_type), stores=True)


def _repeat_if_bound(body: object) -> Repeat:
    """Bound to one version, a write that was done once already is refused the second time."""
    metadata = body.get("metadata") or {} if isinstance(body, Mapping) else {}
    return Repeat.WHEN_TRANSIENT if metadata.get("resourceVersion") else Repeat.WHEN_NOT_DONE
