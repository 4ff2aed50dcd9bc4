"""What a real server answered, word for word: created objects of many kinds, and many refusals."""

import pytest

from conformance.api import Api
from conformance.recording import differences, load, prepare
from towline_api.resources import KubeObject


def _cases(file: str) -> list[object]:
    return [pytest.param(exchange, id=exchange["id"]) for exchange in load(file)]


@pytest.mark.parametrize("exchange", _cases("created.json"))
async def test_an_object_comes_back_as_from_the_real_server(api: Api, exchange: KubeObject) -> None:
    """Defaults, stamps, owners of fields, and the row that `kubectl get` prints."""
    found = await (await prepare(api)).create(exchange)
    expected = {"created": exchange["created"], "cells": exchange["cells"]}
    assert found == expected, "\n".join(differences(expected, found))


@pytest.mark.parametrize("exchange", _cases("refused.json"))
async def test_a_request_is_refused_as_by_the_real_server(api: Api, exchange: KubeObject) -> None:
    """Code, reason, message and details."""
    found = await (await prepare(api)).send(exchange)
    expected = {"status": exchange["status"], "answer": exchange["answer"]}
    assert found == expected, "\n".join(differences(expected, found))


@pytest.mark.parametrize("story", _cases("stories.json"))
async def test_a_story_goes_as_on_the_real_server(api: Api, story: KubeObject) -> None:
    """Several writes of one object, by several managers: every answer in full."""
    found = await (await prepare(api)).tell(story)
    expected = {"answers": story["answers"]}
    assert found == expected, "\n".join(differences(expected, found))
