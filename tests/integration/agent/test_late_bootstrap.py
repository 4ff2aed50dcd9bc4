"""An agent in a pod starts before anybody has made its bootstrap Secret."""

from pathlib import Path

import pytest

from support.joining import JoinHub, agent_settings, running_agent
from support.waiting import eventually
from towline_api.errors import ConfigError
from towline_sandbox.plane import ControlPlane


async def test_an_agent_waits_for_its_bootstrap_kubeconfig_where_it_is_told_to(
    hub: JoinHub,
    hub_plane: ControlPlane,
    spoke_plane: ControlPlane,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Pods that end and begin again until somebody comes are noise that hides what matters."""
    settings = await agent_settings(
        hub, hub_plane, spoke_plane, folder=tmp_path, wait_for_bootstrap=True
    )
    file = tmp_path / "bootstrap.kubeconfig"
    file.rename(tmp_path / "later")
    async with running_agent(settings, awaits_session=False) as agent:
        await eventually(
            lambda: "waiting for a bootstrap kubeconfig" in caplog.text, what=lambda: caplog.text
        )
        assert agent.sessions == []
        file.write_text("{")  # somebody is still writing it
        (tmp_path / "later").rename(file)
        await hub.joined()
    assert caplog.text.count("waiting for a bootstrap kubeconfig") == 1


async def test_whoever_starts_it_by_hand_is_told_at_once(
    hub: JoinHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Path
) -> None:
    """A misspelt path is nothing to wait for."""
    settings = await agent_settings(hub, hub_plane, spoke_plane, folder=tmp_path)
    (tmp_path / "bootstrap.kubeconfig").unlink()
    with pytest.raises(BaseExceptionGroup) as ended:
        async with running_agent(settings, awaits_session=False) as agent:
            await agent.task
    assert ended.group_contains(ConfigError, match="no way to the hub")
