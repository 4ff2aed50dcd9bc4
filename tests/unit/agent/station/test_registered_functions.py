"""What is refused at the moment it is registered, and in which words."""

import functools
from pathlib import Path
from typing import Any

import pytest

from towline_agent import AddonAgent, AddonSettings, HubChannel, Spoke
from towline_api.errors import ConfigError


@pytest.fixture
def agent() -> AddonAgent:
    """An add-on's agent."""
    return AddonAgent("helloworld")


def test_a_synchronous_function_is_refused_with_what_to_write(agent: AddonAgent) -> None:
    """It would block the channel, and its result could not be awaited."""

    def main(hub: HubChannel) -> None:
        """Block everybody."""

    untyped: Any = agent.task
    with pytest.raises(TypeError, match="main is not one: write `async def work") as raised:
        untyped(main)
    assert "asyncio.to_thread" in str(raised.value)


@pytest.mark.parametrize("decorator", ["health", "on_removed", "task"])
def test_wrong_arguments_are_refused(agent: AddonAgent, decorator: str) -> None:
    """At once, and not when an add-on is removed in a year."""

    async def takes_too_much(one: object, two: object, three: object) -> None:
        """Never called."""

    with pytest.raises(TypeError, match=f"@agent.{decorator} cannot call .*takes_too_much"):
        getattr(agent, decorator)(takes_too_much)


def test_a_handler_is_refused_like_all_others(agent: AddonAgent) -> None:
    """The decorator with arguments checks the function, too."""
    untyped: Any = agent.configuration("configmaps")
    with pytest.raises(TypeError, match="takes an asynchronous function"):
        untyped(lambda config, spoke: None)


@pytest.mark.parametrize("name", ["Widgets", "widgets.", ".example.com", "", "widgets/v1"])
def test_what_no_kind_can_be_called_is_refused(agent: AddonAgent, name: str) -> None:
    """The hub could never serve it."""
    with pytest.raises(ValueError, match="is not the name of a kind"):
        agent.configuration(name)


async def test_whatever_can_be_awaited_with_these_arguments_will_do(agent: AddonAgent) -> None:
    """Partial functions, methods, objects; a task takes the hub alone or both ends."""
    seen: list[object] = []

    class Work:
        async def __call__(self, hub: HubChannel) -> None:
            seen.append(hub)

        async def method(self, hub: HubChannel, spoke: Spoke) -> None:
            seen.append((hub, spoke))

    async def more(extra: str, hub: HubChannel) -> None:
        seen.append(extra)

    untyped: Any = agent.task
    untyped(Work())
    untyped(Work().method)
    untyped(functools.partial(more, "extra"))
    hub: Any = "hub"
    spoke: Any = "spoke"
    for task in agent.process().tasks:
        await task.work(hub, spoke)
    assert seen == ["hub", ("hub", "spoke"), "extra"]


class ForwarderSettings(AddonSettings):
    """Settings with a field of a developer's own."""

    batch: int = 10
    """How many at once."""


class StrictSettings(AddonSettings):
    """Settings with something that has no default."""

    target: Path
    """Where to."""


def test_settings_are_typed_and_known_when_given() -> None:
    """User code reads its own fields without a cast."""
    agent = AddonAgent("forwarder", settings=ForwarderSettings(batch=3))
    batch: int = agent.settings.batch
    assert batch == 3
    assert isinstance(AddonAgent("x", settings=AddonSettings()).settings, AddonSettings)


def test_settings_that_are_not_known_yet_are_not_made_up() -> None:
    """At import time nothing is read from the environment."""
    agent = AddonAgent("forwarder", settings_class=ForwarderSettings)
    with pytest.raises(RuntimeError, match="are not known before its agent runs"):
        _ = agent.settings


def test_a_program_reads_its_own_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Flags, variables and `--help` know the developer's fields."""
    agent = AddonAgent("forwarder", settings_class=ForwarderSettings)
    with pytest.raises(SystemExit):
        agent.run(["--help"])
    shown = capsys.readouterr().out
    assert "--batch" in shown
    assert "How many at once." in shown
    monkeypatch.setenv("TOWLINE_BATCH", "many")
    with pytest.raises(SystemExit, match=r"forwarder: TOWLINE_BATCH: .*valid integer"):
        agent.run([])


async def test_settings_of_the_plain_class_are_taken_with_defaults_for_the_rest() -> None:
    """A test kit knows where things are, and nothing of the add-on's own fields."""
    import asyncio

    agent = AddonAgent("forwarder", settings_class=StrictSettings)
    with pytest.raises(ConfigError, match="settings of StrictSettings need target as well"):
        await agent.serve(asyncio.Event(), settings=AddonSettings())
