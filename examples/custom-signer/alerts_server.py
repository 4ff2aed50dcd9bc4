"""A server that accepts nobody but the agents of the add-on, and knows each by its cluster."""

import argparse
import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

GROUP = "alerts-agents"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert that was received."""

    sender: str
    """Common name in the client's certificate."""
    serial: str
    """Serial number of that certificate, hex."""
    text: str


@dataclass(frozen=True, slots=True)
class AlertsServer:
    """Receives alerts.

    Args:
        certificate: The server's own certificate and its key, in one PEM file.
        bundle: The authorities of the clients, as the hub publishes them: the mounted ConfigMap.
        on_alert: Told each alert.
    """

    certificate: Path
    bundle: Path
    on_alert: Callable[[Alert], None] = field(repr=False)

    @asynccontextmanager
    async def serving(self, *, host: str, port: int) -> AsyncIterator[int]:
        """Serve while the block runs; give the port, a free one for 0."""
        server = await asyncio.start_server(self._receive, host, port, ssl=self._context())
        async with server:
            yield server.sockets[0].getsockname()[1]

    def _context(self) -> ssl.SSLContext:
        """Return TLS settings that read the files anew for each connection: authorities rotate."""

        def renew(
            connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext
        ) -> int | None:
            fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                fresh.load_cert_chain(self.certificate)
                fresh.load_verify_locations(self.bundle)
            except OSError as error:
                # Just being written, for example; whoever calls tries again.
                log.warning("connection refused", extra={"error": str(error)})
                return ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR
            fresh.verify_mode = ssl.CERT_REQUIRED
            connection.context = fresh
            return None

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        context.verify_mode = ssl.CERT_REQUIRED  # nobody's certificate will do, unless renewed
        context.sni_callback = renew
        return context

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("peercert")
        subject = [pair for names in certificate["subject"] for pair in names]
        try:
            if ("organizationName", GROUP) not in subject:
                return
            sender = dict(subject)["commonName"]
            text = (await reader.readline()).decode(errors="replace").strip()
            self.on_alert(Alert(sender, certificate["serialNumber"], text))
            writer.write(sender.encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()


async def serve(server: AlertsServer, *, host: str, port: int) -> None:
    """Serve until cancelled."""
    async with server.serving(host=host, port=port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", type=Path, required=True, help="own certificate and key")
    parser.add_argument("--bundle", type=Path, default=Path("/bundle/ca-bundle.crt"))
    parser.add_argument("--port", type=int, default=8443)
    given = parser.parse_args()
    asyncio.run(
        serve(
            AlertsServer(given.certificate, given.bundle, on_alert=print),
            host="",
            port=given.port,
        )
    )
