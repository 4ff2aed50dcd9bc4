"""What a real plane can be asked for, all asked of one: starting it takes seconds.

Its API server's first port is lost, its certificates are short, and it notes every request.
"""

import base64
import os
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509

from integration.sandbox.signing import sign
from support.plane_clients import client_of
from support.planes_plugin import record_plane
from support.raw_api import raw_api
from support.waiting import eventually
from towline_api.resources import CONFIG_MAPS, SECRETS
from towline_certs.identities import Subject
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.audit import LOG_FILE, AuditEvent
from towline_sandbox.binaries import Binaries
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.ports import reserve_port

LIFETIME = timedelta(minutes=2)
SECRET_TEXT = "nobody-may-read-this"


@dataclass(frozen=True)
class Equipped:
    """A plane that was asked for everything.

    Args:
        plane: It.
        root: Where it keeps its folder, and nobody else does.
        taken: The port that somebody else had.
    """

    plane: KubePlane
    root: Path
    taken: int

    def folders(self) -> list[Path]:
        """Return what there is of it."""
        return [path for path in self.root.iterdir() if path.is_dir()]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def equipped(
    request: pytest.FixtureRequest, binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Equipped]:
    """Start it, and see that nothing of it is left."""
    folder = tmp_path_factory.mktemp("equipped")
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        offered = [somebody, reserve_port()]
        plane = KubePlane(
            "equipped",
            binaries=binaries,
            certificate_lifetime=LIFETIME,
            choose_port=lambda: offered.pop(0),
            audit=True,
        )
        taken = somebody.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tempfile.tempdir", str(folder))
            await plane.__aenter__()
        made = Equipped(plane, folder / f"towline-sandbox-{os.getuid()}", taken)
        try:
            assert offered == []
            record_plane(request.config, plane)
            yield made
        finally:
            await plane.__aexit__(None, None, None)
    assert made.folders() == []


async def test_a_lost_port_is_replaced(equipped: Equipped) -> None:
    """Somebody who does not share ports may get in between; then the real server does not start."""
    assert not equipped.plane.server.endswith(f":{equipped.taken}")
    assert equipped.plane.version.startswith("v1.")
    assert len(equipped.folders()) == 1


async def test_certificates_live_as_long_as_the_plane_was_told(equipped: Equipped) -> None:
    """Rotation is tested in minutes, not in years; and a request cannot ask for more."""
    async with raw_api(equipped.plane.admin_kubeconfig()) as admin:
        subject = Subject("anybody", frozenset())
        default, _ = await sign(admin, "default", subject=subject)
        greedy, _ = await sign(admin, "greedy", subject=subject, expiration_seconds=86400)
    for pem in (default, greedy):
        left = x509.load_pem_x509_certificate(pem).not_valid_after_utc - datetime.now(UTC)
        assert LIFETIME / 2 < left <= LIFETIME


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
    equipped: Equipped,
) -> None:
    """The counts that are published come from here; also of requests refused and watches open."""
    started = datetime.now(UTC)
    plane = equipped.plane
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
