"""How a hub's process runs, as the operator sets it."""

from datetime import timedelta

import pytest

from towline_api.errors import ConfigError
from towline_api.names import HUB_NAMESPACE
from towline_hub.settings import HubSettings
from towline_kube.candidacy import LeaseTimes
from towline_kube.listen_address import ListenAddress
from towline_kube.settings import load


def _hub(*arguments: str, **environment: str) -> HubSettings:
    return load(HubSettings, arguments, environment=environment)


def test_by_default_a_hub_runs_alone_and_serves_nothing() -> None:
    """On a laptop it needs no namespace, no port and no rights for either."""
    settings = _hub()
    assert not settings.leader_election
    assert settings.listen is None
    assert settings.lease_times == LeaseTimes()
    assert settings.namespace == HUB_NAMESPACE


def test_what_a_deployment_sets_is_taken() -> None:
    """As variables, which is how manifests set them."""
    settings = _hub(
        TOWLINE_LEADER_ELECTION="true",
        TOWLINE_LISTEN="0.0.0.0:8080",
        TOWLINE_NAMESPACE="hubs",
        TOWLINE_DRAIN_LIMIT="20s",
        TOWLINE_LEASE_DURATION="30s",
        TOWLINE_RENEW_DEADLINE="20s",
        TOWLINE_RETRY_PERIOD="5s",
    )
    assert settings.leader_election
    assert settings.listen == ListenAddress("0.0.0.0", 8080)
    assert settings.namespace == "hubs"
    assert settings.drain_limit == timedelta(seconds=20)
    assert settings.lease_times.duration == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--listen", "8080"), r"--listen: expected HOST:PORT"),
        (("--renew-deadline", "10s"), r"retry period < renew deadline < lease duration"),
        (("--lease-duration", "90s", "--renew-deadline", "1s"), r"retry period < renew deadline"),
        (("--lease-duration", "10500ms"), r"whole seconds"),
    ],
)
def test_what_cannot_work_is_refused_at_start(arguments: tuple[str, ...], complaint: str) -> None:
    """Times that let two hubs write would show only when one of them stands still."""
    with pytest.raises(ConfigError, match=complaint):
        _hub(*arguments)
