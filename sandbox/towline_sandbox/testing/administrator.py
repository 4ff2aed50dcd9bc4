"""A plane's administrator with plain, blocking calls: tests need no event loop of their own."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from anyio.from_thread import BlockingPortal

from towline_api.conditions import find_condition
from towline_api.resources import KubeObject, Resource
from towline_kube.client import Client
from towline_sandbox.waiting import NotSeenError

PATIENCE = timedelta(seconds=20)
"""How long `wait_for` waits by default for what should take a fraction of a second."""

_LOOK_EVERY_SECONDS = 0.02

Test = Callable[[KubeObject], object]
"""Says whether an object is as wanted, by anything that is true or false."""


class Administrator:
    """Somebody who may do everything on a plane, for test functions.

    Every call blocks the calling thread until the API server has answered, and raises what
    `towline_kube.client.Client` raises.

    Args:
        portal: Where the client's event loop runs.
        client: Makes the calls.
        plane: Name of the plane, for messages.
    """

    def __init__(self, portal: BlockingPortal, client: Client, *, plane: str) -> None:
        self._portal = portal
        self._client = client
        self._plane = plane

    def __repr__(self) -> str:
        """Name the plane."""
        return f"<Administrator of plane {self._plane!r}>"

    def apply(self, resource: Resource, body: KubeObject) -> KubeObject:
        """Create the object or change it, by server-side apply; `apiVersion` and `kind` are added.

        Args:
            resource: Its kind.
            body: The object, with `metadata.name` and, where the kind has one, its namespace.
        """
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return self._portal.call(partial(self._client.apply, resource, whole))

    def find(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject | None:
        """Return an object, or None if it is not there."""
        return self._portal.call(partial(self._client.find, resource, name, namespace=namespace))

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
    ) -> Sequence[KubeObject]:
        """Return all objects of a kind, in one namespace or in all."""
        found = self._portal.call(
            partial(self._client.list, resource, namespace=namespace, label_selector=label_selector)
        )
        return found.items

    def delete(self, resource: Resource, name: str, *, namespace: str | None = None) -> None:
        """Delete an object that has to be there."""
        self._portal.call(partial(self._client.delete, resource, name, namespace=namespace))

    def wait_for(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        condition: str | None = None,
        until: Test = bool,
        within: timedelta = PATIENCE,
    ) -> KubeObject:
        """Return an object as soon as it is there and as wanted.

        Args:
            resource: Its kind.
            name: Its name.
            namespace: Its namespace.
            condition: Type of a condition that has to be True.
            until: What else has to hold of it.
            within: How long to wait.

        Raises:
            NotSeenError: Time is up; says what was there instead.
        """

        def is_wanted(found: KubeObject) -> bool:
            if condition is not None:
                seen = find_condition(found, condition)
                if seen is None or seen.status != "True":
                    return False
            return bool(until(found))

        found = self._look(resource, name, namespace, is_wanted, within)
        if found is None or not is_wanted(found):
            wanted = f" with condition {condition}" if condition else ""
            raise NotSeenError(
                f"{resource.describe(name, namespace=namespace)}{wanted} was not seen on plane "
                f"{self._plane!r} within {within.total_seconds():g} s; found: {found}"
            )
        return found

    def wait_gone(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        within: timedelta = PATIENCE,
    ) -> None:
        """Return as soon as an object is not there.

        Raises:
            NotSeenError: Time is up, and it still is.
        """
        deadline = time.monotonic() + within.total_seconds()
        while (found := self.find(resource, name, namespace=namespace)) is not None:
            if time.monotonic() > deadline:
                raise NotSeenError(
                    f"{resource.describe(name, namespace=namespace)} is still on plane "
                    f"{self._plane!r} after {within.total_seconds():g} s: {found}"
                )
            time.sleep(_LOOK_EVERY_SECONDS)

    def _look(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        is_wanted: Callable[[KubeObject], bool],
        within: timedelta,
    ) -> KubeObject | None:
        deadline = time.monotonic() + within.total_seconds()
        while True:
            found = self.find(resource, name, namespace=namespace)
            if (found is not None and is_wanted(found)) or time.monotonic() > deadline:
                return found
            time.sleep(_LOOK_EVERY_SECONDS)
