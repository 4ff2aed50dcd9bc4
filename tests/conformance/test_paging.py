"""Lists in pieces: every piece shows the state of the first."""

from typing import Any

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, config_map
from towline_api.resources import LEASES, KubeObject

NAMES = [f"page-{number}" for number in range(5)]


@pytest.fixture
async def paged(api: Api, namespace: str) -> str:
    """Return the path of a collection of five Leases."""
    path = LEASES.path(namespace=namespace)
    for name in NAMES:
        (await api.post(path, {"metadata": {"name": name}})).ok(201)
    return path


def names_in(body: KubeObject) -> list[str]:
    """Return the names of the items of a list."""
    return [item["metadata"]["name"] for item in body["items"]]


async def test_pieces_make_the_whole(api: Api, paged: str) -> None:
    """In order, without a gap, the last one without a token."""
    first = (await api.get(paged, limit=2)).ok()
    assert names_in(first) == NAMES[:2]
    assert first["metadata"]["remainingItemCount"] == 3
    token = first["metadata"]["continue"]
    second = (await api.get(paged, limit=2, **{"continue": token})).ok()
    assert names_in(second) == NAMES[2:4]
    assert second["metadata"]["remainingItemCount"] == 1
    third = (await api.get(paged, limit=2, **{"continue": second["metadata"]["continue"]})).ok()
    assert names_in(third) == NAMES[4:]
    assert "continue" not in third["metadata"]
    assert "remainingItemCount" not in third["metadata"]


async def test_all_pieces_have_the_version_of_the_first(api: Api, paged: str) -> None:
    """What is written in between shows up in none of them."""
    first = (await api.get(paged, limit=2)).ok()
    (await api.post(paged, {"metadata": {"name": "page-2-and-a-half"}})).ok(201)
    (await api.delete(f"{paged}/page-4")).ok()
    rest = (await api.get(paged, **{"continue": first["metadata"]["continue"]})).ok()
    assert names_in(rest) == NAMES[2:]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert names_in((await api.get(paged)).ok()) == [
        *NAMES[:3],
        "page-2-and-a-half",
        "page-3",
    ]


@pytest.mark.parametrize("limit", [5, 6, 0])
async def test_what_fits_comes_whole(api: Api, paged: str, limit: int) -> None:
    """A limit of nothing is no limit."""
    body = (await api.get(paged, limit=limit)).ok()
    assert names_in(body) == NAMES
    assert "continue" not in body["metadata"]


async def test_pieces_of_a_selection_do_not_say_how_much_is_left(api: Api, paged: str) -> None:
    """That would have to be counted."""
    for name in NAMES[:4]:
        (await api.patch(f"{paged}/{name}", {"metadata": {"labels": {"l": "1"}}})).ok()
    first = (await api.get(paged, limit=3, labelSelector="l=1")).ok()
    assert names_in(first) == NAMES[:3]
    assert "remainingItemCount" not in first["metadata"]
    query = {"continue": first["metadata"]["continue"], "labelSelector": "l=1"}
    assert names_in((await api.get(paged, limit=3, **query)).ok()) == NAMES[3:4]


async def test_pieces_over_all_namespaces(api: Api, namespace: str) -> None:
    """The token remembers namespace and name."""
    for name in ("a", "b"):
        (await api.post(CONFIG_MAPS.path(namespace=namespace), config_map(name))).ok(201)
    whole = (await api.get(CONFIG_MAPS.path())).ok()
    seen: list[tuple[str, str]] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        body = (await api.get(CONFIG_MAPS.path(), **query)).ok()
        seen += [
            (item["metadata"]["namespace"], item["metadata"]["name"]) for item in body["items"]
        ]
        if not body["metadata"].get("continue"):
            break
        query["continue"] = body["metadata"]["continue"]
    assert len(seen) == len(set(seen))
    assert set(seen) >= {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in whole["items"]
        if item["metadata"]["namespace"] == namespace
    }


async def test_a_made_up_token_is_refused(api: Api, paged: str) -> None:
    """Not taken for the beginning."""
    answer = await api.get(paged, **{"continue": "made-up"})
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"].startswith("invalid continue token: continue key is not valid: ")


async def test_a_token_and_a_version_do_not_go_together(api: Api, paged: str) -> None:
    """The token holds the version already."""
    first = (await api.get(paged, limit=2)).ok()
    version = first["metadata"]["resourceVersion"]
    answer = await api.get(
        paged, resourceVersion=version, **{"continue": first["metadata"]["continue"]}
    )
    assert answer.status == 400
    assert "specifying resource version is not allowed when using continue" in answer.text


async def test_a_limit_has_to_be_a_number(api: Api, paged: str) -> None:
    """Nothing is guessed."""
    answer = await api.get(paged, limit="many")
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
