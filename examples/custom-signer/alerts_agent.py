"""An add-on that reports to a server of its own, known there by a certificate of its own signer."""

import asyncio
import logging
import ssl
from pathlib import Path

from pydantic import Field

from towline_agent import AddonAgent, AddonSettings, HubChannel

SIGNER = "example.com/alerts"

log = logging.getLogger(__name__)


class AlertsSettings(AddonSettings):
    """Where the alerts go."""

    alerts_server: str = "localhost:8443"
    """Host and port of the server."""
    alerts_ca: Path = Path("/var/run/alerts-ca/ca.crt")
    """Authorities that the server's certificate is verified with."""
    alerts_every: float = Field(default=5.0, gt=0)
    """Seconds from one report to the next."""


agent = AddonAgent("alerts", settings_class=AlertsSettings)


@agent.task
async def report(hub: HubChannel) -> None:
    """Report for as long as the agent lives; each connection shows the newest certificate."""
    certificate = hub.certificate(SIGNER)
    await certificate.wait_ready()
    context = certificate.ssl_context(server_ca=agent.settings.alerts_ca)
    while True:
        try:
            name = await send("all is well", context=context)
            log.info("reported", extra={"object": agent.settings.alerts_server, "as": name})
        except OSError as error:
            log.warning("not reported; trying again", extra={"error": str(error)})
        await asyncio.sleep(agent.settings.alerts_every)


async def send(alert: str, *, context: ssl.SSLContext) -> str:
    """Send one alert; return as whom the server knows us.

    Raises:
        OSError: The server cannot be reached, or does not know us.
    """
    host, _, port = agent.settings.alerts_server.rpartition(":")
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        try:
            writer.write(alert.encode() + b"\n")
            name = (await reader.readline()).decode().strip()
        finally:
            writer.close()
    if not name:
        # In TLS 1.3 a server looks at our certificate after the handshake has ended for us.
        raise ConnectionError("the server does not accept our certificate")
    return name


if __name__ == "__main__":
    agent.run()
