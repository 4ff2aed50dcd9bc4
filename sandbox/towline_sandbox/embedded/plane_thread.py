"""The thread that an embedded plane lives in, with an event loop of its own."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from towline_api.resources import SECRETS, KubeObject
from towline_certs.authority import Authority
from towline_kube.task_groups import TaskGroup
from towline_sandbox.embedded.clocks import Clock
from towline_sandbox.embedded.faults import Calls, Faults
from towline_sandbox.embedded.serving.front import Front
from towline_sandbox.embedded.serving.server import Identity, Server
from towline_sandbox.embedded.serving.tls import server_context
from towline_sandbox.embedded.storage.store import Snapshot
from towline_sandbox.pki import PlanePki
from towline_sandbox.plane import PlaneError

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_HOST = "127.0.0.1"


class PlaneThread:
    """A server, its controllers and its port, in a thread.

    Methods are called from other threads, and from callbacks of faults in this one.

    Args:
        name: Name of the plane.
        pki: Its keys.
        port: Where it listens; 0 for a port that is free.
        faults: What goes wrong on purpose.
        certificate_lifetime: The longest that it signs certificates for.
    """

    def __init__(
        self,
        name: str,
        *,
        pki: PlanePki,
        port: int,
        faults: Faults,
        certificate_lifetime: timedelta | None,
    ) -> None:
        self.pki = pki
        self._name = name
        self._socket: socket.socket | None = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._clock, self._signing_clock = Clock(), Clock()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready: Future[None] = Future()
        self._ended: Future[None] = Future()
        # A daemon: a program that forgets its plane is not to hang at its end.
        self._thread = threading.Thread(target=self._live, name=f"plane-{name}", daemon=True)
        account_key = ec.generate_private_key(ec.SECP256R1())
        self.server = Server(
            Identity(pki.client_authority, pki.serving_ca_pem, account_key),
            address=f"{_HOST}:{self.port}",
            clock=self._clock,
            signing_clock=self._signing_clock,
            faults=faults,
            certificate_lifetime=certificate_lifetime,
        )
        self._front = self._new_front()

    def _new_front(self) -> Front:
        own = self.pki.server_pair()
        return Front(
            self.server.pipeline,
            context=server_context(
                certificate_pem=own.certificate_pem,
                key_pem=own.key_pem,
                client_ca_pem=self.pki.client_authority.certificate_pem,
            ),
        )

    def begin(self) -> "Future[None]":
        """Start the thread; the future is done when the server serves."""
        self._thread.start()
        return self._ready

    def end(self) -> "Future[None]":
        """Stop everything; the future is done when the port is closed and the loop is empty."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._stopping.set)
        return self._ended

    def join(self) -> None:
        """Wait for the thread, which has nothing to do any more."""
        self._thread.join()

    def create_secret(self, secret: KubeObject) -> "Future[KubeObject | None]":
        """Store a Secret as the server itself."""
        return self._submit(self.server.own_calls.create(SECRETS, secret))

    def objects(self) -> list[KubeObject]:
        """Return everything that is stored."""
        store = self.server.store
        keys = store.keys
        return self._call(lambda: [obj for key in keys() for obj in store.objects(key)])

    def snapshot(self) -> Snapshot:
        """Return everything that is stored, for `restore`."""
        return self.server.store.snapshot()

    def restore(self, snapshot: Snapshot, *, cut_watches: bool) -> None:
        """Store what the snapshot holds, and nothing else; break all watches before, or none."""
        if cut_watches:
            self.cut_watches(resource=None, user_agent=None)
        self._call(lambda: self.server.store.restore(snapshot))

    def stop_serving(self) -> None:
        """Close the port and all connections."""
        self._await(self._front.stop())

    def serve_again(self) -> None:
        """Listen again, on the same port."""
        self._await(self._front.start(_bound(self.port)))

    def change_authority(self, authority: Authority) -> None:
        """Close all connections, and serve with a certificate by another authority."""
        self.stop_serving()
        self.pki.serve_by(authority)
        self._front = self._new_front()
        self.serve_again()

    def publish(self, ca_pem: bytes) -> None:
        """Publish other authorities than one's own in every namespace."""
        self.server.published_ca_pem = ca_pem
        self._call(self.server.controllers.look_again)

    def compact(self) -> None:
        """Forget all history."""
        self._call(self.server.store.compact)

    def cut_watches(self, *, resource: str | None, user_agent: str | None) -> int:
        """Break the connections of watches; return how many there were."""
        calls = Calls(resource=resource, user_agent=user_agent)
        return self._call(lambda: self._front.cut_watches(calls))

    def shift_clock(self, by: timedelta, *, signing: bool, serving: bool) -> None:
        """Set clocks to the real time plus `by`."""
        if serving:
            self._clock.shift = by
        if signing:
            self._signing_clock.shift = by
        self._call(self.server.controllers.look_again)

    def _submit(self, work: Coroutine[Any, Any, _T]) -> "Future[_T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _await(self, work: Coroutine[Any, Any, _T]) -> _T:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a callback of the plane's own thread cannot wait for that thread")
        return self._submit(work).result()

    def _call(self, function: Callable[[], _T]) -> _T:
        if threading.current_thread() is self._thread:
            return function()

        async def called() -> _T:
            return function()

        return self._submit(called()).result()

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(_not_started(self._name, error))
            else:
                log.exception("plane died", extra={"object": self._name})
        finally:
            if self._socket is not None:
                self._socket.close()
            self._ended.set_result(None)

    async def _serve(self) -> None:
        async with TaskGroup() as group:
            await self.server.furnish()
            running = [
                group.create_task(self.server.controllers.run(), name="controllers"),
                group.create_task(self.server.run_custom_kinds(), name="custom-kinds"),
            ]
            bound, self._socket = self._socket, None
            assert bound is not None  # noqa: S101 - made in the constructor, used once
            try:
                await self._front.start(bound)
                self._ready.set_result(None)
                await self._stopping.wait()
            finally:
                await self._front.stop()
                for task in running:
                    task.cancel()


def _bound(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((_HOST, port))
    except BaseException:
        found.close()
        raise
    return found


def _not_started(name: str, error: BaseException) -> PlaneError:
    failure = PlaneError(f"plane {name!r} could not be started: {error!r}")
    failure.__cause__ = error
    return failure
