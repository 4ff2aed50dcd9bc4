"""A plane can note every request, so that calls are counted where nobody can forget one."""

import base64
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from support.plane_clients import client_of
from support.waiting import eventually
from towline_api.resources import CONFIG_MAPS, SECRETS
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.audit import LOG_FILE, AuditEvent
from towline_sandbox.binaries import Binaries
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import PlaneError

SECRET_TEXT = "nobody-may-read-this"


async def _play(plane: KubePlane) -> None:
    """Make one call of several kinds as the user `player`, and leave a watch open a moment."""
    connection = parse_kubeconfig(
        await plane.kubeconfig_for("player", groups=("system:masters",)), source="test"
    )
    async with Client(connection, field_manager="test", user_agent="tests/1.0") as client:
        metadata = {"name": "noted", "namespace": "default"}
        await client.create(SECRETS, {"metadata": metadata, "stringData": {"text": SECRET_TEXT}})
        await client.get(SECRETS, "noted", namespace="default")
        label = {"metadata": {"labels": {"a": "b"}}}
        await client.patch(SECRETS, "noted", label, namespace="default")
        await client.list(CONFIG_MAPS, namespace="default")
        assert await client.find(CONFIG_MAPS, "absent", namespace="default") is None
        async with aclosing(client.watch(CONFIG_MAPS, namespace="default")) as events:
            await anext(events)  # the root certificate that every namespace has
            await eventually(
                lambda: any(e.verb == "watch" for e in _of(plane, "player")),
                what=lambda: _of(plane, "player"),
            )
        await client.delete(SECRETS, "noted", namespace="default")


def _of(plane: KubePlane, user: str) -> list[AuditEvent]:
    return [event for event in plane.audit_events() if event.user == user]


async def test_each_request_is_noted_once_with_who_what_and_how_it_ended(
    binaries: Binaries,
) -> None:
    """The counts that are published come from here; also of requests refused and watches open."""
    started = datetime.now(UTC)
    async with KubePlane("audited", binaries=binaries, audit=True) as plane:
        await _play(plane)
        async with client_of(await plane.kubeconfig_for("nobody-special")) as nobody:
            with pytest.raises(Forbidden):
                await nobody.get(SECRETS, "noted", namespace="default")
        await eventually(
            lambda: len(_of(plane, "player")) >= 7 and len(_of(plane, "nobody-special")) >= 1,
            what=lambda: (_of(plane, "player"), _of(plane, "nobody-special")),
        )
        seen = _of(plane, "player")
        assert [(e.verb, e.resource, e.name, e.status) for e in seen] == [
            ("create", "secrets", "noted", 201),
            ("get", "secrets", "noted", 200),
            ("patch", "secrets", "noted", 200),
            ("list", "configmaps", "", 200),
            ("get", "configmaps", "absent", 404),
            ("watch", "configmaps", "", 200),
            ("delete", "secrets", "noted", 200),
        ]
        assert {(e.namespace, e.user_agent) for e in seen} == {("default", "tests/1.0")}
        assert all(started - timedelta(seconds=1) < e.at <= datetime.now(UTC) for e in seen)
        (refused,) = _of(plane, "nobody-special")
        assert refused.status == 403
        assert plane._running is not None
        log = (plane._running.group.folder / LOG_FILE).read_text()
        assert SECRET_TEXT not in log
        assert base64.b64encode(SECRET_TEXT.encode()).decode() not in log


async def test_a_plane_notes_nothing_unless_asked(hub_plane: KubePlane) -> None:
    """An empty answer would be taken for calls that were not made."""
    with pytest.raises(PlaneError, match="notes no requests; make it with KubePlane"):
        hub_plane.audit_events()
