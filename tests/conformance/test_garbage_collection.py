"""What happens to objects whose owners go."""

from typing import Any

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map
from support.waiting import until
from towline_api.resources import KubeObject


@pytest.fixture
def path(namespace: str) -> str:
    """Return the path of the test's ConfigMaps."""
    return CONFIG_MAPS.path(namespace=namespace)


async def create(api: Api, path: str, name: str, *owners: KubeObject, **more: bool) -> KubeObject:
    """Create a ConfigMap that belongs to others."""
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **more,
        }
        for owner in owners
    ]
    metadata: dict[str, Any] = {"ownerReferences": references} if references else {}
    return (await api.post(path, config_map(name, **metadata))).ok(201)


async def until_gone(api: Api, path: str) -> None:
    """Wait until an object is gone."""

    async def gone() -> bool:
        return (await api.get(path)).status == 404

    await until(gone, what=lambda: f"{path} is still there")


async def test_what_belongs_to_the_deleted_goes(api: Api, path: str) -> None:
    """In the background, unless told otherwise; also what belongs to that."""
    owner = await create(api, path, "owner")
    child = await create(api, path, "child", owner)
    await create(api, path, "grandchild", child)
    (await api.delete(f"{path}/owner")).ok()
    await until_gone(api, f"{path}/child")
    await until_gone(api, f"{path}/grandchild")


async def test_orphans_stay(api: Api, path: str) -> None:
    """And do not name their owner any more."""
    owner = await create(api, path, "owner")
    await create(api, path, "child", owner)
    (await api.delete(f"{path}/owner", {"propagationPolicy": "Orphan"})).ok()
    await until_gone(api, f"{path}/owner")
    assert "ownerReferences" not in (await api.get(f"{path}/child")).ok()["metadata"]


async def test_in_the_foreground_children_go_first(api: Api, path: str) -> None:
    """The owner waits for those that block it."""
    owner = await create(api, path, "owner")
    await create(api, path, "child", owner, blockOwnerDeletion=True)
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    (await api.patch(f"{path}/child", held)).ok()
    marked = (await api.delete(f"{path}/owner", {"propagationPolicy": "Foreground"})).ok()
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert marked["metadata"]["deletionTimestamp"]

    async def child_is_marked() -> bool:
        child = (await api.get(f"{path}/child")).ok()
        return "deletionTimestamp" in child["metadata"]

    await until(child_is_marked, what=lambda: "the child to be marked")
    assert (await api.get(f"{path}/owner")).status == 200
    (await api.patch(f"{path}/child", {"metadata": {"finalizers": None}})).ok()
    await until_gone(api, f"{path}/owner")
    assert (await api.get(f"{path}/child")).status == 404


async def test_one_of_two_owners_is_enough(api: Api, path: str) -> None:
    """The reference to the one that went is taken away."""
    first, second = [await create(api, path, name) for name in ("first", "second")]
    await create(api, path, "child", first, second)
    (await api.delete(f"{path}/first")).ok()

    async def owned_by_one() -> bool:
        child = (await api.get(f"{path}/child")).ok()
        return [o["name"] for o in child["metadata"]["ownerReferences"]] == ["second"]

    await until(owned_by_one, what=lambda: "the reference to go")
    (await api.delete(f"{path}/second")).ok()
    await until_gone(api, f"{path}/child")


async def test_whoever_names_an_owner_that_is_not_there_goes(api: Api, path: str) -> None:
    """Also when the name is taken but by another incarnation."""
    owner = await create(api, path, "owner")
    impostor = {"metadata": {"name": "owner", "uid": "11111111-1111-4111-8111-111111111111"}}
    await create(api, path, "child", impostor)
    await until_gone(api, f"{path}/child")
    assert (await api.get(f"{path}/owner")).ok() == owner
