"""An embedded plane in a process of its own: for the demonstration, and for `towline sandbox up`.

The two processes talk over the child's standard input and output, one line of JSON each way. The
input is a pipe that only the caller holds: its end means that the caller is finished, or dead, and
the child ends as well.
"""

import asyncio
import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from towline_api.names import BOOTSTRAP_GROUP
from towline_sandbox.audit import AuditEvent
from towline_sandbox.plane import (
    DEFAULT_CREDENTIAL_LIFETIME,
    PlaneError,
    Readiness,
    ReadinessCheck,
)

_Order = dict[str, Any]
_STOP_LIMIT = timedelta(seconds=5)  # it takes hundredths; machines have bad days


class PlaneProcess:
    """A `ControlPlane` of Python alone, in a process of its own.

    Rules for faults need the plane in the caller's own process: see `EmbeddedPlane`.

    Args:
        name: What it is called; also names the cluster in its kubeconfigs.
        certificate_lifetime: The longest that its signer makes certificates valid for.
    """

    flavor = "embedded, Python alone"

    def __init__(self, name: str, *, certificate_lifetime: timedelta | None = None) -> None:
        self._name = name
        self._certificate_lifetime = certificate_lifetime
        self._process: subprocess.Popen[str] | None = None
        self._one_at_a_time = threading.Lock()
        self._told: _Order = {}

    def __repr__(self) -> str:
        """Name the plane and say where it serves."""
        where = self._told["server"] if self._process else "not running"
        return f"<PlaneProcess {self._name!r}: {where}>"

    @property
    def name(self) -> str:
        """What the plane was called when it was made."""
        return self._name

    @property
    def pid(self) -> int:
        """Process id of the plane."""
        return self._running.pid

    @property
    def server(self) -> str:
        """Address of the API server."""
        return str(self._asked("server"))

    @property
    def ca_pem(self) -> bytes:
        """Certificate that the API server's own certificate is verified with."""
        return str(self._asked("ca")).encode()

    @property
    def version(self) -> str:
        """What the API server calls itself, for example `v1.37.2+towline.embedded`."""
        return self.readiness.version

    @property
    def readiness(self) -> Readiness:
        """What was seen working before the block was entered."""
        if not self._told:
            raise PlaneError(f"plane {self._name!r} never was running; enter it with `async with`")
        took = timedelta(seconds=self._told["took"])
        return Readiness(
            (ReadinessCheck("API server is ready", took),), self._told["version"], took
        )

    def admin_kubeconfig(self) -> str:
        """Return the kubeconfig of a user who may do everything."""
        return str(self._asked("admin"))

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
        order = {"user": user, "groups": list(groups), "seconds": lifetime.total_seconds()}
        return str(await self._tell({"do": "kubeconfig", **order}))

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
        order = {"groups": list(groups), "seconds": lifetime.total_seconds()}
        return str(await self._tell({"do": "bootstrap", **order}))

    def audit_events(self) -> tuple[AuditEvent, ...]:
        """Return the last calls as the audit log of a real plane has them."""
        noted = self._exchange({"do": "events"})
        return tuple(
            AuditEvent(**{**event, "at": datetime.fromisoformat(event["at"])}) for event in noted
        )

    async def __aenter__(self) -> Self:
        """Start the process and wait until it serves.

        Raises:
            PlaneError: It ended at once; what it had to say is on standard error.
        """
        if self._process is not None:
            raise RuntimeError(f"plane {self._name!r} is running already")
        self._process = self._started()
        try:
            self._told = await asyncio.to_thread(self._exchange, {"do": "tell"})
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process; everything stored is gone."""
        await asyncio.to_thread(self._end)

    @property
    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise PlaneError(f"plane {self._name!r} is not running; enter it with `async with`")
        return self._process

    def _started(self) -> "subprocess.Popen[str]":
        lifetime = self._certificate_lifetime
        longest = "" if lifetime is None else str(lifetime.total_seconds())
        return subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
            [sys.executable, "-m", __name__, self._name, longest],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C in the caller's terminal must not reach it
        )

    def _asked(self, what: str) -> object:
        if self._process is None:
            raise PlaneError(f"plane {self._name!r} is not running; enter it with `async with`")
        return self._told[what]

    async def _tell(self, order: _Order) -> object:
        return await asyncio.to_thread(self._exchange, order)

    def _exchange(self, order: _Order) -> Any:
        process = self._running
        assert process.stdin is not None  # noqa: S101 - asked for when it was started
        assert process.stdout is not None  # noqa: S101 - the same
        with self._one_at_a_time:
            try:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except (OSError, ValueError) as error:
                raise PlaneError(f"plane {self._name!r} is gone: {error}") from error
        if not line:
            raise PlaneError(
                f"plane {self._name!r} ended with status {process.poll()}; "
                "its last words are on standard error"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise PlaneError(f"plane {self._name!r}: {answer['error']}")
        return answer["result"]

    def _end(self) -> None:
        process, self._process = self._running, None
        assert process.stdin is not None  # noqa: S101 - asked for when it was started
        assert process.stdout is not None  # noqa: S101 - the same
        with suppress(OSError):  # it may be gone already
            process.stdin.close()
        try:
            process.wait(_STOP_LIMIT.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main(name: str, lifetime: str) -> None:
    """Be the plane: carry out orders until the input ends."""
    from towline_sandbox.embedded.plane import EmbeddedPlane

    longest = timedelta(seconds=float(lifetime)) if lifetime else None
    with EmbeddedPlane(name, certificate_lifetime=longest) as plane:
        for line in sys.stdin:
            try:
                answer: _Order = {"result": _carried_out(plane, json.loads(line))}
            except (ValueError, TypeError, KeyError, PlaneError) as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)  # noqa: T201 - the pipe to the caller


def _carried_out(plane: Any, order: _Order) -> object:
    match order["do"]:
        case "tell":
            return {
                "server": plane.server,
                "ca": plane.ca_pem.decode(),
                "version": plane.version,
                "admin": plane.admin_kubeconfig(),
                "took": plane.readiness.took.total_seconds(),
            }
        case "kubeconfig":
            lifetime = timedelta(seconds=order["seconds"])
            return asyncio.run(
                plane.kubeconfig_for(order["user"], groups=order["groups"], lifetime=lifetime)
            )
        case "bootstrap":
            lifetime = timedelta(seconds=order["seconds"])
            return asyncio.run(
                plane.bootstrap_kubeconfig(groups=order["groups"], lifetime=lifetime)
            )
        case "events":
            return [
                {**dataclasses.asdict(event), "at": event.at.isoformat()}
                for event in plane.audit_events()
            ]
        case other:
            raise ValueError(f"no such order: {other}")


if __name__ == "__main__":
    main(*sys.argv[1:])
