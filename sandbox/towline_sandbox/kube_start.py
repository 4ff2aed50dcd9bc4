"""Bringing up the programs of a real control plane, and proving that they work together."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from towline_api.durations import format_duration
from towline_kube.connection import Connection
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_sandbox import components
from towline_sandbox.audit import POLICY, POLICY_FILE
from towline_sandbox.binaries import Binaries
from towline_sandbox.own_api import OwnApi, open_own_api
from towline_sandbox.pki import ADMIN_USER, ClientPair, PlanePki, write_private
from towline_sandbox.plane import PlaneError, Readiness
from towline_sandbox.ports import ChoosePort, reserve_port
from towline_sandbox.private_folder import create_private_folder
from towline_sandbox.process_group import ProcessGroup
from towline_sandbox.readiness import Prover

log = logging.getLogger(__name__)

_ATTEMPTS = 3
_PORT_TAKEN = "address already in use"


@dataclass(frozen=True, slots=True)
class StartOptions:
    """What can be asked of a plane that is to start.

    Args:
        name: What it is called.
        certificate_lifetime: See `components.controller_manager`.
        start_limit: How long it may take to come up before that is an error.
        choose_port: Returns a socket that holds the port the API server is to use.
        audit: Have the API server note every request.
        controller_calls_per_second: See `components.controller_manager`.
    """

    name: str
    certificate_lifetime: timedelta | None
    start_limit: timedelta
    choose_port: ChoosePort = reserve_port
    audit: bool = False
    controller_calls_per_second: int = components.CONTROLLER_CALLS_PER_SECOND


@dataclass(frozen=True, slots=True)
class RunningPlane:
    """The programs of a plane, and what is needed to speak to them.

    Args:
        name: What the plane is called.
        group: Its processes.
        pki: Its keys.
        server: Address of its API server.
    """

    name: str
    group: ProcessGroup
    pki: PlanePki
    server: str

    @asynccontextmanager
    async def open_api(self) -> AsyncIterator[OwnApi]:
        """Open a connection to the API server, as the administrator."""
        folder = self.group.folder
        async with open_own_api(
            self.server,
            ca=folder / "serving-ca.crt",
            certificate=folder / "admin.crt",
            key=folder / "admin.key",
        ) as api:
            yield api

    def kubeconfig(self, credential: ClientPair | str) -> str:
        """Return a kubeconfig with this client certificate or bearer token."""
        nobody = Connection(
            self.server, ca_pem=self.pki.serving_ca_pem, cluster_entry_name=self.name
        )
        match credential:
            case ClientPair(certificate_pem, key_pem):
                return embed_kubeconfig(
                    replace(nobody, client_certificate_pem=certificate_pem, client_key_pem=key_pem)
                )
            case token:
                return embed_kubeconfig(replace(nobody, token=token))

    def check_alive(self) -> None:
        """Raise when one of the programs has ended.

        Raises:
            PlaneError: Says which, how, and what it last wrote.
        """
        for component in components.COMPONENTS:
            ending = self.group.ending(component)
            if ending is not None:
                raise PlaneError(
                    f"plane {self.name!r} is broken: {component} {ending}; it last wrote:\n"
                    f"{self.group.log_tail(component) or '(nothing)'}"
                )


async def start_plane(
    options: StartOptions, *, binaries: Binaries
) -> tuple[RunningPlane, Readiness]:
    """Start a plane and wait until it has been seen working.

    Raises:
        PlaneError: A program ended, or time is up; the message ends with what was last written.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return await _start_once(options, binaries)
        except _PortTakenError:
            # Holding the port does not keep everybody on every system from taking it.
            log.info(
                "port of the API server was taken by somebody else, choosing another",
                extra={"object": options.name, "attempt": attempt},
            )
    return await _start_once(options, binaries)


class _PortTakenError(PlaneError):
    """The API server found its port in use."""


async def _start_once(options: StartOptions, binaries: Binaries) -> tuple[RunningPlane, Readiness]:
    started = time.monotonic()
    group = ProcessGroup(await asyncio.to_thread(create_private_folder, options.name))
    try:
        group.start(components.etcd(binaries))
        pki = PlanePki(options.name)
        pki.write(group.folder)
        if options.audit:
            write_private(group.folder / POLICY_FILE, POLICY.encode())
        with options.choose_port() as reserved:
            port: int = reserved.getsockname()[1]
            group.start(components.api_server(binaries, port=port, audit=options.audit))
            plane = RunningPlane(options.name, group, pki, f"https://127.0.0.1:{port}")
            async with plane.open_api() as api:
                prover = Prover(api, user=ADMIN_USER, check_alive=plane.check_alive)
                version = await _come_up(plane, prover, options, binaries)
        took = timedelta(seconds=time.monotonic() - started)
        return plane, Readiness(tuple(prover.seen), version, took)
    except PlaneError as error:
        port_taken = _PORT_TAKEN in group.log_tail(components.API_SERVER)
        await group.stop()
        if port_taken:
            raise _PortTakenError(str(error)) from error
        raise
    except BaseException:
        await group.stop()
        raise


async def _come_up(
    plane: RunningPlane, prover: Prover, options: StartOptions, binaries: Binaries
) -> str:
    """Start the controllers when their server is there, see everything work, return the version."""
    try:
        async with asyncio.timeout(options.start_limit.total_seconds()):
            await prover.until_serving()
            # Not before: they give a server ten seconds to be ready, and slow machines take longer.
            write_private(
                plane.group.folder / components.CONTROLLER_KUBECONFIG,
                plane.kubeconfig(plane.pki.controllers).encode(),
            )
            plane.group.start(
                components.controller_manager(
                    binaries,
                    certificate_lifetime=options.certificate_lifetime,
                    calls_per_second=options.controller_calls_per_second,
                )
            )
            await prover.until_ready(trial_request=plane.pki.trial_request())
            return await prover.version()
    except TimeoutError:
        seen = ", ".join(check.name for check in prover.seen) or "nothing"
        tails = "\n".join(
            f"{name} last wrote:\n{plane.group.log_tail(name, lines=8)}"
            for name in components.COMPONENTS
        )
        raise PlaneError(
            f"plane {options.name!r} did not come up in {format_duration(options.start_limit)}; "
            f"seen working: {seen}\n{tails}"
        ) from None
