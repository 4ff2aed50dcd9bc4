"""One id leads through both logs, from the request to the certificate in use."""

import json
from typing import Any

import pytest

from integration.channel.corner import Corner
from integration.channel.programs import Program
from support.waiting import eventually
from towline_api.names import ADDON_NAME_LABEL, BOOTSTRAP_GROUP
from towline_api.resources import KubeObject


@pytest.fixture(scope="module")
def hub_flags() -> tuple[str, ...]:
    return ("--auto-approve-groups", BOOTSTRAP_GROUP, "--log-format", "json")


def lines_about(uid: str, program: Program) -> list[dict[str, Any]]:
    """Return what a program logged with this id in it, as a search for it finds it."""
    found = [json.loads(line) for line in program.said.splitlines() if uid in line]
    assert all(line["csr_uid"] == uid for line in found)
    return found


def messages(lines: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in lines]


def uid_of_request(requests: list[KubeObject], *, addon: str | None) -> str:
    (uid,) = (
        request["metadata"]["uid"]
        for request in requests
        if request["metadata"]["labels"].get(ADDON_NAME_LABEL) == addon
    )
    return str(uid)


async def test_a_request_is_followed_by_its_uid_through_both_logs(
    corner: Corner, hub: Program
) -> None:
    """Hub and agent are on different clusters, and their logs in one place: this joins them."""
    await corner.define_addon()
    await corner.prepare_agent(arguments=("--log-format", "json"))
    corner.agent.start()
    await corner.joined()
    await corner.enable_addon()
    await corner.configured()
    requests = await corner.requests()
    cluster = uid_of_request(requests, addon=None)
    addon = uid_of_request(requests, addon=corner.addon)

    await eventually(
        lambda: "cluster status reported" in messages(lines_about(cluster, corner.agent)),
        what=lambda: corner.agent.said,
    )
    assert messages(lines_about(cluster, hub)) == [
        "cluster accepted automatically",
        "certificate request approved",
    ]
    told = messages(lines_about(cluster, corner.agent))
    story = ["certificate requested", "certificate stored", "credential in use"]
    assert [message for message in told if message in story] == story
    assert told[0] == "certificate requested"

    assert messages(lines_about(addon, hub)) == ["certificate request approved"]
    told = messages(lines_about(addon, corner.agent))
    assert [message for message in told if message in story] == story
    assert not {line["csr_uid"] for line in lines_about(addon, hub)} & {cluster}
