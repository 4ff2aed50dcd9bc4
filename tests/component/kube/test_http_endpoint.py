"""What those who watch a program get over HTTP."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from towline_api.errors import ConfigError
from towline_kube.health_checks import Check
from towline_kube.http_endpoint import HttpEndpoint
from towline_kube.listen_address import ListenAddress

ANY_PORT = ListenAddress("127.0.0.1", 0)


def saying(problem: str | None) -> Check:
    async def check() -> str | None:
        return problem

    return check


@asynccontextmanager
async def served(
    *, healthy: dict[str, Check] | None = None, ready: dict[str, Check] | None = None
) -> AsyncIterator[tuple[aiohttp.ClientSession, CollectorRegistry]]:
    registry = CollectorRegistry(auto_describe=True)
    endpoint = HttpEndpoint(ANY_PORT, registry=registry, healthy=healthy or {}, ready=ready or {})
    async with endpoint, aiohttp.ClientSession(f"http://{endpoint.address}") as session:
        yield session, registry


async def test_a_check_that_fails_is_named_beside_those_that_pass() -> None:
    """Whoever asks why a pod is not ready reads it off the answer."""
    checks = {"caches": saying(None), "api-server": saying("no answer within 5 s")}
    async with served(ready=checks) as (session, _), session.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.text() == (
            "[+]caches ok\n[-]api-server failed: no answer within 5 s\nreadyz check failed\n"
        )


async def test_health_and_readiness_are_asked_apart() -> None:
    """A hub that cannot reach its API server must not be restarted for it."""
    async with served(healthy={"a": saying(None)}, ready={"b": saying("away")}) as (session, _):
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "[+]a ok\nhealthz check passed\n")
        async with session.get("/readyz") as answer:
            assert answer.status == 503
        async with session.head("/healthz") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("", "text/plain"), ("application/openmetrics-text;version=1.0.0", "application/openmetrics")],
)
async def test_metrics_come_in_the_form_that_is_asked_for(accept: str, media_type: str) -> None:
    """Prometheus names the forms it reads; the dates of counters are in none of them."""
    async with served() as (session, registry):
        Counter("things", "Things.", registry=registry).inc()
        async with session.get("/metrics", headers={"Accept": accept}) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith(media_type)
            text = await answer.text()
    assert "things_total 1.0" in text
    assert "_created" not in text


async def test_nothing_else_is_served() -> None:
    """Not what the library would do with another path or verb either."""
    async with served() as (session, _):
        async with session.get("/") as answer:
            assert answer.status == 404
        async with session.post("/metrics") as answer:
            assert answer.status == 405


async def test_an_address_in_use_is_told_as_a_wrong_setting() -> None:
    """One line that names the address, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = ListenAddress("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConfigError, match=rf"cannot listen on {address}: .*in use"):
            async with HttpEndpoint(address, registry=CollectorRegistry(), healthy={}, ready={}):
                pass
