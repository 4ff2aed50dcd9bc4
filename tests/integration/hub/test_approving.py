"""What an operator adds to the policy, on a hub at work: quotas, approval by hand, checks."""

import asyncio
from pathlib import Path

import pytest

from integration.hub.conftest import RunHub, hub_settings
from integration.hub.spoke import Spoke, decision, eventually, issued, join
from towline_api.errors import ConfigError
from towline_api.metadata import name_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, EVENTS
from towline_certs import generate_key
from towline_hub import daemon
from towline_hub.decisions.approve_request import approve_request
from towline_kube.client import Client
from towline_sandbox.plane import ControlPlane

CHECKS = """
from towline_hub.approval.checks import deny


def no_strangers(request):
    return deny("the cluster is not ours") if "mine" not in request.cluster_labels else None
"""


async def told(admin: Client, request: str, *, reason: str) -> str:
    """Return the note of an Event about a request once there is one with this reason."""

    async def look() -> str | None:
        for event in (await admin.list(EVENTS, namespace="default")).items:
            regarding = event.get("regarding") or {}
            if regarding.get("name") == request and event.get("reason") == reason:
                return str(event["note"])
        return None

    return await eventually(look, what=f"an Event {reason} about {request}")


async def undecided(admin: Client, names: list[str]) -> list[str]:
    """Return which of these requests are neither approved nor denied."""
    requests = [await admin.get(CERTIFICATE_SIGNING_REQUESTS, name) for name in names]
    return [name_of(each) for each in requests if not each["status"].get("conditions")]


@pytest.fixture
def checks_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a check, installed as pip would."""
    (tmp_path / "operators_checks.py").write_text(CHECKS)
    information = tmp_path / "operators_checks-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: operators-checks\n")
    (information / "entry_points.txt").write_text(
        "[towline.approval_checks]\nno-strangers = operators_checks:no_strangers\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


async def test_an_agent_that_never_stops_asking_holds_up_nobody_but_itself(
    spoke: Spoke, other_spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Its requests beyond the hour's quota wait, and say so; another cluster joins meanwhile."""
    async with run_hub(max_requests_per_hour=3):
        agent = await join(spoke, admin)
        async with agent as client:
            names = []
            for _ in range(6):
                spoke.key = generate_key()
                names.append(await spoke.ask(client=client))

            async def waiting() -> list[str] | None:
                left = await undecided(admin, names)
                return left if len(left) <= 3 else None

            # Not always the last: requests made while the hub is busy are looked at side by side.
            beyond = await eventually(waiting, what=f"decisions about three of {names}")
            for name in beyond:
                note = await told(admin, name, reason="TooManyPerHour")
                assert "find out why the agent keeps asking" in note
            assert await undecided(admin, names) == beyond
            assert len(beyond) == 3
            await other_spoke.register()
            assert (await decision(admin, await other_spoke.ask()))[0] == "Approved"


async def test_a_cluster_that_is_approved_by_hand_waits_for_it(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Even if its bootstrap identity would bring it in; the message says what to run."""
    async with run_hub(manual_clusters=(spoke.cluster,)):
        await spoke.register()
        name = await spoke.ask()
        note = await told(admin, name, reason="WaitingForOperator")
        assert f"towline accept {spoke.cluster}" in note


async def test_a_renewal_that_waits_for_a_person_is_approved_by_one(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """With the command that the message names."""
    async with run_hub():
        agent = await join(spoke, admin)
    async with run_hub(manual_clusters=(spoke.cluster,)), agent as client:
        spoke.key = generate_key()
        name = await spoke.ask(client=client)
        note = await told(admin, name, reason="WaitingForOperator")
        assert f"towline approve {name}" in note
        await approve_request(admin, name)
        await issued(admin, name)


async def test_a_check_of_the_operators_own_is_asked(
    spoke: Spoke, admin: Client, run_hub: RunHub, checks_package: None
) -> None:
    """It sees the cluster's labels, and its word stands on the request."""
    async with run_hub(approval_checks=("no-strangers",)):
        await spoke.register()
        kind, reason, message = await decision(admin, await spoke.ask())
        assert (kind, reason) == ("Denied", "DeniedByCheck")
        assert "the cluster is not ours" in message


async def test_a_hub_does_not_start_without_a_check_it_is_told_to_ask(
    hub_plane: ControlPlane, admin: Client, tmp_path: Path, checks_package: None
) -> None:
    """It would approve what its operator wanted stopped."""
    settings = await hub_settings(hub_plane, admin, tmp_path, approval_checks=("no-stranger",))
    with pytest.raises(ConfigError, match=r"no approval check 'no-stranger'.*no-strangers"):
        async with asyncio.timeout(20):
            await daemon.run(settings, asyncio.Event())
