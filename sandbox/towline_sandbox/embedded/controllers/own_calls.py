"""The calls that controllers make: through the API's own verbs, without a connection."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import orjson

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.model.calls import SYSTEM, Call, User
from towline_sandbox.embedded.model.failures import ApiFailure, path_not_found
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion
from towline_sandbox.embedded.patches.media_types import APPLY
from towline_sandbox.embedded.verbs.resource_api import ResourceApi

CONTROLLER_MANAGER = "kube-controller-manager"


class OwnCalls:
    """Reads and writes objects on the server's own behalf.

    Args:
        api: Carries the calls out.
        catalog: The kinds there are.
        now: The clock.
        user: Who calls.
        manager: Whose the fields are that these calls write.
    """

    def __init__(
        self,
        api: ResourceApi,
        *,
        catalog: Catalog,
        now: Callable[[], datetime],
        user: User = SYSTEM,
        manager: str = CONTROLLER_MANAGER,
    ) -> None:
        self._api = api
        self._catalog = catalog
        self._now = now
        self._user = user
        self._manager = manager

    async def find(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject | None:
        """Return an object in this version, not to be changed; None if it is not there."""
        try:
            return await self._api.get(self._call("get", resource, name, namespace))
        except ApiFailure as failure:
            if failure.reason != "NotFound":
                raise
            return None

    async def create(self, resource: Resource, obj: KubeObject) -> KubeObject | None:
        """Store a new object and return it; None if there is one of this name already."""
        namespace = obj["metadata"].get("namespace")
        try:
            return await self._api.create(self._call("create", resource, None, namespace), obj)
        except ApiFailure as failure:
            if failure.reason != "AlreadyExists":
                raise
            return None

    async def update(
        self, resource: Resource, obj: KubeObject, *, subresource: str = ""
    ) -> KubeObject:
        """Store another state of an object and return it.

        Raises:
            ApiFailure: It changed since it was read, for one thing.
        """
        metadata = obj["metadata"]
        call = self._call(
            "update", resource, metadata["name"], metadata.get("namespace"), subresource
        )
        return (await self._api.update(call, obj)).object

    async def apply(self, resource: Resource, intent: KubeObject) -> KubeObject:
        """Have an object hold what is intended, whoever else's it was, and return it."""
        metadata = intent["metadata"]
        call = replace(
            self._call("patch", resource, metadata["name"], metadata.get("namespace")),
            query={"fieldManager": self._manager, "force": "true"},
        )
        return (await self._api.patch(call, APPLY, orjson.dumps(intent))).object

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        uid: str,
        namespace: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete an object, unless it is gone or another one already.

        Args:
            resource: Its kind.
            name: Its name.
            uid: The very object that is meant.
            namespace: Where it is.
            propagation: What becomes of what it owns.
        """
        options = {"propagationPolicy": propagation, "preconditions": {"uid": uid}}
        try:
            await self._api.delete(self._call("delete", resource, name, namespace), options)
        except ApiFailure as failure:
            if failure.reason not in ("NotFound", "Conflict"):
                raise

    def _call(
        self,
        verb: str,
        resource: Resource,
        name: str | None,
        namespace: str | None,
        subresource: str = "",
    ) -> Call:
        kind = self._catalog.find(GroupVersion(resource.group, resource.version), resource.plural)
        if kind is None:
            raise path_not_found()
        return Call(
            verb,
            kind,
            self._user,
            self._now(),
            namespace=namespace,
            name=name,
            subresource=subresource,
            field_manager=self._manager,
        )
