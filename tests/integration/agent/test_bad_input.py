"""Wrong inputs and broken surroundings: one clear line, nothing lost, and no restart needed."""

import asyncio
import base64
import logging
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from support.joining import JoinHub, agent_settings, ensure, grant_agent, obj, running_agent
from support.waiting import eventually, until
from towline_agent.credentials.status import CredentialState
from towline_agent.daemon import run
from towline_api.errors import ConfigError
from towline_api.resources import NAMESPACES, SECRETS, KubeObject
from towline_sandbox.plane import ControlPlane


def warnings(caplog: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """Return the warnings, with their facts, that hold all of these words."""
    said = [
        f"{record.getMessage()}: {record.__dict__.get('reason', '')} "
        f"{record.__dict__.get('error', '')}"
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]
    return [line for line in said if all(word in line for word in words)]


async def says(caplog: pytest.LogCaptureFixture, *words: str) -> None:
    """Wait until a warning holds these words."""
    await eventually(
        lambda: bool(warnings(caplog, *words)), what=lambda: f"{words} in {warnings(caplog)}"
    )


def replaced(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


async def test_a_wrong_authority_is_said_once_and_mended_by_the_file(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The hub's authority is pinned; there is no falling back to any other."""
    good = await hub_plane.bootstrap_kubeconfig()
    pems = [base64.b64encode(plane.ca_pem).decode() for plane in (hub_plane, spoke_plane)]
    bad = replaced(good, [(pems[0], pems[1])])
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path, bootstrap=bad)
    async with running_agent(settings, parts={}):
        await says(caplog, "credential cannot be kept", "certificate", hub_plane.server[8:])
        assert settings.bootstrap_kubeconfig is not None
        settings.bootstrap_kubeconfig.write_text(good)
        await hub.joined()
    assert len(warnings(caplog, "credential cannot be kept")) == 1


async def test_an_unreachable_hub_is_said_once_and_another_one_is_joined(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody answers at the address; when the file names another, the agent goes there."""
    good = await hub_plane.bootstrap_kubeconfig()
    bad = replaced(good, [(hub_plane.server, "https://127.0.0.1:1")])
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path, bootstrap=bad)
    async with running_agent(settings, parts={}) as agent:
        await says(caplog, "credential cannot be kept", "127.0.0.1:1")
        before = agent.session.identity
        assert settings.bootstrap_kubeconfig is not None
        settings.bootstrap_kubeconfig.write_text(good)
        await hub.joined()
        await says(caplog, "names another hub", "127.0.0.1:1 ->")
        assert agent.session.identity == before
    assert len(await hub.requests()) == 1


async def test_an_ended_bootstrap_token_is_named_and_replaced_by_the_file(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line says which credential it is, because an agent has several."""
    good = await hub_plane.bootstrap_kubeconfig()
    bad = await hub_plane.bootstrap_kubeconfig(lifetime=timedelta(seconds=-1))
    token = bad.split("token:")[1].split()[0]
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path, bootstrap=bad)
    async with running_agent(settings, parts={}) as agent:
        await says(caplog, "credential cannot be kept", "bootstrap.kubeconfig", "expired")
        assert token not in caplog.text
        assert agent.session.keeper.status.state is CredentialState.FAILING
        assert settings.bootstrap_kubeconfig is not None
        settings.bootstrap_kubeconfig.write_text(good)
        await hub.joined()


@pytest.mark.parametrize("text", ["", "{", "kind: Config", "\x00"])
async def test_a_broken_kubeconfig_at_the_first_start_ends_the_program_with_one_line(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    """There is nothing to go on with, and whoever starts it is looking."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path, bootstrap=text)
    with pytest.raises(ConfigError) as failure:
        await run(settings, asyncio.Event(), parts={})
    assert "bootstrap.kubeconfig" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert warnings(caplog) == []


async def test_a_kubeconfig_broken_later_changes_nothing(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither for the running agent, nor for one that starts with a stored credential."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    assert settings.bootstrap_kubeconfig is not None
    async with running_agent(settings, parts={}) as agent:
        await hub.joined()
        settings.bootstrap_kubeconfig.write_text("{")
        await says(caplog, "mounted credential cannot be used")
        await agent.session.channel.client.whoami()
    async with running_agent(settings, parts={}) as agent:
        await says(caplog, "going on with the stored credential")
        await eventually(lambda: agent.session.channel.is_ready, what=lambda: "not ready")
    assert len(await hub.requests()) == 1


async def test_a_deleted_bootstrap_kubeconfig_is_not_needed_once_joined(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """Careful operators remove it."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    assert settings.bootstrap_kubeconfig is not None
    async with running_agent(settings, parts={}):
        await hub.joined()
    settings.bootstrap_kubeconfig.unlink()
    before = await hub.lease_time()
    async with running_agent(settings, parts={}):

        async def beats_again() -> bool:
            return await hub.lease_time() not in (None, before)

        await until(beats_again, what=lambda: "no beat")


async def test_an_edited_secret_is_put_right_without_asking_the_hub(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The running process has the good credential; edits and deletion alike are undone."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings, parts={}):
        await hub.joined()
        good = await hub.secret()
        assert good is not None

        async def is_good() -> bool:
            return bool((await hub.secret() or {}).get("data") == good["data"])

        patch: KubeObject = {"data": {"tls.key": base64.b64encode(b"x").decode(), "tls.crt": None}}
        await hub.spoke.patch(SECRETS, "hub-kubeconfig-secret", patch, namespace=hub.namespace)
        await says(caplog, "stored credential was changed or removed")
        await until(is_good, what=lambda: "still edited")
        await hub.spoke.delete(SECRETS, "hub-kubeconfig-secret", namespace=hub.namespace)
        await until(is_good, what=lambda: "still gone")
    assert len(await hub.requests()) == 1


async def test_a_secret_edited_while_nobody_looked_is_earned_again(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a new key: what somebody had in hand is not trusted again."""
    caplog.set_level(logging.INFO)
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    async with running_agent(settings, parts={}):
        await hub.joined()
    patch: KubeObject = {"data": {"tls.key": base64.b64encode(b"x").decode()}}
    await hub.spoke.patch(SECRETS, "hub-kubeconfig-secret", patch, namespace=hub.namespace)
    async with running_agent(settings, parts={}) as agent:
        await eventually(lambda: agent.session.channel.is_ready, what=lambda: "not ready")
    assert len(await hub.requests()) == 2
    reasons = [r.__dict__.get("reason", "") for r in caplog.records if "making a key" in r.msg]
    assert any("private key" in reason for reason in reasons), reasons


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_missing_namespace_is_said_and_waited_for(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    when: str,
) -> None:
    """It was never made, or somebody deleted it with all that was in it."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    namespace = obj(NAMESPACES, hub.namespace)

    async def is_gone() -> bool:
        return await hub.spoke.find(NAMESPACES, hub.namespace) is None

    async def delete() -> None:
        await hub.spoke.delete(NAMESPACES, hub.namespace)
        await until(is_gone, what=lambda: "namespace still there")

    if when == "before":
        await delete()
    async with running_agent(settings, parts={}, awaits_session=when == "after") as agent:
        if when == "after":
            await hub.joined()
            await delete()
        await says(caplog, hub.namespace)
        if when == "after":
            await agent.session.channel.client.whoami()  # the channel goes on
        await ensure(hub.spoke, NAMESPACES, namespace)
        await grant_agent(hub)
        await hub.joined()
        await until(hub.secret, what=lambda: "no secret")
    assert len(await hub.requests()) == 1
