"""A live client certificate: what an add-on shows to endpoints that are not the hub's API server.

Whoever earns the certificate offers each new one here; whoever uses it need not notice.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from towline_agent.channel.server_trust import ServerCa, authorities
from towline_agent.running.listeners import Listener, Listeners
from towline_api.errors import ConfigError, TransientError
from towline_api.names import KUBE_CLIENT_SIGNER
from towline_certs.credentials import Credential
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.live_context import LiveContext
from towline_kube.tls import TlsIdentity


class CertificateNotReadyError(TransientError):
    """There is no certificate of that signer yet, or the last one has expired."""


class ClientCertificate:
    """An add-on's certificate of one signer, good for as long as the add-on's agent lives.

    Args:
        signer: Name of the signer, as the add-on registers it.
        clock: Tells whether it has expired.
    """

    def __init__(self, signer: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.signer = signer
        """Name of the signer."""
        self._clock = clock
        self._credential: Credential | None = None
        self._offered = asyncio.Event()
        self._listeners = Listeners(of=f"certificate of {signer}")

    def __repr__(self) -> str:
        """Name the signer and how long it is valid; key and certificate stay out of it."""
        held = "none" if self._credential is None else f"until {self.not_after:%FT%TZ}"
        return f"<ClientCertificate of {self.signer!r}, {held}>"

    @property
    def is_ready(self) -> bool:
        """Whether there is one that has not expired."""
        return self._credential is not None and self._clock.now() <= self.not_after

    @property
    def not_after(self) -> datetime:
        """When the present one ends, aware UTC. Its successor comes long before.

        Raises:
            CertificateNotReadyError: There has not been any.
        """
        return self._latest().validity.not_after

    @property
    def certificate_pem(self) -> bytes:
        """The certificate with its intermediates, leaf first.

        Raises:
            CertificateNotReadyError: There is none, or it has expired.
        """
        return self._current().certificate_pem

    @property
    def key_pem(self) -> bytes:
        """Its private key. It changes with the certificate: take both at one time, see `pair`.

        Raises:
            CertificateNotReadyError: There is none, or it has expired.
        """
        return self._current().key_pem

    @property
    def pair(self) -> tuple[bytes, bytes]:
        """Certificate and private key of one generation.

        Raises:
            CertificateNotReadyError: There is none, or it has expired.
        """
        current = self._current()
        return current.certificate_pem, current.key_pem

    async def wait_ready(self, *, timeout: timedelta | None = None) -> None:
        """Return once there is one that has not expired.

        Raises:
            CertificateNotReadyError: The time is over.
        """
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
                while not self.is_ready:
                    self._offered.clear()
                    await self._offered.wait()
        except TimeoutError:
            self._current()

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Have a function called after each rotation; return what makes an end of it."""
        return self._listeners.add(listener)

    def ssl_context(
        self, *, server_ca: ServerCa | None = None, system_trust: bool = False
    ) -> LiveContext:
        """Return a TLS context that shows this certificate, always in its newest generation.

        It is made once, also before there is a certificate, and handed to any library that takes
        an `ssl.SSLContext`. Opening a connection while there is none raises
        `CertificateNotReadyError`.

        Args:
            server_ca: Authorities that the server is verified with, as PEM, or a file with them
                that is read again whenever it changed.
            system_trust: Whether the system's trust store counts (as well). Never by itself.

        Raises:
            ConfigError: There is nobody to trust, or what `server_ca` names cannot be read.
        """
        if server_ca is None and not system_trust:
            raise ConfigError(
                f"whom to trust as a server of {self.signer} is not said; give server_ca, or "
                "system_trust=True for the system's trust store"
            )
        trusted = None if server_ca is None else authorities(server_ca)

        def identity() -> TlsIdentity:
            current = self._current()
            return TlsIdentity(
                certificate_pem=current.certificate_pem,
                key_pem=current.key_pem,
                ca_pem=None if trusted is None else trusted(),
                system_trust=system_trust,
                source=f"the certificate of {self.signer}",
            )

        return LiveContext(identity)

    def offer(self, credential: Credential) -> None:
        """Use a newer certificate from now on. For whoever earns it."""
        if self._credential is not None and self._credential.files == credential.files:
            return
        self._credential = credential
        self._offered.set()
        self._listeners.tell()

    def _current(self) -> Credential:
        latest = self._latest()
        if not self.is_ready:
            raise CertificateNotReadyError(
                f"the certificate of {self.signer} expired at {self.not_after:%FT%TZ} and has no "
                "successor; the conditions of the ManagedClusterAddOn say why"
            )
        return latest

    def _latest(self) -> Credential:
        if self._credential is None:
            raise CertificateNotReadyError(
                f"there is no certificate of {self.signer} yet; it needs a registration of that "
                "signer in the ManagedClusterAddOn's status, and the hub's approval"
            )
        return self._credential


class ClientCertificates:
    """An add-on's certificates by the name of their signer, each made when first asked for.

    Args:
        on_wanted: Told each that is asked for first, to go and find it; None where whoever earns
            certificates offers all there are.
        clock: Time.
    """

    def __init__(
        self,
        *,
        on_wanted: Callable[[ClientCertificate], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._on_wanted = on_wanted
        self._clock = clock
        self._known: dict[str, ClientCertificate] = {}

    def of(self, signer: str) -> ClientCertificate:
        """Return the certificate of a signer, the same object each time.

        Raises:
            ValueError: No custom signer can have that name.
        """
        if signer in self._known:
            return self._known[signer]
        domain, slash, path = signer.partition("/")
        if not (domain and slash and path) or "/" in path:
            raise ValueError(f"{signer!r} names no signer, expected for example example.com/name")
        if signer == KUBE_CLIENT_SIGNER:
            raise ValueError(
                f"{signer} is the hub's own signer; HubChannel.ssl_context is for that"
            )
        certificate = self._known[signer] = ClientCertificate(signer, clock=self._clock)
        if self._on_wanted is not None:
            self._on_wanted(certificate)
        return certificate

    def offer(self, signer: str, credential: Credential) -> None:
        """Put a newer certificate into use."""
        self.of(signer).offer(credential)
