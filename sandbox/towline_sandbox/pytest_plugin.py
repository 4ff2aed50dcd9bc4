"""The pytest plugin: planes, a joined pair and an enabled add-on as fixtures.

It is there as soon as `towline[sandbox]` is installed. Nothing is imported or started until a test
asks for a fixture. Fixtures are plain (no event loop in the test), and last for a test each; the
ini option `towline_fixture_scope` makes them last for a class, a module, a package or the session.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import pytest

from towline_sandbox.collector import collector_at_rest

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from towline_agent.embedding.addon_agent import AddonAgent
    from towline_api.resources import KubeObject
    from towline_sandbox.embedded.plane import EmbeddedPlane
    from towline_sandbox.testing.pair import EnabledAddon, JoinedPair

Scope = Literal["session", "package", "module", "class", "function"]

_SCOPE_OPTION = "towline_fixture_scope"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for how long the fixtures last."""
    parser.addini(
        _SCOPE_OPTION,
        "how long towline's fixtures last: function (the default), class, module, package, session",
        default="function",
    )


def _scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001  # pytest's form
    return cast("Scope", config.getini(_SCOPE_OPTION))


@pytest.fixture(scope=_scope)
def towline_hub_plane() -> "Iterator[EmbeddedPlane]":
    """A fresh API server to be the hub cluster."""
    with collector_at_rest():
        from towline_sandbox.embedded.plane import EmbeddedPlane

    with EmbeddedPlane("hub") as plane:
        yield plane


@pytest.fixture(scope=_scope)
def towline_spoke_plane() -> "Iterator[EmbeddedPlane]":
    """A fresh API server to be the managed cluster."""
    with collector_at_rest():
        from towline_sandbox.embedded.plane import EmbeddedPlane

    with EmbeddedPlane("spoke") as plane:
        yield plane


@pytest.fixture(scope=_scope)
def towline_addon_agent() -> "AddonAgent | None":
    """The agent of the add-on under test. Override it to return yours."""
    return None


@pytest.fixture(scope=_scope)
def towline_addon_rules() -> "Sequence[KubeObject]":
    """RBAC rules of the add-on's program on the managed cluster. Override it if it needs others."""
    from towline_sandbox.testing.pair import ADDON_RULES

    return ADDON_RULES


@pytest.fixture(scope=_scope)
def towline_addon_signers() -> "Sequence[str]":
    """Signers of the add-on's own, whose certificates its agent uses. Override it for yours."""
    return ()


@pytest.fixture(scope=_scope)
def towline_addon_settings() -> "Mapping[str, object]":
    """Settings that the add-on's program has of its own. Override it to give them values."""
    return {}


@pytest.fixture(scope=_scope)
def towline_hub_settings() -> "Mapping[str, object]":
    """What the hub's settings file says. Override it to declare an add-on, or to play a signer."""
    return {}


@pytest.fixture(scope=_scope)
def towline_portal() -> "Iterator[BlockingPortal]":
    """The event loop that hub, agent and the add-on's agent run in, in a thread of its own."""
    from anyio.from_thread import start_blocking_portal

    with start_blocking_portal(name="towline") as portal:
        yield portal


@pytest.fixture(scope=_scope)
def towline_joined_pair(
    towline_portal: "BlockingPortal",
    towline_hub_plane: "EmbeddedPlane",
    towline_spoke_plane: "EmbeddedPlane",
    towline_addon_agent: "AddonAgent | None",
    towline_hub_settings: "Mapping[str, object]",
    tmp_path_factory: pytest.TempPathFactory,
) -> "Iterator[JoinedPair]":
    """A hub and a managed cluster that has joined it."""
    with collector_at_rest():
        from towline_sandbox.testing.pair import joined_pair

    joining = joined_pair(
        towline_portal,
        towline_hub_plane,
        towline_spoke_plane,
        folder=_private_folder(tmp_path_factory),
        addons=() if towline_addon_agent is None else (towline_addon_agent.name,),
        hub_settings={key.replace("-", "_"): value for key, value in towline_hub_settings.items()},
    )
    with ExitStack() as stack:
        with collector_at_rest():
            pair = stack.enter_context(towline_portal.wrap_async_context_manager(joining))
        yield pair


@pytest.fixture(scope=_scope)
def towline_addon(
    towline_portal: "BlockingPortal",
    towline_joined_pair: "JoinedPair",
    towline_addon_agent: "AddonAgent | None",
    towline_addon_rules: "Sequence[KubeObject]",
    towline_addon_signers: "Sequence[str]",
    towline_addon_settings: "Mapping[str, object]",
    tmp_path_factory: pytest.TempPathFactory,
) -> "Iterator[EnabledAddon]":
    """The add-on under test, enabled and running."""
    from towline_sandbox.testing.pair import enabled_addon

    if towline_addon_agent is None:
        raise pytest.UsageError(
            "the fixture towline_addon needs to know which add-on: define a fixture "
            "towline_addon_agent that returns its AddonAgent"
        )
    enabling = enabled_addon(
        towline_joined_pair,
        towline_addon_agent,
        folder=_private_folder(tmp_path_factory),
        rules=towline_addon_rules,
        signers=towline_addon_signers,
        settings=towline_addon_settings,
    )
    with towline_portal.wrap_async_context_manager(enabling) as addon:
        yield addon


def _private_folder(factory: pytest.TempPathFactory) -> Path:
    folder = factory.mktemp("towline")
    folder.chmod(0o700)
    return folder
