"""What an add-on's code does when the add-on goes: when it is called, how often, what is left."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from support.addon_stage import (
    ADDON,
    CLUSTER,
    INSTALLED,
    AddonStage,
    addon_stage,
    config_map,
    plain,
)
from support.waiting import eventually
from towline_agent import AddonAgent, AddonSettings, Removal, SpokeScope, local_copy
from towline_agent.station.user_code import CodeReport
from towline_api.resources import CONFIG_MAPS, SECRETS, KubeObject


@pytest.fixture
async def stage() -> AsyncIterator[AddonStage]:
    """A plane for each test."""
    async with addon_stage() as stage:
        await stage.put("settings", {"a": "1"})
        yield stage


class Cleaning:
    """An add-on that copies ConfigMaps, and says when it is asked to clean up."""

    def __init__(self, *, failures: int = 0, limit: timedelta = timedelta(minutes=5)) -> None:
        self.calls: list[Removal] = []
        self.may_succeed = asyncio.Event()
        if not failures:
            self.may_succeed.set()
        settings = AddonSettings(removal_limit=limit, addon_namespace=INSTALLED)
        self.agent = AddonAgent(ADDON, settings=settings)

        @self.agent.configuration("configmaps", namespace=self.agent.cluster_namespace)
        async def copy(config: KubeObject, spoke: SpokeScope) -> None:
            await spoke.apply(local_copy(config))

        @self.agent.on_removed
        async def clean_up(removal: Removal) -> None:
            self.calls.append(removal)
            # Its rights are still there, and so is what it was configured with.
            if not removal.is_gone:
                await removal.hub.client.list(CONFIG_MAPS, namespace=removal.spoke.cluster)
            if len(self.calls) <= failures:
                raise ZeroDivisionError("a bug of the add-on")
            await self.may_succeed.wait()


async def called(cleaning: Cleaning, times: int) -> None:
    """Wait until the function was called so often."""
    await eventually(lambda: len(cleaning.calls) >= times, what=lambda: cleaning.calls)


async def test_it_is_called_while_the_channel_works_and_what_was_applied_goes_last(
    stage: AddonStage,
) -> None:
    """Cleaning up may need the hub, and the configuration."""
    await stage.admin.apply(CONFIG_MAPS, config_map("foreign", INSTALLED, {"b": "2"}))
    cleaning = Cleaning()
    async with stage.running(cleaning.agent):
        await stage.until_data("settings", {"a": "1"})
        stage.change(is_being_deleted=True)
        await called(cleaning, 1)
        assert not cleaning.calls[0].is_gone
        assert cleaning.calls[0].spoke.namespace == INSTALLED
        assert await stage.data("settings") == {"a": "1"}
        stage.remove()
        await stage.until_data("settings", None)
        await eventually(stage.cleaned_up.is_set, what=lambda: "it has not said that it is done")
    assert len(cleaning.calls) == 1
    assert await stage.data("foreign") == {"b": "2"}


async def test_it_is_called_for_an_addon_that_goes_at_once(stage: AddonStage) -> None:
    """Where nothing holds the object there is no time before it is gone."""
    cleaning = Cleaning()
    async with stage.running(cleaning.agent):
        await stage.until_data("settings", {"a": "1"})
        stage.remove()
        await called(cleaning, 1)
        assert cleaning.calls[0].is_gone
        await stage.until_data("settings", None)


async def test_it_is_tried_again_and_its_failure_is_told(stage: AddonStage) -> None:
    """The object is still there to say why the add-on does not go."""
    cleaning = Cleaning(failures=2)
    async with stage.running(cleaning.agent) as hub:
        await hub.wait_ready()
        stage.change(is_being_deleted=True)
        await called(cleaning, 3)
        report = stage.code.report()
        assert report is not None
        assert report.status == "True"
        assert report.reason == "RemovalFailed"
        assert "clean_up: ZeroDivisionError: a bug of the add-on" in report.message
        cleaning.may_succeed.set()
        told = CodeReport("False", "AsExpected", "the add-on's code works.")
        await eventually(lambda: stage.code.report() == told, what=stage.code.report)


async def test_it_is_given_up_after_a_while_and_what_was_applied_goes_all_the_same(
    stage: AddonStage,
) -> None:
    """A bug in cleaning up must not keep things on clusters for ever."""
    cleaning = Cleaning(failures=1000, limit=timedelta(seconds=20))
    async with stage.running(cleaning.agent):
        await stage.until_data("settings", {"a": "1"})
        stage.remove()
        await stage.until_data("settings", None)
        assert cleaning.calls
        await eventually(stage.cleaned_up.is_set, what=lambda: "it has not said that it is done")


async def test_what_a_handler_applies_to_the_last_goes_as_well(stage: AddonStage) -> None:
    """Where nothing holds the object, it may be gone while a handler is at work."""
    begun, may_apply = asyncio.Event(), asyncio.Event()
    cleaning = Cleaning()

    @cleaning.agent.configuration("secrets", namespace=cleaning.agent.cluster_namespace)
    async def late(config: KubeObject, spoke: SpokeScope) -> None:
        begun.set()
        await may_apply.wait()
        await spoke.apply(local_copy(config))

    async with stage.running(cleaning.agent):
        await stage.until_data("settings", {"a": "1"})
        await stage.admin.apply(SECRETS, plain(SECRETS, "late", CLUSTER, stringData={"a": "1"}))
        await eventually(begun.is_set, what=lambda: "its handler was not called")
        stage.remove()
        await called(cleaning, 1)
        for _ in range(20):
            assert await stage.data("settings") == {"a": "1"}, "it removes while a handler applies"
        may_apply.set()
        await eventually(stage.cleaned_up.is_set, what=lambda: "it has not said that it is done")
    assert await stage.admin.find(SECRETS, "late", namespace=INSTALLED) is None


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_process_that_starts_meanwhile_begins_again(
    stage: AddonStage, is_gone: bool
) -> None:
    """Nobody remembers how far the last process came, so it is called at least once."""
    async with stage.running(Cleaning().agent):
        await stage.until_data("settings", {"a": "1"})
    if is_gone:
        stage.remove()
    else:
        stage.change(is_being_deleted=True)
    cleaning = Cleaning()
    async with stage.running(cleaning.agent):
        await called(cleaning, 1)
        assert cleaning.calls[0].is_gone is is_gone
        if is_gone:
            await stage.until_data("settings", None)


async def test_an_addon_that_is_installed_again_is_configured_again(stage: AddonStage) -> None:
    """What was removed with the first has to come back with the second, and may go again."""
    cleaning = Cleaning()
    first = stage.addon
    assert first is not None
    async with stage.running(cleaning.agent):
        await stage.until_data("settings", {"a": "1"})
        stage.remove()
        await stage.until_data("settings", None)
        stage.addon = first
        stage.change(uid="second")
        await stage.until_data("settings", {"a": "1"})
        stage.remove()
        await stage.until_data("settings", None)
    assert len(cleaning.calls) == 2
