"""The live channel to the hub: one client whose credential changes under it."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from towline_agent.channel.client_certificate import ClientCertificate, ClientCertificates
from towline_agent.channel.hub_return import not_before, return_policy
from towline_agent.channel.kubeconfig_file import KubeconfigFile, kept_kubeconfig
from towline_agent.channel.server_trust import ServerCa, authorities
from towline_agent.running.listeners import Listener, Listeners
from towline_agent.running.resting import rest
from towline_api.errors import TowlineError, TransientError
from towline_kube.backoff import Backoff
from towline_kube.client import SWAP_DRAINS_WITHIN, Call, Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.errors import Unauthorized
from towline_kube.live_context import LiveContext
from towline_kube.official_client import OfficialClient
from towline_kube.patience import Patience
from towline_kube.tls import TlsIdentity

log = logging.getLogger(__name__)

FIELD_MANAGER = "towline-agent"
_PROOFS = Backoff(first=timedelta(seconds=1), limit=timedelta(minutes=1))
_REFUSALS_BEFORE_GIVING_UP = 5
"""An API server that is just starting may refuse a good certificate, for moments. These take about
half a minute."""


class HubNotReadyError(TransientError):
    """The hub has not accepted our own credential yet, or does not answer."""


class HubChannel:
    """The agent's own connection to the hub, good for as long as the agent lives.

    `offer` hands it a newer credential or a newer trusted CA. `run` proves each offer with one
    authenticated call before it is put into use, so readiness means that the hub knows us; calls in
    flight end with the credential they began with.

    Args:
        user: The user name the hub must see; None takes whoever the credential names.
        on_refused: Told when the hub keeps refusing the offered credential, with the reason.
        on_call: Told each call of the client, for counting.
        connect: Makes a client; by default a `Client` with our field manager.
        certificates: The add-on's certificates by signers of its own; by default some that are to
            be offered.
        patience: How long the hub is left alone while it fails, shared by all that speak with it;
            by default one of its own.
        clock: Time, for pauses between attempts.
    """

    def __init__(
        self,
        *,
        user: str | None = None,
        on_refused: Callable[[str], None] | None = None,
        on_call: Callable[[Call], None] | None = None,
        connect: Callable[[Connection], Client] | None = None,
        certificates: ClientCertificates | None = None,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._user = user
        self._on_refused = on_refused
        self._on_call = on_call
        self._connect = connect or self._new_client
        self._clock = clock
        self.patience = patience or Patience(return_policy(), clock=clock)
        """Says when to come again to a hub that fails; the client's errors have it from here."""
        self._client: Client | None = None
        self._offer: Connection | None = None
        self._offered = asyncio.Event()
        self._ready = asyncio.Event()
        self._trouble = ""
        self.certificates = certificates or ClientCertificates(clock=clock)
        """The add-on's certificates by signers of its own; see `certificate`."""
        self._official: OfficialClient | None = None
        self._listeners = Listeners(of="hub channel")

    @property
    def is_ready(self) -> bool:
        """Whether the hub has answered a call made with our own credential."""
        return self._ready.is_set()

    @property
    def trouble(self) -> str:
        """Why the last offer is not in use (yet); empty if it is."""
        return self._trouble

    @property
    def client(self) -> Client:
        """The client. The same object for the channel's whole life.

        Raises:
            HubNotReadyError: The hub has not accepted any credential yet; see `wait_ready`.
        """
        if self._client is None:
            raise HubNotReadyError(self._trouble or "there is no credential for the hub yet")
        return self._client

    @property
    def connection(self) -> Connection:
        """How the hub is reached now: server, trusted CA, credential.

        Raises:
            HubNotReadyError: As for `client`.
        """
        return self.client.connection

    @property
    def api_client(self) -> Any:
        """The official client's `ApiClient`, for its typed APIs: `CoreV1Api(hub.api_client)`.

        Made when first asked for (it takes half a second), and then the same object for the
        channel's whole life. Calls that begin after a rotation go out under the new credential;
        watches end in good order then, as they do when the server ends them. Time limits, retries
        and errors are the official client's own. Not to be closed.

        Raises:
            HubNotReadyError: As for `client`.
        """
        if self._official is None:
            self._official = OfficialClient(
                self.connection, user_agent=user_agent("agent"), clock=self._clock
            )
        return self._official.api_client

    def certificate(self, signer: str) -> ClientCertificate:
        """Return the add-on's certificate by a signer of its own, such as `example.com/alerts`.

        The same object each time, also before there is a certificate; see its `wait_ready`.

        Raises:
            ValueError: No custom signer can have that name.
        """
        return self.certificates.of(signer)

    def ssl_context(
        self, *, server_ca: ServerCa | None = None, system_trust: bool = False
    ) -> LiveContext:
        """Return a TLS context with the credential for the hub, always in its newest generation.

        It is made once and handed to any library that takes an `ssl.SSLContext`. Where the add-on
        comes in by a token it shows no certificate. Opening a connection before the channel is
        ready raises `HubNotReadyError`.

        Args:
            server_ca: Authorities that the server is verified with, as PEM, or a file with them
                that is read again whenever it changed; by default those of the hub. Whoever is
                trusted learns who we are: name your own server's, not the hub's, for that one.
            system_trust: Whether the system's trust store counts (as well). Never by itself, also
                where the kubeconfig names no authority.

        Raises:
            ConfigError: What `server_ca` names cannot be read.
        """
        trusted = None if server_ca is None else authorities(server_ca)

        def identity() -> TlsIdentity:
            connection = self.connection
            return TlsIdentity(
                certificate_pem=connection.client_certificate_pem,
                key_pem=connection.client_key_pem,
                ca_pem=connection.ca_pem if trusted is None else trusted(),
                system_trust=system_trust,
                source=connection.source,
            )

        return LiveContext(identity)

    @asynccontextmanager
    async def kubeconfig_file(
        self, path: Path, *, removed_at_end: bool = False
    ) -> AsyncIterator[Path]:
        """Keep a kubeconfig file for the hub current, for as long as the block runs.

        For programs that know nothing of us. The credential stands in it; only its owner can read
        it. Each rotation replaces it whole, so nobody ever reads half of one; a program that reads
        it once has to be told (`on_change`) or started again. What somebody else does to it is put
        right within a minute.

        Args:
            path: The file; a path of its own for each channel.
            removed_at_end: Whether the file is removed when the block ends.

        Yields:
            `path`, once the channel is ready and the file is there.

        Raises:
            ConfigError: It cannot be written at first. Later failures are logged and tried again.
        """
        await self.wait_ready()
        async with kept_kubeconfig(
            KubeconfigFile(path),
            connection=lambda: self.connection,
            subscribe=self.on_change,
            removed_at_end=removed_at_end,
            clock=self._clock,
        ):
            yield path

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Have a function called whenever another credential, authority or address is in use.

        Returns:
            What makes an end of it.
        """
        return self._listeners.add(listener)

    async def wait_ready(self, *, timeout: timedelta | None = None) -> Client:
        """Return the client once the hub has answered a call made with our own credential.

        Without a timeout this may take days: a person may have to approve the cluster first.

        Raises:
            HubNotReadyError: The time is over.
        """
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
                await self._ready.wait()
        except TimeoutError as error:
            raise HubNotReadyError(self._trouble or "the channel to the hub is not up") from error
        return self.client

    def offer(self, connection: Connection) -> None:
        """Put a connection into use as soon as it is proven; the last offer wins."""
        self._offer = connection
        self._offered.set()

    def suspect(self) -> None:
        """Prove the present credential again: a call made with it was refused."""
        if self._offer is not None and self.is_ready:
            self._offered.set()

    async def run(self) -> NoReturn:
        """Prove and put into use what is offered, until cancelled; then close the client."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close_official)
            while True:
                await self._offered.wait()
                self._offered.clear()
                connection = self._offer
                if connection is not None:
                    await self._put_into_use(connection, stack)

    async def _put_into_use(self, connection: Connection, stack: AsyncExitStack) -> None:
        """Try until it works or a newer offer is there."""
        failures = refusals = 0
        while True:
            try:
                await self._try(connection, stack)
            except TowlineError as error:
                failures += 1
                self._trouble = str(error)
                if isinstance(error, Unauthorized):
                    refusals += 1
                if failures == 1:
                    log.warning("hub channel not up", extra={"error": str(error)})
                if refusals >= _REFUSALS_BEFORE_GIVING_UP and self._on_refused is not None:
                    self._on_refused(str(error))
                    return
                delay = _PROOFS.delay(failures, roll=random.random())  # noqa: S311 - spreads load
                if await rest(self._clock, not_before(delay, error), unless=self._offered):
                    return
            else:
                if failures:
                    log.info("hub channel is up again", extra={"attempt": failures + 1})
                self._trouble = ""
                return

    async def _try(self, connection: Connection, stack: AsyncExitStack) -> None:
        async with AsyncExitStack() as trial:
            candidate = await trial.enter_async_context(self._connect(connection))
            user = await candidate.whoami()
            if self._user is not None and user.username != self._user:
                raise TransientError(
                    f"the hub at {connection.host} takes us for {user.username!r}, expected "
                    f"{self._user!r}; is something in between that authenticates for us?"
                )
            if self._client is None:
                # The first one that works stays: everybody is going to hold on to it.
                stack.push_async_exit(trial.pop_all())
                self._client = candidate
                self._listeners.tell()
            else:
                await self._swap(self._client, connection)
        if not self.is_ready:
            log.info("hub channel is up", extra={"object": user.username})
        self._ready.set()

    async def _swap(self, client: Client, connection: Connection) -> None:
        async with AsyncExitStack() as drained:
            if self._official is not None:
                self._official.use(connection)
                drained.push_async_callback(self._official.drain, within=SWAP_DRAINS_WITHIN)
            if connection != client.connection:
                # The client takes it before it waits for anything; who listens looks after that.
                asyncio.get_running_loop().call_soon(self._listeners.tell)
            await client.swap(connection)

    async def _close_official(self) -> None:
        official, self._official = self._official, None
        if official is not None:
            await official.close()

    def _new_client(self, connection: Connection) -> Client:
        return Client(
            connection,
            field_manager=FIELD_MANAGER,
            user_agent=user_agent("agent"),
            clock=self._clock,
            on_call=self._on_call,
            patience=self.patience,
        )
