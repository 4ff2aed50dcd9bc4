"""Answering conversion reviews over HTTPS, under a certificate that changes while it is in use."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web

from towline_api.conversion import ConversionError
from towline_api.errors import ConfigError
from towline_api.resources import KubeObject
from towline_hub.webhook.reviews import (
    UNKNOWN_VERSION,
    MalformedReview,
    convert_each,
    failed,
    parse_review,
    succeeded,
    version_asked_for,
)
from towline_hub.webhook.settings import PATH
from towline_kube.memory_files import named_content

log = logging.getLogger(__name__)

LONGEST_BODY = 64 * 1024 * 1024
"""An API server hands over a whole list at once: ten thousand add-ons of a few KiB each."""
_READ_LIMIT_S = 30
"""How long an API server waits for an answer, and so how long we wait for its question."""
_OBJECTS_PER_TURN = 50
"""After so many objects, a millisecond or two, other tasks of the hub have a turn."""
_DRAIN_S = 5.0


CountConversions = Callable[[str, str, int], None]
"""Told the version that was asked for, `converted` or `refused`, and how many objects."""


def _count_nothing(to: str, outcome: str, count: int) -> None:
    del to, outcome, count


class ConversionServer:
    """An HTTPS server for conversion reviews, still to be started.

    Args:
        count: Told what was converted and what was not.
    """

    def __init__(self, *, count: CountConversions = _count_nothing) -> None:
        self._count = count
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_alpn_protocols(["http/1.1"])
        self._runner: web.AppRunner | None = None
        self._pair: tuple[bytes, bytes] | None = None

    @property
    def port(self) -> int | None:
        """The port it listens on; None while it does not."""
        if self._runner is None or not self._runner.addresses:
            return None
        port: int = self._runner.addresses[0][1]
        return port

    def use(self, certificate_pem: bytes, key_pem: bytes) -> bool:
        """Show this certificate on every connection from now on; return whether it is another.

        Connections that are open go on under the one they began with.
        """
        if self._pair == (certificate_pem, key_pem):
            return False
        with named_content(certificate_pem.rstrip() + b"\n" + key_pem) as path:
            # An empty password instead of none: none would make OpenSSL ask the terminal.
            self._context.load_cert_chain(path, password="")
        self._pair = (certificate_pem, key_pem)
        return True

    async def start(self, *, host: str | None, port: int, is_preference: bool = False) -> None:
        """Listen.

        Args:
            host: Address to listen on; None for all.
            port: Port; 0 for one that is free.
            is_preference: Whether another free port will do where this one is taken.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        app = web.Application(client_max_size=LONGEST_BODY)
        app.router.add_post(PATH, self._handle)
        # A body is read in full, and compressed ones could be of any size once they are not.
        runner = web.AppRunner(
            app, access_log=None, auto_decompress=False, shutdown_timeout=_DRAIN_S
        )
        await runner.setup()
        try:
            await self._listen(runner, host, port=port)
        except OSError as error:
            if not is_preference:
                await runner.cleanup()
                raise ConfigError(
                    f"webhook cannot listen on {host or '*'}:{port}: {error.strerror or error}; "
                    "choose another --webhook-port, or end what is there"
                ) from None
            try:
                await self._listen(runner, host, port=0)
            except OSError as other:
                await runner.cleanup()
                raise ConfigError(
                    f"webhook cannot listen on {host or '*'}: {other.strerror or other}"
                ) from None
        self._runner = runner
        log.info("webhook listens", extra={"object": f"{host or '*'}:{self.port}"})

    async def close(self) -> None:
        """Take no new connection, answer what was asked, and end."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner, host: str | None, *, port: int) -> None:
        site = web.TCPSite(runner, host, port, ssl_context=self._context, backlog=128)
        await site.start()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READ_LIMIT_S):
                body = await request.read()
            review = parse_review(body)
        except MalformedReview as error:
            log.warning("conversion review refused", extra={"reason": str(error)})
            self._count(UNKNOWN_VERSION, "refused", 1)
            return web.Response(status=400, text=f"{error}\n")
        except TimeoutError:
            return web.Response(status=408)
        try:
            converted: list[KubeObject] = []
            for number, obj in enumerate(convert_each(review), start=1):
                converted.append(obj)
                if number % _OBJECTS_PER_TURN == 0:
                    await asyncio.sleep(0)
        except ConversionError as error:
            log.warning(
                "objects could not be converted",
                extra={"object": review.desired, "reason": str(error)},
            )
            self._count(version_asked_for(review), "refused", len(review.objects))
            return _json(failed(review, error))
        self._count(version_asked_for(review), "converted", len(converted))
        return _json(succeeded(review, converted))


def _json(answer: dict[str, Any]) -> web.Response:
    return web.json_response(answer)
