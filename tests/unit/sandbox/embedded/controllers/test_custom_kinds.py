"""Kinds come with their definition, under names nobody else has, and go with it."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from towline_api.crds import crds
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_sandbox.embedded.controllers.custom_kinds import CustomKinds
from towline_sandbox.embedded.custom import (
    CRD_KEY,
    WebhookUnreachable,
    check_crd,
    complete_crd,
    fill_crd,
    kinds_of,
)
from towline_sandbox.embedded.custom.departing import begin_deletion
from towline_sandbox.embedded.model.calls import SYSTEM, Call
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, Kind, StorageKey
from towline_sandbox.embedded.storage.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CRD_KIND = Kind(CUSTOM_RESOURCE_DEFINITIONS, frozenset(), "", "")
CREATING = Call("create", CRD_KIND, SYSTEM, NOW)


async def no_webhook(_config: KubeObject, _review: KubeObject) -> KubeObject:
    raise WebhookUnreachable("nobody is there")


def definition(plural: str = "things", kind: str = "Thing", **names: Any) -> KubeObject:
    crd: KubeObject = {
        "metadata": {"name": f"{plural}.x.io"},
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                        },
                    },
                },
                {
                    "name": "v0",
                    "served": False,
                    "storage": False,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                },
            ],
        },
    }
    complete_crd(crd)
    fill_crd(CREATING, crd, None)
    return crd


class World:
    """A store, and the kinds that follow its definitions."""

    def __init__(self) -> None:
        self.store = Store()
        self.catalog = Catalog()
        self.kinds = CustomKinds(self.catalog, self.store, caller=no_webhook, now=lambda: NOW)

    def add(self, crd: KubeObject) -> None:
        self.store.create(CRD_KEY, crd)
        self.kinds.settle()

    def find(self, name: str) -> KubeObject | None:
        return self.store.find(CRD_KEY, namespace=None, name=name)

    def conditions(self, name: str) -> dict[str, tuple[str, str]]:
        crd = self.find(name)
        assert crd is not None
        return {
            each["type"]: (each["status"], each["reason"]) for each in crd["status"]["conditions"]
        }

    def served(self) -> list[str]:
        return [f"{kind.resource.qualified}/{kind.resource.version}" for kind in self.catalog]

    def delete(self, name: str) -> None:
        """Mark a definition as deleted, as the verbs do with what has a finalizer."""
        crd = self.find(name)
        assert crd is not None
        self.store.replace(
            CRD_KEY,
            begin_deletion(crd, "2026-01-01T00:00:00Z"),
            expected_revision=crd["metadata"]["resourceVersion"],
        )

    def add_object(self, name: str, *finalizers: str) -> None:
        metadata = {"name": name, "namespace": "default", "finalizers": list(finalizers)}
        self.store.create(StorageKey("x.io", "things"), {"metadata": metadata})


@contextlib.asynccontextmanager
async def following(world: World) -> AsyncIterator[None]:
    """Let the kinds follow their definitions meanwhile."""
    task = asyncio.create_task(world.kinds.run(), name="follow-definitions")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_a_definition_is_served_in_its_served_versions() -> None:
    """With everything that discovery tells about it."""
    world = World()
    world.add(definition(shortNames=["th"], categories=["all"]))
    assert world.served() == ["things.x.io/v1"]
    kind = world.catalog.find(GroupVersion("x.io", "v1"), "things")
    assert kind is not None
    assert (kind.singular, kind.list_kind, kind.short_names, kind.categories) == (
        "thing",
        "ThingList",
        ("th",),
        ("all",),
    )
    assert set(kind.subresources) == {"status", "scale"}
    assert world.conditions("things.x.io") == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }


def test_a_name_that_is_taken_keeps_a_definition_from_being_served() -> None:
    """Until then, only its status says why."""
    world = World()
    world.add(definition())
    world.add(definition("stuff", "Thing"))
    assert world.served() == ["things.x.io/v1"]
    assert world.conditions("stuff.x.io") == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }


async def test_a_name_that_is_given_up_goes_to_who_waits_for_it() -> None:
    """Without anybody touching the definition that waits."""
    world = World()
    world.add(definition())
    world.add(definition("stuff", "Thing"))
    async with following(world):
        world.delete("things.x.io")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.served() == ["stuff.x.io/v1"]


async def test_a_new_definition_is_served_after_one_turn_of_the_loop() -> None:
    """Clients need not wait for it as they do elsewhere."""
    world = World()
    async with following(world):
        await asyncio.sleep(0)
        world.store.create(CRD_KEY, definition())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert world.served() == ["things.x.io/v1"]


def test_a_definition_takes_its_objects_with_it() -> None:
    """Nobody could ever reach them again."""
    world = World()
    world.add(definition())
    world.add_object("a")
    world.delete("things.x.io")
    world.kinds.settle()
    assert world.find("things.x.io") is None
    assert world.store.objects(StorageKey("x.io", "things")) == []
    assert world.served() == []


def test_a_definition_waits_for_objects_that_somebody_holds() -> None:
    """Finalizers hold here as everywhere; meanwhile the kind is served, but nothing new is made."""
    world = World()
    world.add(definition())
    world.add_object("a", "x.io/hold")
    world.delete("things.x.io")
    world.kinds.settle()
    assert world.conditions("things.x.io")["Terminating"] == ("True", "InstanceDeletionInProgress")
    kind = world.catalog.find(GroupVersion("x.io", "v1"), "things")
    assert kind is not None
    with pytest.raises(ApiFailure, match="create not allowed while custom resource definition is"):
        kind.traits.fill(Call("create", kind, SYSTEM, NOW), {"metadata": {"name": "b"}}, None)
    key = StorageKey("x.io", "things")
    held = world.store.find(key, namespace="default", name="a")
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    world.store.delete(
        key,
        namespace="default",
        name="a",
        expected_revision=held["metadata"]["resourceVersion"],
    )
    world.kinds.settle()
    assert world.find("things.x.io") is None


def test_settling_twice_writes_once() -> None:
    """Otherwise every look at a definition would wake everybody who watches it."""
    world = World()
    world.add(definition())
    before = world.store.revision
    world.kinds.settle()
    assert world.store.revision == before


def test_stored_versions_grow_with_the_storage_version() -> None:
    """They tell in which versions objects may still be stored."""
    old = definition()
    new = copy.deepcopy(old)
    new["spec"]["versions"][0]["storage"] = False
    new["spec"]["versions"][1]["storage"] = True
    fill_crd(Call("update", CRD_KIND, SYSTEM, NOW), new, old)
    assert new["status"]["storedVersions"] == ["v1", "v0"]


@pytest.mark.parametrize(
    ("v0", "told"),
    [
        pytest.param({}, "", id="not-deprecated"),
        pytest.param(
            {"deprecated": True}, "x.io/v0 Thing is deprecated; use x.io/v1 Thing", id="deprecated"
        ),
        pytest.param(
            {"deprecated": True, "deprecationWarning": "go away"}, "go away", id="own-words"
        ),
    ],
)
def test_a_deprecated_version_says_which_one_to_use(v0: KubeObject, told: str) -> None:
    """Callers see it as a warning with every answer."""
    crd = definition()
    crd["spec"]["versions"][1] |= {"served": True, **v0}
    new, old = kinds_of(crd, caller=no_webhook)
    assert (new.deprecation, old.deprecation) == ("", told)


@pytest.mark.parametrize("crd", crds(), ids=lambda crd: crd["metadata"]["name"])
def test_our_own_definitions_are_valid(crd: KubeObject) -> None:
    """The hub starts with them on every plane."""
    crd = copy.deepcopy(crd)
    complete_crd(crd)
    fill_crd(CREATING, crd, None)
    assert list(check_crd(CREATING, crd, None)) == []
    for kind in kinds_of(crd, caller=no_webhook):
        obj = {"apiVersion": kind.resource.api_version, "metadata": {"name": "a"}}
        list(kind.traits.check(Call("create", kind, SYSTEM, NOW), obj, None))
