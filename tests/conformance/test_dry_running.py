"""Dry runs: everything is checked and answered, nothing is stored."""

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map, details
from conformance.watching import told


@pytest.fixture
def path(namespace: str) -> str:
    """Return the path of the test's ConfigMaps."""
    return CONFIG_MAPS.path(namespace=namespace)


async def test_a_dry_creation_leaves_nothing(api: Api, path: str) -> None:
    """The answer shows what would have come out."""
    body = (await api.post(path, config_map("a", {"k": "v"}), dryRun="All")).ok(201)
    assert body["metadata"]["uid"]
    assert "resourceVersion" not in body["metadata"]
    assert (await api.get(f"{path}/a")).status == 404


async def test_a_dry_creation_finds_what_is_there(api: Api, path: str) -> None:
    """All checks are made."""
    (await api.post(path, config_map("a"))).ok(201)
    (await api.post(path, config_map("a"), dryRun="All")).assert_refused(
        409, "AlreadyExists", 'configmaps "a" already exists', details(CONFIG_MAPS, "a")
    )


async def test_dry_changes_are_not_stored(api: Api, path: str) -> None:
    """Update, patch, apply and delete alike; a watch is told of none."""
    made = (await api.post(path, config_map("a", {"k": "v"}))).ok(201)
    start = await api.version(path)
    changed = {**made, "data": {"k": "w"}}
    for answer in (
        await api.put(f"{path}/a", changed, dryRun="All"),
        await api.patch(f"{path}/a", {"data": {"k": "w"}}, dryRun="All"),
        await api.apply(
            f"{path}/a", config_map("a", {"k": "w"}), manager="m", force=True, dryRun="All"
        ),
    ):
        assert answer.ok()["data"] == {"k": "w"}
        assert answer.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    (await api.delete(f"{path}/a", dryRun="All")).ok()
    assert (await api.get(f"{path}/a")).ok() == made
    async with api.watch(path, resourceVersion=start) as watch:
        (await api.delete(f"{path}/a")).ok()
        assert told([await watch.next()]) == [("DELETED", "a")]


async def test_a_dry_run_is_whole_or_not_at_all(api: Api, path: str) -> None:
    """There is one value; a typing error must not make it a real run."""
    answer = await api.post(path, config_map("a"), dryRun="Some")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueNotSupported",
            "message": 'Unsupported value: ["Some"]: supported values: "All"',
            "field": "dryRun",
        }
    ]
    assert (await api.get(f"{path}/a")).status == 404


async def test_a_dry_run_of_a_deletion_can_be_asked_for_in_the_body(api: Api, path: str) -> None:
    """As clients of the Go kind do."""
    (await api.post(path, config_map("a"))).ok(201)
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
    (await api.delete(f"{path}/a", options)).ok()
    assert (await api.get(f"{path}/a")).status == 200
