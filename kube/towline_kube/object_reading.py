"""Reading objects from an API server: one, many, or what becomes of them."""

import logging
import random
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

from towline_api.resources import KubeObject, Resource
from towline_kube import operations
from towline_kube.errors import NotFound, NotServed
from towline_kube.list_watch import Selection
from towline_kube.listing import ObjectList, list_all
from towline_kube.operation_sender import OperationSender
from towline_kube.targets import Target
from towline_kube.transport import FellSilent
from towline_kube.watch import LineSplitter, WatchEvent, parse_event

log = logging.getLogger(__name__)

WATCH_SILENCE = timedelta(seconds=70)
"""The watch cache of an API server sends a bookmark about once a minute. Ten seconds more than that
without a byte, and the other end may be gone. Or it has heard of no newer version of this kind, and
has nothing to mark: by default etcd tells it one only every ten minutes.
"""
SHORTEST_WATCH = timedelta(minutes=5)
"""Asked of the server, doubled at random, as client-go does: watches of a fleet that began together
should not all end together."""


class ObjectReading(OperationSender):
    """The verbs that change nothing."""

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
        target = Target(resource, name, namespace, subresource)
        return await self._call(operations.get(target))

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
        selection = Selection(
            resource=resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        return await list_all(selection, page_size=page_size, call=self._call)

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
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield what happens to objects, bookmarks included, until the watch ends.

        It ends without an error when the server's time for it is over, when the client's connection
        is swapped, and when nothing has come for too long: watch again from the last resource
        version seen. It is not retried, since only its owner knows where to go on. Close the
        generator (`contextlib.aclosing`) if it is not run to its end.

        Args:
            resource: Kind of object.
            resource_version: Where to go on from; None for the present state as ADDED events first.
            namespace: None for all namespaces.
            label_selector: As in `kubectl -l`.
            field_selector: As in `kubectl --field-selector`.
            lasting: When the server is to end it; by default a random time between five and ten
                minutes.
            silence: Longest time without one byte, after which the connection is given up.
            on_open: Called once the server has agreed, which of a kind that hardly changes may be
                long before anything is yielded.

        Raises:
            Gone: The resource version is too old: list again.
            Unreachable: The connection broke.
        """
        selection = Selection(
            resource=resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        lasting = lasting or SHORTEST_WATCH * random.uniform(1, 2)  # noqa: S311 - not a secret
        watch = operations.watch(selection, resource_version=resource_version, lasting=lasting)
        attempt = watch.attempt_on(self.connection.host)
        splitter = LineSplitter()
        stream = self._caller.stream(
            attempt, watch.request, counted=watch.counted, silence=silence, lasting=lasting
        )
        try:
            async with stream as chunks:
                if on_open is not None:
                    on_open()
                async for chunk in chunks:
                    for line in splitter.feed(chunk):
                        yield parse_event(line, attempt=attempt)
        except FellSilent:
            log.debug("watch is silent; connecting again", extra={"object": watch.object})
