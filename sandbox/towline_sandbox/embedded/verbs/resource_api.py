"""The verbs of the API, for objects of every kind."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.admissions import Admission, chain, let_pass
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.kinds import Catalog
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.deleting import Deleted, Deleter
from towline_sandbox.embedded.verbs.reading import get, list_objects
from towline_sandbox.embedded.verbs.scaling import SCALE, Scaler
from towline_sandbox.embedded.verbs.watching import WatchEvent, watch
from towline_sandbox.embedded.verbs.writing import Writer, Written


class ResourceApi:
    """What can be done with stored objects. Every refusal is an `ApiFailure`.

    Callers have been authenticated and authorized already. What they get may be the very object
    that is stored, which is never changed: who wants another one makes a copy.

    Args:
        store: Where objects are.
        catalog: The kinds there are.
        admission: Has a say in every write, before the rules of the kind are looked at.
        last_word: Has a say in every write that breaks no rule.
        now: The clock.
    """

    def __init__(
        self,
        *,
        store: Store,
        catalog: Catalog,
        admission: Admission,
        last_word: Admission = let_pass,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._now = now
        self._writer = Writer(store=store, admission=admission, last_word=last_word)
        self._scaler = Scaler(store=store, writer=self._writer)
        self._deleter = Deleter(store=store, admission=chain(admission, last_word))

    async def get(self, call: Call) -> KubeObject:
        """Return the object that a call names."""
        if call.subresource == SCALE:
            return await self._scaler.get(call)
        return await get(self._store, call)

    async def list(self, call: Call) -> KubeObject:
        """Return the List of the objects that a call selects."""
        return await list_objects(self._store, call)

    async def watch(self, call: Call) -> AsyncGenerator[WatchEvent, None]:
        """Return the events of a watch, without end unless the call says how long."""
        return await watch(self._store, call)

    async def create(self, call: Call, body: KubeObject) -> KubeObject:
        """Store a new object and return it."""
        return await self._writer.create(call, body)

    async def update(self, call: Call, body: KubeObject) -> Written:
        """Store another state of an object."""
        if call.subresource == SCALE:
            return await self._scaler.update(call, body)
        return await self._writer.update(call, body)

    async def patch(self, call: Call, content_type: str, patch: bytes) -> Written:
        """Change an object as a patch of this media type says."""
        media_type = content_type.partition(";")[0].strip()
        if call.subresource == SCALE:
            return await self._scaler.patch(call, media_type, patch)
        return await self._writer.patch(call, media_type, patch)

    async def delete(self, call: Call, options: KubeObject) -> Deleted:
        """Delete an object; `options` are DeleteOptions."""
        return await self._deleter.delete(call, options)

    async def delete_collection(self, call: Call, options: KubeObject) -> KubeObject:
        """Delete the objects that a call selects; return the List of them."""
        return await self._deleter.delete_collection(call, options)
