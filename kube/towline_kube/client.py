"""The client of one API server: every verb, under a credential that can be swapped while in use."""

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from towline_api.resources import (
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    KubeObject,
    Resource,
)
from towline_kube import access
from towline_kube.access import ResourceAttributes, UserInfo
from towline_kube.caller import Call, Caller
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.errors import Attempt, Gone, NotFound, NotServed, ServerError
from towline_kube.merge_patch import merge_patch
from towline_kube.object_paths import collection_path, object_path
from towline_kube.retries import Repeat, RetryPolicy
from towline_kube.transport import Request
from towline_kube.watch import LineSplitter, WatchEvent, parse_event

__all__ = ["Call", "Client", "ObjectList", "PatchType", "Propagation", "user_agent"]

WATCH_SILENCE = timedelta(seconds=70)
"""The watch cache of an API server sends a bookmark about once a minute, to idle watches too. Ten
seconds more than that without a byte, and the other end is most likely gone."""
SHORTEST_WATCH = timedelta(minutes=5)
"""Asked of the server, doubled at random, as client-go does: watches of a fleet that began together
should not all end together."""
SWAP_DRAINS_WITHIN = timedelta(seconds=35)
"""A little more than one request may take, so that none is cut off."""


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


@dataclass(frozen=True, slots=True)
class ObjectList:
    """The objects of a list call, at one moment.

    Args:
        items: Plain objects, each with its apiVersion and kind.
        resource_version: Where a watch goes on from.
    """

    items: Sequence[KubeObject]
    resource_version: str


def user_agent(part: str) -> str:
    """Return how a part of towline introduces itself, for example `towline-agent/0.1.0`."""
    return f"towline-{part}/{version('towline')}"


class Client:
    """Calls one API server with plain JSON objects.

    Every call has a limit, and is retried where that is safe. Errors are those of
    `towline_kube.errors`; each method can raise any of them. Use as an async context manager, or
    call `close`.

    Args:
        connection: Server, trust and identity.
        field_manager: Owner of the fields this client writes.
        user_agent: For the server's audit log; by default towline's own.
        request_timeout: Limit of one attempt of one call, and of opening a watch. API servers end
            requests after 60 s themselves; what takes more than 30 s is better tried again.
        retry: Patience within one call.
        clock: For pauses between attempts; limits of single requests use real time.
        on_call: Told of every request made; must not raise or block.

    Raises:
        ConfigError: A certificate, key or authority of the connection cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        field_manager: str,
        user_agent: str | None = None,
        request_timeout: timedelta = timedelta(seconds=30),
        retry: RetryPolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        self._field_manager = field_manager
        self._caller = Caller(
            connection,
            user_agent=user_agent or f"towline/{version('towline')}",
            request_timeout=request_timeout,
            retry=retry or RetryPolicy(),
            clock=clock,
            on_call=on_call,
        )

    @property
    def connection(self) -> Connection:
        """The connection that new calls use."""
        return self._caller.connection

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """How often which verb was sent for which resource, as `("get", "secrets")`."""
        return self._caller.calls

    @property
    def field_manager(self) -> str:
        """Owner of the fields this client writes."""
        return self._field_manager

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; calls still in flight fail, watches end."""
        await self._caller.close()

    async def swap(
        self, connection: Connection, *, drain_within: timedelta = SWAP_DRAINS_WITHIN
    ) -> None:
        """Use another credential, or another way to the same server, from now on.

        Calls that begin from here on use the new connection, before anything is waited for. Watches
        on the old one end, as if the server had ended them, so that who runs them watches on over
        the new. Returns when requests in flight are done and the old connections closed.

        Args:
            connection: What to use from now on.
            drain_within: How long requests in flight may take to end.

        Raises:
            ConfigError: The new connection cannot be used; the old one stays.
        """
        await self._caller.swap(connection, drain_within=drain_within)

    async def get(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> KubeObject:
        """Return one object.

        Raises:
            NotFound: It does not exist.
        """
        path = object_path(resource, name, namespace=namespace, subresource=subresource)
        return await self._call(
            "get", resource, Request("GET", path), name=name, namespace=namespace,
            subresource=subresource, repeat=Repeat.WHEN_TRANSIENT,
        )  # fmt: skip

    async def find(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject | None:
        """Return one object, or None if it does not exist.

        Raises:
            NotServed: Not the object but its kind is missing: that is no answer to the question.
        """
        try:
            return await self.get(resource, name, namespace=namespace)
        except NotServed:
            raise
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        page_size: int = 500,
    ) -> ObjectList:
        """Return all objects, or those of a namespace, that the selectors select.

        Args:
            resource: Kind of object.
            namespace: None for all namespaces.
            label_selector: As in `kubectl -l`.
            field_selector: As in `kubectl --field-selector`.
            page_size: Objects per request; 0 asks for all at once.
        """
        query = _selection(label_selector, field_selector)
        if page_size:
            query["limit"] = str(page_size)
        items: list[KubeObject] = []
        page = await self._list_page(resource, namespace, query)
        while True:
            metadata = page.get("metadata") or {}
            items += (_complete(resource, item) for item in page.get("items") or ())
            token = metadata.get("continue")
            if not token:
                return ObjectList(tuple(items), str(metadata.get("resourceVersion") or ""))
            try:
                page = await self._list_page(resource, namespace, {**query, "continue": token})
            except Gone:
                # The pages' moment is no longer kept: a list longer than the server's memory. One
                # whole list cannot come apart like that.
                query.pop("limit", None)
                items.clear()
                page = await self._list_page(resource, namespace, query)

    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str | None = None,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        lasting: timedelta | None = None,
        silence: timedelta = WATCH_SILENCE,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield what happens to objects, bookmarks included, until the watch ends.

        It ends without an error when the server's time for it is over and when the client's
        connection is swapped: watch again from the last resource version seen. It is not retried,
        since only its owner knows where to go on. Close the generator (`contextlib.aclosing`) if it
        is not run to its end.

        Args:
            resource: Kind of object.
            resource_version: Where to go on from; None for the present state as ADDED events first.
            namespace: None for all namespaces.
            label_selector: As in `kubectl -l`.
            field_selector: As in `kubectl --field-selector`.
            lasting: When the server is to end it; by default a random time between five and ten
                minutes.
            silence: Longest time without one byte, after which the connection counts as dead.

        Raises:
            Gone: The resource version is too old: list again.
            Unreachable: The connection broke or fell silent.
        """
        lasting = lasting or SHORTEST_WATCH * random.uniform(1, 2)  # noqa: S311 - not a secret
        query = _selection(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(lasting.total_seconds()))),
        }
        if resource_version is not None:
            query["resourceVersion"] = resource_version
        attempt = self._attempt("watch", resource, namespace=namespace)
        request = Request("GET", resource.path(namespace=namespace), query)
        splitter = LineSplitter()
        stream = self._caller.stream(attempt, request, counted=resource.qualified, silence=silence)
        async with stream as chunks:
            async for chunk in chunks:
                for line in splitter.feed(chunk):
                    yield parse_event(line, attempt=attempt)

    async def create(
        self, resource: Resource, body: KubeObject, *, subresource: str | None = None
    ) -> KubeObject:
        """Create an object and return it as the server stored it.

        Not retried when the connection breaks half-way: the object may exist then, and the error's
        `was_sent` says so.

        Args:
            resource: Kind of object.
            body: The object; `metadata.namespace` says where, `metadata.generateName` may replace a
                name.
            subresource: Create that (for example `token`) for the object the body names.

        Raises:
            AlreadyExists: An object of that name exists.
            Invalid: The object breaks a rule of its kind.
        """
        metadata = body.get("metadata") or {}
        namespace, name = metadata.get("namespace"), metadata.get("name")
        if subresource is None:
            body = _complete(resource, body)
            path = collection_path(resource, namespace=namespace)
        else:
            path = object_path(resource, name or "", namespace=namespace, subresource=subresource)
        return await self._call(
            "create", resource, self._write("POST", path, body),
            name=name or metadata.get("generateName") or "", namespace=namespace,
            subresource=subresource, repeat=Repeat.WHEN_NOT_DONE,
        )  # fmt: skip

    async def replace(
        self, resource: Resource, body: KubeObject, *, subresource: str | None = None
    ) -> KubeObject:
        """Replace an object (or its subresource) by `body`, and return it as the server stored it.

        Raises:
            Conflict: The body's resource version is not the present one.
        """
        metadata = body.get("metadata") or {}
        bound = bool(metadata.get("resourceVersion"))
        return await self._on_object(
            "replace", resource, body, method="PUT", subresource=subresource,
            content_type="application/json", query={},
            repeat=Repeat.WHEN_TRANSIENT if bound else Repeat.WHEN_NOT_DONE,
        )  # fmt: skip

    async def apply(
        self,
        resource: Resource,
        body: KubeObject,
        *,
        force: bool = True,
        subresource: str | None = None,
    ) -> KubeObject:
        """Apply the fields in `body` server-side as this client's field manager.

        Args:
            resource: Kind of object.
            body: The fields to own; fields owned before and left out now are removed.
            force: Take over fields that others own.
            subresource: Apply to that, for example `status`.

        Raises:
            Conflict: Others own one of the fields, and `force` is off.
        """
        return await self._on_object(
            "apply", resource, body, method="PATCH", subresource=subresource,
            content_type=PatchType.APPLY, query={"force": "true"} if force else {},
            repeat=Repeat.WHEN_TRANSIENT,
        )  # fmt: skip

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: KubeObject | Sequence[KubeObject],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        content_type: PatchType = PatchType.MERGE,
    ) -> KubeObject:
        """Patch an object and return the result.

        Raises:
            Conflict: The patch names a resource version that is not the present one.
        """
        path = object_path(resource, name, namespace=namespace, subresource=subresource)
        metadata = patch.get("metadata") or {} if isinstance(patch, Mapping) else {}
        bound = bool(metadata.get("resourceVersion"))
        return await self._call(
            "patch", resource, self._write("PATCH", path, patch, content_type=content_type),
            name=name, namespace=namespace, subresource=subresource,
            repeat=Repeat.WHEN_TRANSIENT if bound else Repeat.WHEN_NOT_DONE,
        )  # fmt: skip

    async def patch_status(
        self, resource: Resource, current: KubeObject, status: Mapping[str, Any]
    ) -> KubeObject:
        """Bring an object's status to `status`, as OCM's controllers do.

        The patch holds the difference only and is bound to the version it was computed from.
        Without a difference nothing is sent.

        Args:
            resource: Kind of object.
            current: The object as it was read; must hold uid and resource version.
            status: The whole wanted status.

        Returns:
            The object afterwards; `current` itself if nothing was to do.

        Raises:
            Conflict: The object changed since it was read.
        """
        difference = merge_patch(current.get("status") or {}, status)
        if not difference:
            return current
        return await self._patch_bound(resource, current, {"status": difference}, "status")

    async def patch_metadata(
        self,
        resource: Resource,
        current: KubeObject,
        *,
        labels: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, str | None] | None = None,
        finalizers: Sequence[str] | None = None,
    ) -> KubeObject:
        """Change labels, annotations and finalizers, bound to the version that was read.

        Args:
            resource: Kind of object.
            current: The object as it was read; must hold uid and resource version.
            labels: Labels to set; None as value removes one; others stay.
            annotations: The same for annotations.
            finalizers: The whole wanted list; None leaves it alone.

        Returns:
            The object afterwards; `current` itself if nothing was to do.

        Raises:
            Conflict: The object changed since it was read.
        """
        old = current.get("metadata") or {}
        new = dict(old)
        for key, changes in (("labels", labels), ("annotations", annotations)):
            if changes is not None:
                new[key] = {**(old.get(key) or {}), **changes}
        if finalizers is not None and finalizers != (old.get("finalizers") or []):
            new["finalizers"] = [*finalizers]
        difference = merge_patch(old, new)
        if not any(difference.values()) and difference.get("finalizers") is None:
            return current
        return await self._patch_bound(resource, current, {"metadata": difference}, None)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation | None = None,
        missing_ok: bool = False,
    ) -> None:
        """Delete an object, or begin to: finalizers may keep it for a while.

        Args:
            resource: Kind of object.
            name: Its name.
            namespace: Its namespace.
            uid: Delete only this very object, not another one of that name.
            resource_version: Delete it only in this version.
            propagation: What becomes of the objects it owns; None leaves it to the kind's default.
            missing_ok: Whether an object that does not exist is fine.

        Raises:
            NotFound: It does not exist, and `missing_ok` is off.
            Conflict: It is not that very object or version.
        """
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in preconditions.items() if value}
        options: KubeObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if preconditions:
            options["preconditions"] = preconditions
        if propagation:
            options["propagationPolicy"] = propagation.value
        path = object_path(resource, name, namespace=namespace)
        body = json.dumps(options, separators=(",", ":")).encode()
        try:
            await self._call(
                "delete", resource, Request("DELETE", path, body=body), name=name,
                namespace=namespace,
                repeat=Repeat.WHEN_TRANSIENT if preconditions else Repeat.WHEN_NOT_DONE,
            )  # fmt: skip
        except NotFound as error:
            # It may well be an earlier attempt, whose answer was lost, that deleted it.
            if not missing_ok and not error.follows_lost_answer:
                raise

    async def request_text(self, path: str) -> str:
        """Return what the server answers at a path that is no resource, for example `/livez`."""
        attempt = Attempt("get", path, self.connection.host)
        answer = await self._caller.send(
            attempt, Request("GET", path), counted=path, repeat=Repeat.WHEN_TRANSIENT
        )
        return answer.decode("utf-8", errors="replace")

    async def server_version(self) -> str:
        """Return the server's version, for example `v1.34.1`."""
        attempt = Attempt("get", "/version", self.connection.host)
        body = await self._caller.send(
            attempt, Request("GET", "/version"), counted="/version", repeat=Repeat.WHEN_TRANSIENT
        )
        return str(_parsed(attempt, body).get("gitVersion") or "unknown")

    async def whoami(self) -> UserInfo:
        """Return who the server takes us for: proof that the credential works.

        Raises:
            Unauthorized: It takes us for nobody.
        """
        review = access.identity_question()
        return access.parse_identity(await self._review(SELF_SUBJECT_REVIEWS, review))

    async def can_i(
        self,
        *,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        name: str = "",
        namespace: str = "",
    ) -> bool:
        """Return whether we may do this. Arguments as in `ResourceAttributes`."""
        attributes = ResourceAttributes(verb, group, resource, subresource, name, namespace)
        review = access.own_access_question(attributes)
        return access.is_allowed(await self._review(SELF_SUBJECT_ACCESS_REVIEWS, review))

    async def review_access(
        self,
        *,
        user: str,
        groups: Sequence[str] = (),
        uid: str = "",
        extra: Mapping[str, Sequence[str]] | None = None,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        name: str = "",
        namespace: str = "",
    ) -> bool:
        """Return whether somebody else may do this: a SubjectAccessReview.

        Args:
            user: User name.
            groups: All groups of the user.
            uid: As the server reported it; empty if it did not.
            extra: As the server reported it.
            verb: As in `ResourceAttributes`, like all that follow.
            group: API group.
            resource: Plural name.
            subresource: Empty for the object itself.
            name: Empty for any.
            namespace: Empty for cluster-scoped kinds.
        """
        who = UserInfo(
            user, tuple(groups), uid, {key: tuple(found) for key, found in (extra or {}).items()}
        )
        attributes = ResourceAttributes(verb, group, resource, subresource, name, namespace)
        review = access.access_question(who, attributes)
        return access.is_allowed(await self._review(SUBJECT_ACCESS_REVIEWS, review))

    async def _review(self, resource: Resource, body: KubeObject) -> KubeObject:
        # Posted, but nothing is stored: asking twice is asking once.
        request = self._write("POST", resource.path(), body)
        return await self._call("create", resource, request, repeat=Repeat.WHEN_TRANSIENT)

    async def _list_page(
        self, resource: Resource, namespace: str | None, query: Mapping[str, str]
    ) -> KubeObject:
        request = Request("GET", resource.path(namespace=namespace), dict(query))
        return await self._call(
            "list", resource, request, namespace=namespace, repeat=Repeat.WHEN_TRANSIENT
        )

    async def _patch_bound(
        self, resource: Resource, current: KubeObject, patch: KubeObject, subresource: str | None
    ) -> KubeObject:
        """Send a patch that only applies to the very object and version `current` is."""
        metadata = current["metadata"]
        bound = {
            **patch.get("metadata", {}),
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        return await self.patch(
            resource, metadata["name"], {**patch, "metadata": bound},
            namespace=metadata.get("namespace"), subresource=subresource,
        )  # fmt: skip

    async def _on_object(
        self,
        verb: str,
        resource: Resource,
        body: KubeObject,
        *,
        method: str,
        subresource: str | None,
        content_type: str,
        query: Mapping[str, str],
        repeat: Repeat,
    ) -> KubeObject:
        metadata = body.get("metadata") or {}
        name, namespace = metadata.get("name") or "", metadata.get("namespace")
        path = object_path(resource, name, namespace=namespace, subresource=subresource)
        request = self._write(
            method, path, _complete(resource, body), content_type=content_type, query=query
        )
        return await self._call(
            verb, resource, request, name=name, namespace=namespace, subresource=subresource,
            repeat=repeat,
        )  # fmt: skip

    def _write(
        self,
        method: str,
        path: str,
        body: object,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Request:
        return Request(
            method,
            path,
            {"fieldManager": self._field_manager, **(query or {})},
            json.dumps(body, separators=(",", ":")).encode(),
            str(content_type),
        )

    async def _call(
        self,
        verb: str,
        resource: Resource,
        request: Request,
        *,
        repeat: Repeat,
        name: str = "",
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> KubeObject:
        attempt = self._attempt(
            verb, resource, name=name, namespace=namespace, subresource=subresource
        )
        counted = f"{resource.qualified}/{subresource}" if subresource else resource.qualified
        body = await self._caller.send(attempt, request, counted=counted, repeat=repeat)
        return _parsed(attempt, body)

    def _attempt(
        self,
        verb: str,
        resource: Resource,
        *,
        name: str = "",
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Attempt:
        if name:
            described = resource.describe(name, namespace=namespace)
        else:
            described = resource.qualified + (f" in {namespace}" if namespace else "")
        what = f"{subresource} of {described}" if subresource else described
        return Attempt(verb, what, self.connection.host)


def _selection(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in selectors.items() if value}


def _complete(resource: Resource, obj: KubeObject) -> KubeObject:
    """Return the object with the apiVersion and kind that items of lists come without."""
    if "kind" in obj and "apiVersion" in obj:
        return obj
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _parsed(attempt: Attempt, body: bytes) -> KubeObject:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise ServerError(
            f"{attempt}: the answer is not a JSON object; check that the address is an API "
            "server's and what stands in between",
            verb=attempt.verb,
            object=attempt.object,
        )
    return parsed
