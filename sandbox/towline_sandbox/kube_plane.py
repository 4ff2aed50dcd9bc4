"""A control plane of Kubernetes' own programs, for as long as a block of code runs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, BootstrapToken
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.resources import SECRETS
from towline_sandbox.audit import LOG_FILE, AuditEvent, parse_audit_log
from towline_sandbox.binaries import Binaries, find_binaries
from towline_sandbox.components import CONTROLLER_CALLS_PER_SECOND
from towline_sandbox.kube_start import RunningPlane, StartOptions, start_plane
from towline_sandbox.own_api import OwnApi
from towline_sandbox.plane import DEFAULT_CREDENTIAL_LIFETIME, PlaneError, Readiness
from towline_sandbox.ports import ChoosePort, reserve_port

_HEEDED = timedelta(seconds=10)
"""How long the API server may take to heed a new token, which takes it milliseconds."""
_POLL_SECONDS = 0.02
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105 - a path
_TOKEN_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
_START_LIMIT = timedelta(seconds=90)  # ten times what it takes; CI machines have bad days


class KubePlane:
    """A `ControlPlane` of Kubernetes' own programs.

    Whatever happens to the process that entered it, no process and no file of the plane survives.

    Args:
        name: What it is called; also names the cluster in its kubeconfigs.
        certificate_lifetime: The longest that its signer makes certificates valid for, and how long
            when a request does not say. Kubernetes' own default is a year.
        binaries: The programs; by default those of `find_binaries`.
        start_limit: How long it may take to come up before that is an error.
        choose_port: Returns a socket bound to the port that the API server is to use.
        audit: Have the API server note every request, for `audit_events`.
        controller_calls_per_second: How often its controllers may call the API server, each for
            itself; Kubernetes' own default is 20, which limits how fast certificates are signed.
    """

    flavor = "real kube-apiserver"

    def __init__(
        self,
        name: str,
        *,
        certificate_lifetime: timedelta | None = None,
        binaries: Binaries | None = None,
        start_limit: timedelta = _START_LIMIT,
        choose_port: ChoosePort = reserve_port,
        audit: bool = False,
        controller_calls_per_second: int = CONTROLLER_CALLS_PER_SECOND,
    ) -> None:
        self._name = name
        self._binaries = binaries
        self._options = StartOptions(
            name,
            certificate_lifetime=certificate_lifetime,
            start_limit=start_limit,
            choose_port=choose_port,
            audit=audit,
            controller_calls_per_second=controller_calls_per_second,
        )
        self._running: RunningPlane | None = None
        self._readiness: Readiness | None = None

    def __repr__(self) -> str:
        """Name the plane and say where it serves."""
        where = self._running.server if self._running else "not running"
        return f"<KubePlane {self._name!r}: {where}>"

    @property
    def name(self) -> str:
        """What the plane was called when it was made."""
        return self._name

    @property
    def server(self) -> str:
        """Address of the API server."""
        return self._plane.server

    @property
    def ca_pem(self) -> bytes:
        """Certificate that the API server's own certificate is verified with."""
        return self._plane.pki.serving_ca_pem

    @property
    def version(self) -> str:
        """What the API server calls itself, for example `v1.37.2`."""
        return self.readiness.version

    @property
    def readiness(self) -> Readiness:
        """What was seen working before the `async with` block was entered."""
        if self._readiness is None:
            raise PlaneError(f"plane {self._name!r} never was running; enter it with `async with`")
        return self._readiness

    @property
    def supervisor_pid(self) -> int:
        """Process id of the parent of all of its programs."""
        return self._plane.group.supervisor_pid

    def logs(self, component: str, *, lines: int = 50) -> str:
        """Return the last lines that one of `components.COMPONENTS` wrote."""
        return self._plane.group.log_tail(component, lines=lines)

    def audit_events(self) -> tuple[AuditEvent, ...]:
        """Return every request noted so far, in the order they came in.

        A request is noted when its answer is on its way, which its caller may see a moment earlier.

        Raises:
            PlaneError: The plane was not made with `audit`.
        """
        if not self._options.audit:
            raise PlaneError(
                f"plane {self._name!r} notes no requests; make it with KubePlane(..., audit=True)"
            )
        return parse_audit_log((self._plane.group.folder / LOG_FILE).read_text(encoding="utf-8"))

    def admin_kubeconfig(self) -> str:
        """Return the kubeconfig of a user who may do everything."""
        return self._plane.kubeconfig(self._plane.pki.admin)

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
        return self._plane.kubeconfig(
            self._plane.pki.client_pair(user, groups=groups, lifetime=lifetime)
        )

    async def bootstrap_kubeconfig(
        self,
        *,
        lifetime: timedelta = DEFAULT_CREDENTIAL_LIFETIME,
        groups: Sequence[str] = (BOOTSTRAP_GROUP,),
    ) -> str:
        """Return a kubeconfig with a fresh bootstrap token, once the API server takes it.

        Args:
            lifetime: How long from now the token is valid.
            groups: Groups besides `system:bootstrappers`; each begins with `system:bootstrappers:`.

        Raises:
            PlaneError: The API server did not take the token.
        """
        token = BootstrapToken.create()
        expires = datetime.now(UTC) + lifetime
        secret = token.as_secret(groups=groups, expires=expires)
        async with self._plane.open_api() as api:
            answer = await api.call("POST", SECRETS.path(namespace=TOKEN_NAMESPACE), body=secret)
            if answer is None or answer.status != 201:
                self._plane.check_alive()
                found = "no answer" if answer is None else answer.body.get("message")
                raise PlaneError(f"plane {self._name!r} did not take a bootstrap token: {found}")
            await self._until_heeded(api, token, expires=expires)
        return self._plane.kubeconfig(token.bearer)

    async def _until_heeded(self, api: OwnApi, token: BootstrapToken, *, expires: datetime) -> None:
        """Wait until the API server, which hears of Secrets by a watch, knows a token."""
        review = {**_TOKEN_REVIEW, "spec": {"token": token.bearer}}
        limit = datetime.now(UTC) + _HEEDED
        # One that is over before it is heeded is what its caller asked for.
        while datetime.now(UTC) < expires:
            answer = await api.call("POST", _TOKEN_REVIEWS, body=review)
            if answer is not None and answer.body.get("status", {}).get("authenticated"):
                return
            if datetime.now(UTC) > limit:
                self._plane.check_alive()
                found = "no answer" if answer is None else answer.body.get("status") or answer.text
                raise PlaneError(
                    f"plane {self._name!r} took a bootstrap token, and after "
                    f"{_HEEDED.total_seconds():g} s still lets nobody in by it: {found}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def __aenter__(self) -> Self:
        """Start the plane.

        Raises:
            BinariesMissing: There is no control plane on this machine.
            PlaneError: It did not come up; the message ends with what its programs last wrote.
        """
        if self._running is not None:
            raise RuntimeError(f"plane {self._name!r} is running already")
        self._running, self._readiness = await start_plane(
            self._options, binaries=self._binaries or find_binaries()
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the plane's processes and remove its files."""
        running, self._running = self._plane, None
        await running.group.stop()

    @property
    def _plane(self) -> RunningPlane:
        if self._running is None:
            raise PlaneError(f"plane {self._name!r} is not running; enter it with `async with`")
        return self._running
