"""A control plane in memory, without a server in front of it."""

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import cache

import pytest

from support.clock import START, FakeClock
from support.tasks import background
from towline_api.resources import NAMESPACES, KubeObject, Resource
from towline_certs.authority import Authority, create_authority
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.running import Controllers
from towline_sandbox.embedded.controllers.standard import standard_controllers
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.kinds import Catalog
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.resource_api import ResourceApi

_TURNS = 300
"""Of the event loop; nothing here waits for anything outside it, and a pass takes some ten."""


@cache
def _authority() -> Authority:
    return create_authority("ca", now=START, lifetime=timedelta(days=3650))


async def _admit(_call: Call, _new: KubeObject | None, _old: KubeObject | None) -> None:
    """Let everybody do everything."""


class World:
    """A store, the verbs of the API, and all controllers.

    Args:
        clock: Its time.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.store = Store()
        self.clock = clock
        catalog = Catalog()
        catalog.put("built-in", built_in.kinds())
        api = ResourceApi(store=self.store, catalog=catalog, admission=_admit, now=clock.now)
        self.calls = OwnCalls(api, catalog=catalog, now=clock.now, manager="test")
        self.controllers: Controllers = standard_controllers(
            self.store,
            api=api,
            catalog=catalog,
            authority=_authority(),
            ca_pem=lambda: b"PEM",
            now=clock.now,
        )

    async def create(
        self, resource: Resource, name: str, *, namespace: str | None = None, **fields: object
    ) -> KubeObject:
        """Store an object; `metadata` among the fields is added to."""
        given = fields.pop("metadata", {})
        assert isinstance(given, dict)
        metadata = {"name": name, **given}
        if namespace is not None:
            metadata["namespace"] = namespace
        created = await self.calls.create(resource, {"metadata": metadata, **fields})
        assert created is not None, f"{name} is there already"
        return created

    async def find(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject | None:
        """Return a copy of an object, once the controllers are done."""
        await self.settle()
        return copy.deepcopy(await self.calls.find(resource, name, namespace=namespace))

    async def get(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject:
        """Return an object that has to be there, once the controllers are done."""
        found = await self.find(resource, name, namespace=namespace)
        assert found is not None, f"{name} is not there"
        return found

    async def delete(self, resource: Resource, obj: KubeObject, propagation: str) -> None:
        """Delete an object with a propagation policy."""
        metadata = obj["metadata"]
        await self.calls.delete(
            resource,
            metadata["name"],
            namespace=metadata.get("namespace"),
            uid=metadata["uid"],
            propagation=propagation,
        )

    async def settle(self) -> None:
        """Give the controllers time to finish."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[World]:
    """Return a plane with one namespace, whose controllers run."""
    world = World(clock)
    async with background(world.controllers.run(), name="run-controllers"):
        await world.create(NAMESPACES, "default")
        yield world
