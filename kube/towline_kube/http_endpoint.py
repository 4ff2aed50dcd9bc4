"""A small HTTP server for those who watch a program: `/metrics`, `/healthz` and `/readyz`.

Not imported with the rest of this package: programs that serve nothing do without the library.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from towline_api.errors import ConfigError
from towline_kube.health_checks import Check, Well
from towline_kube.listen_address import ListenAddress

log = logging.getLogger(__name__)

_LONGEST_SHUTDOWN_SECONDS = 1.0


class HttpEndpoint:
    """Answers for as long as the block lasts. Plain HTTP: it tells no secrets.

    Args:
        address: Where to listen.
        registry: What `/metrics` shows.
        healthy: What has to be well for `/healthz`, by name: if not, a restart may help.
        ready: What has to be well for `/readyz`, by name; a function where it changes in time.
        documents: What else is served, as JSON under `/NAME`: functions by that name.
    """

    def __init__(
        self,
        address: ListenAddress,
        *,
        registry: CollectorRegistry,
        healthy: Mapping[str, Check],
        ready: Mapping[str, Check] | Callable[[], Mapping[str, Check]],
        documents: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        self.address = address
        """Where it listens; once it does, with the port that the kernel chose."""
        self._registry = registry
        self._checks: dict[str, Callable[[], Mapping[str, Check]]] = {
            "healthz": lambda: healthy,
            "readyz": ready if callable(ready) else lambda: ready,
        }
        self._documents = dict(documents or {})
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin to answer.

        Raises:
            ConfigError: The address cannot be listened on.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        for name in self._checks:
            app.router.add_get(f"/{name}", self._health)
        for name in self._documents:
            app.router.add_get(f"/{name}", self._document)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_LONGEST_SHUTDOWN_SECONDS)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self.address.host, self.address.port)
        try:
            await site.start()
        except OSError as error:
            await self._stack.aclose()
            raise ConfigError(
                f"cannot listen on {self.address}: {error.strerror or error}"
            ) from error
        self.address = ListenAddress(self.address.host, runner.addresses[0][1])
        log.info("metrics and health are served", extra={"object": str(self.address)})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop answering."""
        await self._stack.aclose()

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        shown = encode(_WithoutBirthdays(self._registry))
        return web.Response(body=shown, headers={"Content-Type": content_type})

    async def _document(self, request: web.Request) -> web.Response:
        return web.json_response(self._documents[request.path.removeprefix("/")]())

    async def _health(self, request: web.Request) -> web.Response:
        """Answer with a line for each check, as Kubernetes' own components do when asked to."""
        name = request.path.removeprefix("/")
        lines, status = [], 200
        for check_name, check in self._checks[name]().items():
            problem = await check()
            if problem is None:
                lines.append(f"[+]{check_name} ok")
            elif isinstance(problem, Well):
                lines.append(f"[+]{check_name} ok: {problem.how}")
            else:
                lines.append(f"[-]{check_name} failed: {problem}")
                status = 503
        lines.append(f"{name} check {'passed' if status == 200 else 'failed'}")
        return web.Response(text="\n".join([*lines, ""]), status=status)


class _WithoutBirthdays(CollectorRegistry):
    """What a registry holds, but for the time when each counter was made: as much text again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._of = registry

    def collect(self) -> Iterator[Metric]:
        """Yield what an exporter shows."""
        for metric in self._of.collect():
            metric.samples = [
                sample for sample in metric.samples if not sample.name.endswith("_created")
            ]
            yield metric
