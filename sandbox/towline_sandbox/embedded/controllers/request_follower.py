"""What all who look after certificate requests do: look at each one that changes."""

from abc import ABC, abstractmethod
from typing import NoReturn

from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

REQUESTS = StorageKey(CERTIFICATE_SIGNING_REQUESTS.group, CERTIFICATE_SIGNING_REQUESTS.plural)


class RequestFollower(ABC):
    """Looks at certificate requests, one after the other.

    Args:
        store: Where requests are.
        name: What the work is called in logs.
    """

    def __init__(self, store: Store, *, name: str) -> None:
        self._store = store
        self._passes = passes(name, self._look)

    def note(self, change: Change) -> None:
        """Look at a request that changed."""
        if change.key == REQUESTS and change.type is not ChangeType.DELETED:
            self._passes.enqueue(change.object["metadata"]["name"])

    def look_at_everything(self) -> None:
        """Look at all requests."""
        for request in self._store.objects(REQUESTS):
            self._passes.enqueue(request["metadata"]["name"])

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    async def _look(self, name: str) -> Result:
        request = self._store.find(REQUESTS, namespace=None, name=name)
        return DONE if request is None else await self.look_at(request)

    @abstractmethod
    async def look_at(self, request: KubeObject) -> Result:
        """Do what is to be done about a request."""
