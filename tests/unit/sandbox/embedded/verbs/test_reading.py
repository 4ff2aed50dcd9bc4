"""Lists: what is in them, page by page, and as of when."""

import pytest

from towline_api.resources import CONFIG_MAPS, PODS, KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from unit.sandbox.embedded.verbs.small_api import GADGETS, SmallApi


def names(answer: KubeObject) -> list[str]:
    return [obj["metadata"]["name"] for obj in answer["items"]]


async def test_pages_of_a_list_show_one_state(api: SmallApi):
    """What happens between two pages is not seen; each page says how much is left."""
    for name in "abcde":
        await api.create(CONFIG_MAPS, name)
    first = await api.listed(CONFIG_MAPS, limit="2")
    await api.delete(CONFIG_MAPS, "d")
    await api.create(CONFIG_MAPS, "bb")
    second = await api.listed(CONFIG_MAPS, limit="2", token=first["metadata"]["continue"])
    third = await api.listed(CONFIG_MAPS, limit="2", token=second["metadata"]["continue"])
    assert [names(page) for page in (first, second, third)] == [["a", "b"], ["c", "d"], ["e"]]
    assert [page["metadata"].get("remainingItemCount") for page in (first, second, third)] == [
        3,
        1,
        None,
    ]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {
        first["metadata"]["resourceVersion"]
    }
    assert "continue" not in third["metadata"]


async def test_pages_hold_selected_objects_only(api: SmallApi):
    """And say nothing of how many are left: nobody has counted."""
    for number, name in enumerate("abcd"):
        await api.create(CONFIG_MAPS, name, metadata={"labels": {"odd": str(number % 2)}})
    page = await api.listed(CONFIG_MAPS, limit="1", labelSelector="odd=1")
    assert names(page) == ["b"]
    assert "remainingItemCount" not in page["metadata"]
    rest = await api.listed(
        CONFIG_MAPS, limit="5", labelSelector="odd=1", token=page["metadata"]["continue"]
    )
    assert names(rest) == ["d"]


async def test_an_expired_token_comes_with_one_that_goes_on(api: SmallApi):
    """The client may start anew, or take the rest as it is now."""
    for name in "abc":
        await api.create(CONFIG_MAPS, name)
    page = await api.listed(CONFIG_MAPS, limit="1")
    await api.create(CONFIG_MAPS, "aa")
    api.store.compact()
    with pytest.raises(ApiFailure, match="continue parameter is too old") as caught:
        await api.listed(CONFIG_MAPS, token=page["metadata"]["continue"])
    status = caught.value.status()
    assert (status["code"], status["reason"]) == (410, "Expired")
    rest = await api.listed(CONFIG_MAPS, token=status["metadata"]["continue"])
    assert names(rest) == ["aa", "b", "c"]


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("!!", "illegal base64 data at input byte 0"),
        ("eyJ2IjoieCJ9", "server does not recognize this encoded version x"),
        (
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MH0",
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ),
        (
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NX0",
            "encoded start key empty (version meta.k8s.io/v1)",
        ),
        ("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiJhLy4uL2IifQ", "a/../b"),
    ],
)
async def test_what_is_no_token_is_refused(api: SmallApi, token, told):
    """In the words of a real server."""
    with pytest.raises(ApiFailure) as caught:
        await api.listed(CONFIG_MAPS, token=token)
    assert caught.value.code == 400
    assert caught.value.message == f"invalid continue token: continue key is not valid: {told}"


async def test_a_list_can_be_of_the_past(api: SmallApi):
    """Exactly then, if it asks for that; at least then, otherwise."""
    await api.create(CONFIG_MAPS, "a")
    then = str(api.store.revision)
    await api.create(CONFIG_MAPS, "b")
    exact = await api.listed(CONFIG_MAPS, resourceVersion=then, match="Exact")
    assert (names(exact), exact["metadata"]["resourceVersion"]) == (["a"], then)
    assert names(await api.listed(CONFIG_MAPS, resourceVersion=then, limit="5")) == ["a"]
    for query in ({}, {"match": "NotOlderThan"}, {"match": "NotOlderThan", "limit": "5"}):
        assert names(await api.listed(CONFIG_MAPS, resourceVersion=then, **query)) == ["a", "b"]
    api.store.compact()
    with pytest.raises(ApiFailure, match="resourceVersion for the provided list is too old"):
        await api.listed(CONFIG_MAPS, resourceVersion=then, match="Exact")


async def test_the_future_is_not_there_yet(api: SmallApi):
    """504, and when to try again: a real server would have waited a moment."""
    now = api.store.revision
    with pytest.raises(ApiFailure) as caught:
        await api.listed(CONFIG_MAPS, resourceVersion="99999")
    assert caught.value.code == 504
    assert caught.value.message == (f"Timeout: Too large resource version: 99999, current: {now}")
    assert caught.value.retry_after_seconds == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"match": "Exact"}, 422),
        ({"match": "Bad", "resourceVersion": "1"}, 422),
        ({"match": "Exact", "resourceVersion": "0"}, 422),
        ({"sendInitialEvents": "true"}, 422),
        ({"limit": "abc"}, 400),
        ({"resourceVersion": "abc"}, 400),
        ({"labelSelector": "a b"}, 400),
        ({"fieldSelector": "spec.x=1"}, 400),
    ],
)
async def test_questions_that_make_no_sense_are_refused(api: SmallApi, query, code):
    """With the code of a real server."""
    with pytest.raises(ApiFailure) as caught:
        await api.listed(CONFIG_MAPS, **query)
    assert caught.value.code == code


async def test_objects_are_selected_by_the_fields_of_their_kind(api: SmallApi):
    """Every kind by name and namespace, some by more."""
    pod = {"containers": [{"name": "c", "image": "i"}]}
    await api.create(PODS, "here", spec={**pod, "nodeName": "n1"})
    await api.create(PODS, "nowhere", spec=pod)
    assert names(await api.listed(PODS, fieldSelector="spec.nodeName=n1")) == ["here"]
    assert names(await api.listed(PODS, fieldSelector="spec.nodeName!=n1")) == ["nowhere"]
    assert names(await api.listed(PODS, fieldSelector="metadata.name=here")) == ["here"]
    assert names(await api.listed(PODS, fieldSelector="metadata.namespace=other")) == []


async def test_items_say_what_they_are_only_where_kubernetes_lets_them(api: SmallApi):
    """Custom objects do, built-in ones leave it to the list."""
    await api.create(CONFIG_MAPS, "a")
    await api.create(GADGETS, "a")
    built_in, custom = await api.listed(CONFIG_MAPS), await api.listed(GADGETS)
    assert (built_in["kind"], built_in["items"][0].get("kind")) == ("ConfigMapList", None)
    assert (custom["kind"], custom["items"][0].get("kind")) == ("GadgetList", "Gadget")
    assert custom["metadata"]["continue"] == ""
