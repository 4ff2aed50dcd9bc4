"""A control plane inside this process, for as long as a block of code runs."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.resources import KubeObject
from towline_certs.authority import Authority
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_sandbox.audit import AuditEvent
from towline_sandbox.embedded.faults import Faults
from towline_sandbox.embedded.plane_thread import PlaneThread
from towline_sandbox.embedded.serving.call_log import CallRecord
from towline_sandbox.embedded.storage.store import Snapshot
from towline_sandbox.pki import ClientPair, PlanePki
from towline_sandbox.plane import (
    DEFAULT_CREDENTIAL_LIFETIME,
    PlaneError,
    Readiness,
    ReadinessCheck,
)

# Tests set the clock back, and authorities have to be valid then too.
_AUTHORITY_BACKDATE = timedelta(days=730)


class EmbeddedPlane:
    """A `ControlPlane` of Python alone, up in a fraction of a second.

    It serves from a thread of its own with an event loop of its own: the loops of tests come and
    go, and a plane shared by several tests has to outlive them. That is also why it can be entered
    with a plain `with`, for fixtures that are not asynchronous.

    Not for production: whatever is stored is gone when the block ends.

    Args:
        name: What it is called; also names the cluster in its kubeconfigs.
        certificate_lifetime: The longest that its signer makes certificates valid for, and how long
            when a request does not say. Kubernetes' own default is a year.
        port: Where it listens; 0 for a port that is free.
    """

    flavor = "embedded, Python alone"

    def __init__(
        self, name: str, *, certificate_lifetime: timedelta | None = None, port: int = 0
    ) -> None:
        self._name = name
        self._certificate_lifetime = certificate_lifetime
        self._port = port
        self._thread: PlaneThread | None = None
        self._readiness: Readiness | None = None
        self._pki: PlanePki | None = None
        self.faults = Faults()
        """What goes wrong on purpose."""

    def __repr__(self) -> str:
        """Name the plane and say where it serves."""
        where = self.server if self._thread else "not running"
        return f"<EmbeddedPlane {self._name!r}: {where}>"

    @property
    def name(self) -> str:
        """What the plane was called when it was made."""
        return self._name

    @property
    def server(self) -> str:
        """Address of the API server."""
        return f"https://127.0.0.1:{self._running.port}"

    @property
    def ca_pem(self) -> bytes:
        """Certificate that the API server's own certificate is verified with."""
        return self._running.pki.serving_ca_pem

    @property
    def version(self) -> str:
        """What the API server calls itself, for example `v1.37.2+towline.embedded`."""
        return self.readiness.version

    @property
    def readiness(self) -> Readiness:
        """What was seen working before the block was entered."""
        if self._readiness is None:
            raise PlaneError(f"plane {self._name!r} never was running; enter it with `async with`")
        return self._readiness

    @property
    def calls(self) -> Sequence[CallRecord]:
        """The last calls that were made, in the order they came in."""
        return self._running.server.calls.records()

    def objects(self) -> list[KubeObject]:
        """Return everything that is stored, as it is stored: not to be changed.

        Tests compare by it what two runs have left behind, whatever its kind.
        """
        return self._running.objects()

    def audit_events(self) -> tuple[AuditEvent, ...]:
        """Return the last calls as the audit log of a real plane has them."""
        return tuple(record.as_audit_event() for record in self.calls if record.code)

    def admin_kubeconfig(self) -> str:
        """Return the kubeconfig of a user who may do everything."""
        return self._kubeconfig(self._running.pki.admin)

    async def kubeconfig_for(
        self,
        user: str,
        *,
        groups: Sequence[str] = (),
        lifetime: timedelta = DEFAULT_CREDENTIAL_LIFETIME,
    ) -> str:
        """Return a kubeconfig with a fresh client certificate for this user.

        Args:
            user: User name as the API server is to see it.
            groups: Groups besides `system:authenticated`.
            lifetime: How long from now the certificate is valid.
        """
        return self._kubeconfig(
            self._running.pki.client_pair(user, groups=groups, lifetime=lifetime)
        )

    async def bootstrap_kubeconfig(
        self,
        *,
        lifetime: timedelta = DEFAULT_CREDENTIAL_LIFETIME,
        groups: Sequence[str] = (BOOTSTRAP_GROUP,),
    ) -> str:
        """Return a kubeconfig with a fresh bootstrap token.

        Args:
            lifetime: How long from now the token is valid.
            groups: Groups besides `system:bootstrappers`; each begins with `system:bootstrappers:`.
        """
        token = BootstrapToken.create()
        secret = token.as_secret(groups=groups, expires=datetime.now(UTC) + lifetime)
        await asyncio.wrap_future(self._running.create_secret(secret))
        return self._kubeconfig(token.bearer)

    def snapshot(self) -> Snapshot:
        """Return everything that is stored now, to come back to by `restore`.

        May be called by what a fault asks, also on another plane's thread.
        """
        return self._running.snapshot()

    def restore(self, snapshot: Snapshot, *, cut_watches: bool = True) -> None:
        """Store what a snapshot of this plane holds and nothing else.

        Tests that need the same beginning again and again save the time of bringing it about.
        Clocks and faults stay as they are, and resource versions go on.

        Args:
            snapshot: What to store.
            cut_watches: Break all watches before; otherwise they see it all as ordinary changes.
        """
        self._running.restore(snapshot, cut_watches=cut_watches)

    def restart(self, *, keep_history: bool = True) -> None:
        """Close the port and all connections, and listen again at the same address.

        Args:
            keep_history: Whether watches can go on from where they were; otherwise they are told
                that their resource version is gone.
        """
        self._running.stop_serving()
        if not keep_history:
            self.expire_resource_versions()
        self._running.serve_again()

    def stop_serving(self) -> None:
        """Close the port and all connections until `serve_again`; nothing stored is lost."""
        self._running.stop_serving()

    def serve_again(self) -> None:
        """Listen again, at the same address."""
        self._running.serve_again()

    def new_authority(self) -> Authority:
        """Return one more authority that could sign the server's certificate; see below."""
        return self._running.pki.new_serving_authority()

    def change_authority(self, authority: Authority) -> None:
        """Serve with a certificate by another authority; all connections are closed."""
        self._running.change_authority(authority)

    def publish_authorities(self, ca_pem: bytes) -> None:
        """Say in `kube-root-ca.crt` what to verify the server's certificate with from now on."""
        self._running.publish(ca_pem)

    def expire_resource_versions(self) -> None:
        """Forget all history: watches and lists that begin in the past are answered 410."""
        self._running.compact()

    def cut_watches(self, *, resource: str | None = None, user_agent: str | None = None) -> int:
        """Break the connections of open watches; return how many there were.

        Args:
            resource: Only those of this resource, for example `leases.coordination.k8s.io`.
            user_agent: Only those of programs whose introduction begins like this.
        """
        return self._running.cut_watches(resource=resource, user_agent=user_agent)

    def shift_clock(self, by: timedelta, *, signing: bool = True, serving: bool = True) -> None:
        """Set the plane's clock to the real time plus `by`.

        Args:
            by: How far ahead; negative for behind.
            signing: Move the clock that goes into certificates.
            serving: Move the clock that credentials are judged by and objects are stamped with.
        """
        self._running.shift_clock(by, signing=signing, serving=serving)

    def __enter__(self) -> Self:
        """Start the plane, waiting in this thread."""
        began = self._begin()
        try:
            began.result()
        except BaseException:
            self._give_up()
            raise
        self._note_ready()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the plane; everything stored is gone."""
        running, self._thread = self._running, None
        running.end().result()
        running.join()

    async def __aenter__(self) -> Self:
        """Start the plane."""
        try:
            await asyncio.shield(asyncio.wrap_future(self._begin()))
        except BaseException:
            self._give_up()
            raise
        self._note_ready()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the plane; everything stored is gone."""
        running, self._thread = self._running, None
        await asyncio.shield(asyncio.wrap_future(running.end()))
        running.join()

    @property
    def _running(self) -> PlaneThread:
        if self._thread is None:
            raise PlaneError(f"plane {self._name!r} is not running; enter it with `with`")
        return self._thread

    def _begin(self) -> "Future[None]":
        if self._thread is not None:
            raise RuntimeError(f"plane {self._name!r} is running already")
        self._started = time.monotonic()
        pki = PlanePki(self._name, backdate=_AUTHORITY_BACKDATE)
        self._thread = PlaneThread(
            self._name,
            pki=pki,
            port=self._port,
            faults=self.faults,
            certificate_lifetime=self._certificate_lifetime,
        )
        return self._thread.begin()

    def _give_up(self) -> None:
        """End what has begun to start; its thread needs no one to wait for it."""
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    def _note_ready(self) -> None:
        from towline_sandbox.embedded.serving.health import GIT_VERSION

        took = timedelta(seconds=time.monotonic() - self._started)
        checks = (ReadinessCheck("API server is ready", took),)
        self._readiness = Readiness(checks, GIT_VERSION, took)

    def _kubeconfig(self, credential: ClientPair | str) -> str:
        nobody = Connection(self.server, ca_pem=self.ca_pem, cluster_entry_name=self._name)
        match credential:
            case ClientPair(certificate_pem, key_pem):
                return embed_kubeconfig(
                    replace(nobody, client_certificate_pem=certificate_pem, client_key_pem=key_pem)
                )
            case token:
                return embed_kubeconfig(replace(nobody, token=token))
