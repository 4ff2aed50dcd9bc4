"""The client of one API server: every verb, under a credential that can be swapped while in use.

Reading stands in `object_reading`, what is asked about rights in `server_questions`; what a verb
sends stands in `operations`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from towline_api.resources import KubeObject, Resource
from towline_kube import operations
from towline_kube.bound_patches import metadata_patch, status_patch
from towline_kube.caller import Call, Caller
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.errors import NotFound
from towline_kube.fence import Fence
from towline_kube.listing import ObjectList
from towline_kube.object_reading import ObjectReading
from towline_kube.operations import PatchType, Propagation
from towline_kube.patience import Patience
from towline_kube.retries import RetryPolicy
from towline_kube.server_questions import ServerQuestions
from towline_kube.targets import Target

__all__ = ["Call", "Client", "ObjectList", "PatchType", "Propagation", "user_agent"]

SWAP_DRAINS_WITHIN = timedelta(seconds=35)
"""A little more than one request may take, so that none is cut off."""


def user_agent(part: str) -> str:
    """Return how a part of towline introduces itself, for example `towline-agent/0.1.0`."""
    return f"towline-{part}/{_own_version()}"


@cache
def _own_version() -> str:
    # Read from a file of the installation, which takes as long as a call over the network.
    return version("towline")


class Client(ObjectReading, ServerQuestions):
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
        fence: What calls that change something have to pass, on a process that may lead; None for
            none.
        patience: Shared by all clients of one server: while it fails, calls are tried once, and
            transient errors say in their `retry_after` when to come again. None for neither.

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
        fence: Fence | None = None,
        patience: Patience | None = None,
    ) -> None:
        caller = Caller(
            connection,
            user_agent=user_agent or f"towline/{_own_version()}",
            request_timeout=request_timeout,
            retry=retry or RetryPolicy(),
            clock=clock,
            on_call=on_call,
            fence=fence,
            patience=patience,
        )
        super().__init__(caller, field_manager=field_manager)

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
        return await self._call(operations.create(resource, body, subresource=subresource))

    async def replace(
        self, resource: Resource, body: KubeObject, *, subresource: str | None = None
    ) -> KubeObject:
        """Replace an object (or its subresource) by `body`, and return it as the server stored it.

        Raises:
            Conflict: The body's resource version is not the present one.
        """
        return await self._call(operations.put(resource, body, subresource=subresource))

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
        application = operations.apply(resource, body, force=force, subresource=subresource)
        return await self._call(application)

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
        target = Target(resource, name, namespace, subresource)
        return await self._call(operations.patch(target, patch, content_type=content_type))

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
        patch = status_patch(current, status)
        if patch is None:
            return current
        target = Target.of(resource, current, subresource="status")
        return await self._call(operations.patch(target, patch))

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
        patch = metadata_patch(
            current, labels=labels, annotations=annotations, finalizers=finalizers
        )
        if patch is None:
            return current
        return await self._call(operations.patch(Target.of(resource, current), patch))

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
        deletion = operations.delete(
            Target(resource, name, namespace),
            uid=uid,
            resource_version=resource_version,
            propagation=propagation,
        )
        try:
            await self._call(deletion)
        except NotFound as error:
            # It may well be an earlier attempt, whose answer was lost, that deleted it.
            if not missing_ok and not error.follows_lost_answer:
                raise
