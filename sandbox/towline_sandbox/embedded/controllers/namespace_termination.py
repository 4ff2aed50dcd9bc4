"""Empties namespaces that are being deleted, then lets them go."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from towline_api.resources import NAMESPACES, KubeObject
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.namespace_content import (
    Content,
    conditions,
    namespaced_kinds,
    remaining,
)
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.model.kinds import Catalog, StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)

FINALIZER = "kubernetes"
"""Holds a namespace, in its `spec`, until it is empty."""

_NAMESPACES = StorageKey("", NAMESPACES.plural)


class NamespaceTermination:
    """Deletes what is in namespaces that are being deleted, as kube-controller-manager does.

    That one waits five seconds before it begins, this one does not.

    Args:
        store: Where everything is.
        catalog: The kinds there are.
        calls: Deletes.
        now: The clock.
    """

    def __init__(
        self,
        store: Store,
        *,
        catalog: Catalog,
        calls: OwnCalls,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._calls = calls
        self._now = now
        self._ending: set[str] = set()
        self._passes = passes("end-namespaces", self._end)

    def note(self, change: Change) -> None:
        """Look at a namespace that ends, also when something in it changed."""
        metadata = change.object["metadata"]
        if change.key == _NAMESPACES:
            name = metadata["name"]
            if change.type is ChangeType.DELETED:
                self._ending.discard(name)
            elif "deletionTimestamp" in metadata:
                self._ending.add(name)
                self._passes.enqueue(name)
        elif self._ending and metadata.get("namespace") in self._ending:
            self._passes.enqueue(metadata["namespace"])

    def look_at_everything(self) -> None:
        """Look at all namespaces that end."""
        self._ending = {
            namespace["metadata"]["name"]
            for namespace in self._store.objects(_NAMESPACES)
            if "deletionTimestamp" in namespace["metadata"]
        }
        for name in self._ending:
            self._passes.enqueue(name)

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    async def _end(self, name: str) -> Result:
        namespace = self._store.find(_NAMESPACES, namespace=None, name=name)
        if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
            return DONE
        if FINALIZER not in namespace["spec"].get("finalizers", ()):
            return DONE
        kinds = namespaced_kinds(self._catalog)
        for kind in kinds:
            for obj in self._store.objects(kind.storage_key, namespace=name):
                metadata = obj["metadata"]
                if "deletionTimestamp" not in metadata:
                    await self._calls.delete(
                        kind.resource,
                        metadata["name"],
                        namespace=name,
                        uid=metadata["uid"],
                        propagation="Background",
                    )
        left = remaining(self._store, kinds, namespace=name)
        namespace = await self._tell(namespace, content=left)
        if not left:
            await self._let_go(namespace)
        return DONE

    async def _tell(self, namespace: KubeObject, *, content: Content) -> KubeObject:
        status = namespace["status"]
        known = status.get("conditions", [])
        told = conditions(content, known=known, now=self._now())
        if told == known:
            return namespace
        return await self._calls.update(
            NAMESPACES,
            {**namespace, "status": {**status, "conditions": told}},
            subresource="status",
        )

    async def _let_go(self, namespace: KubeObject) -> None:
        others = [each for each in namespace["spec"]["finalizers"] if each != FINALIZER]
        spec = {**namespace["spec"], "finalizers": others}
        await self._calls.update(NAMESPACES, {**namespace, "spec": spec}, subresource="finalize")
        log.debug("namespace is empty", extra={"object": namespace["metadata"]["name"]})
