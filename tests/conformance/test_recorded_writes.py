"""Writes and what they are answered with, word for word as a real server did: see `recording`."""

import pytest

from conformance.api import Api
from conformance.recording import differences, load, prepare
from towline_api.resources import KubeObject


def _stories(file: str) -> list[object]:
    return [pytest.param(story, id=story["id"]) for story in load(file)]


async def _assert_told_again(api: Api, story: KubeObject) -> None:
    found = await (await prepare(api)).tell(story)
    expected = {"answers": story["answers"]}
    assert found == expected, "\n".join(differences(expected, found))


@pytest.mark.parametrize("story", _stories("patching.json"))
async def test_patches_are_read_as_by_the_real_server(api: Api, story: KubeObject) -> None:
    """Fields twice, unknown fields, wrong types, and who wins a conflict."""
    await _assert_told_again(api, story)


@pytest.mark.parametrize("story", _stories("owners.json"))
async def test_fields_are_owned_as_on_the_real_server(api: Api, story: KubeObject) -> None:
    """What subresources reach, what sets and lists of rules are, and whose the scale is."""
    await _assert_told_again(api, story)


@pytest.mark.parametrize("story", _stories("workloads.json"))
async def test_workloads_are_checked_as_by_the_real_server(api: Api, story: KubeObject) -> None:
    """Rollouts, ports and variables: what is refused, and what is only warned of."""
    await _assert_told_again(api, story)
