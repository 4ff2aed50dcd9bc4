"""The version of the add-on kinds that a hub is spoken to in."""

import json
from datetime import timedelta
from typing import Any, cast

import pytest

from support.clock import FakeClock
from support.tasks import background
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addon_codec_v1beta1 import V1Beta1Codec
from towline_kube.addon_api import choose_codec, wait_for_codec
from towline_kube.client import Client
from towline_kube.errors import ApiError, Forbidden, NotServed, Unreachable

OLD, NEW = (
    f"/apis/addon.open-cluster-management.io/{version}" for version in ("v1alpha1", "v1beta1")
)
ADDONS = json.dumps({"resources": [{"name": "managedclusteraddons"}]})
OTHERS = json.dumps({"resources": [{"name": "addontemplates"}]})


def failure(kind: type[ApiError]) -> ApiError:
    """Return what a client raises."""
    return kind("no")


class Hub:
    """What a hub serves, by path."""

    def __init__(self, **served: str | ApiError) -> None:
        self.served: dict[str, str | ApiError] = {
            {"old": OLD, "new": NEW}[name]: answer for name, answer in served.items()
        }
        self.asked: list[str] = []

    @property
    def client(self) -> Client:
        return cast("Client", self)

    async def request_text(self, path: str) -> str:
        self.asked.append(path)
        answer: Any = self.served.get(path, failure(NotServed))
        if isinstance(answer, ApiError):
            raise answer
        return str(answer)


async def test_the_stored_version_is_preferred_and_one_question_tells() -> None:
    """It needs no conversion, so it works when the webhook is away."""
    hub = Hub(old=ADDONS, new=ADDONS)
    assert isinstance(await choose_codec(hub.client), V1Alpha1Codec)
    assert hub.asked == [OLD]


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(None, id="not served"),
        pytest.param(OTHERS, id="only other kinds"),
        pytest.param("[]", id="nonsense"),
        pytest.param("{", id="no JSON"),
        pytest.param('{"resources": [7]}', id="no kinds"),
    ],
)
async def test_a_hub_without_it_is_spoken_to_in_the_newer_one(old: str | None) -> None:
    """OCM may stop serving the older version some day."""
    hub = Hub(new=ADDONS) if old is None else Hub(old=old, new=ADDONS)
    assert isinstance(await choose_codec(hub.client), V1Beta1Codec)


@pytest.mark.parametrize("hub", [Hub(), Hub(old=failure(Forbidden), new=ADDONS)])
async def test_where_nothing_can_be_told_it_is_the_stored_version(hub: Hub) -> None:
    """What then fails says itself what is missing."""
    assert isinstance(await choose_codec(hub.client), V1Alpha1Codec)


async def test_a_hub_that_does_not_answer_is_asked_again() -> None:
    """An agent must not conclude anything from silence."""
    hub, clock = Hub(old=failure(Unreachable), new=ADDONS), FakeClock()
    with pytest.raises(Unreachable):
        await choose_codec(hub.client)
    async with background(wait_for_codec(hub.client, clock=clock), name="choose") as task:
        await clock.settle()
        assert not task.done()
        hub.served[OLD] = ADDONS
        await clock.advance_until(task.done, step=timedelta(seconds=1), limit=timedelta(minutes=1))
        assert isinstance(task.result(), V1Alpha1Codec)
