"""Many at once: nothing lost, nothing twice, one order for all."""

import asyncio

import pytest

from conformance.api import Api, PatchType
from conformance.watching import revisions, told
from towline_api.resources import LEASES, KubeObject

WRITERS = 8


@pytest.fixture
def path(namespace: str) -> str:
    """Return the path of the test's Leases."""
    return LEASES.path(namespace=namespace)


async def test_one_of_many_creates(api: Api, path: str) -> None:
    """That is how agents agree on who makes a request."""
    body = {"metadata": {"name": "a"}}
    answers = await asyncio.gather(*(api.post(path, body) for _ in range(WRITERS)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201] + [409] * (WRITERS - 1)
    assert {a.body["reason"] for a in answers if a.status == 409} == {"AlreadyExists"}


async def test_one_of_many_updates(api: Api, path: str) -> None:
    """That is how a leader is elected: one state, one next state."""
    made = (await api.post(path, {"metadata": {"name": "a"}})).ok(201)

    async def take(holder: int) -> int:
        body = {**made, "spec": {"holderIdentity": f"h-{holder}"}}
        return (await api.put(f"{path}/a", body)).status

    statuses = sorted(await asyncio.gather(*map(take, range(WRITERS))))
    assert statuses == [200] + [409] * (WRITERS - 1)


async def test_patches_of_many_are_all_kept(api: Api, path: str) -> None:
    """A patch without a version is tried again by the server itself."""
    (await api.post(path, {"metadata": {"name": "a"}})).ok(201)

    async def label(number: int) -> int:
        patch = {"metadata": {"labels": {f"l{number}": "1"}}}
        return (await api.patch(f"{path}/a", patch)).status

    assert set(await asyncio.gather(*map(label, range(WRITERS)))) == {200}
    labels = (await api.get(f"{path}/a")).ok()["metadata"]["labels"]
    assert labels == {f"l{number}": "1" for number in range(WRITERS)}


async def test_a_counter_counts_every_success(api: Api, path: str) -> None:
    """Compare-and-swap by a JSON patch: what was told to have worked has worked, once."""
    spec = {"leaseTransitions": 0}
    (await api.post(path, {"metadata": {"name": "a"}, "spec": spec})).ok(201)

    async def count() -> int:
        done = 0
        for _ in range(6):
            now: int = (await api.get(f"{path}/a")).ok()["spec"]["leaseTransitions"]
            swap: list[KubeObject] = [
                {"op": "test", "path": "/spec/leaseTransitions", "value": now},
                {"op": "replace", "path": "/spec/leaseTransitions", "value": now + 1},
            ]
            answer = await api.patch(f"{path}/a", swap, kind=PatchType.JSON)
            assert answer.status in (200, 422)
            done += answer.status == 200
        return done

    done = sum(await asyncio.gather(*(count() for _ in range(4))))
    assert done > 0
    assert (await api.get(f"{path}/a")).ok()["spec"]["leaseTransitions"] == done


async def test_a_list_and_the_watch_from_it_tell_the_whole_story(api: Api, path: str) -> None:
    """While others write: no change between the two is lost, none is told twice."""

    async def write(writer: int) -> None:
        for number in range(4):
            name = f"w{writer}-{number}"
            (await api.post(path, {"metadata": {"name": name}})).ok(201)
            (await api.patch(f"{path}/{name}", {"spec": {"holderIdentity": "me"}})).ok()
            if number % 2:
                (await api.delete(f"{path}/{name}")).ok()

    writers = asyncio.gather(*map(write, range(4)))
    listed = (await api.get(path)).ok()
    start = listed["metadata"]["resourceVersion"]
    state = {item["metadata"]["name"]: item for item in listed["items"]}
    await writers
    (await api.post(path, {"metadata": {"name": "zz-end"}})).ok(201)
    events: list[KubeObject] = []
    async with api.watch(path, resourceVersion=start) as watch:
        while not events or told(events[-1:]) != [("ADDED", "zz-end")]:
            events.append(await watch.next())
    assert revisions(events) == sorted(set(revisions(events)))
    for event in events:
        item = event["object"]
        name = item["metadata"]["name"]
        assert (event["type"] == "ADDED") == (name not in state)
        if event["type"] == "DELETED":
            del state[name]
        else:
            state[name] = item
    now = {item["metadata"]["name"]: item for item in (await api.get(path)).ok()["items"]}
    assert {n: i["metadata"]["resourceVersion"] for n, i in state.items()} == {
        n: i["metadata"]["resourceVersion"] for n, i in now.items()
    }
    assert {n: i.get("spec") for n, i in state.items()} == {
        n: i.get("spec") for n, i in now.items()
    }


async def test_a_deleted_name_can_be_taken_again(api: Api, path: str) -> None:
    """By another object: another uid, a later version; a watch is told of both."""
    start = (await api.get(path)).ok()["metadata"]["resourceVersion"]
    first = (await api.post(path, {"metadata": {"name": "a"}})).ok(201)
    (await api.delete(f"{path}/a")).ok()
    second = (await api.post(path, {"metadata": {"name": "a"}})).ok(201)
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    async with api.watch(path, resourceVersion=start) as watch:
        events = await watch.take(3)
    assert told(events) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]
    uids = [event["object"]["metadata"]["uid"] for event in events]
    assert uids == [first["metadata"]["uid"]] * 2 + [second["metadata"]["uid"]]
