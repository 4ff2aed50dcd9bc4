"""Failures of the network as sentences: what happened and what to do."""

import ssl
from datetime import timedelta

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from towline_kube.errors import Attempt, Unreachable
from towline_kube.network_failures import unreachable

ATTEMPT = Attempt("get", "secrets c1/x", "hub:6443")
LIMIT = timedelta(seconds=30)


def caused_by(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


REQUEST = aiohttp.RequestInfo(
    URL("https://hub:6443/"),
    "GET",
    CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer very-secret-token"})),
    URL("https://hub:6443/"),
)


@pytest.mark.parametrize(
    ("error", "said", "was_sent"),
    [
        pytest.param(TimeoutError(), "no answer within 30 s", True, id="total"),
        pytest.param(
            aiohttp.ConnectionTimeoutError(),
            "cannot connect: no answer in time",
            False,
            id="connect",
        ),
        pytest.param(aiohttp.ServerDisconnectedError(), "connection broke before", True, id="gone"),
        pytest.param(aiohttp.ClientPayloadError("x"), "connection broke before", True, id="cut"),
        pytest.param(
            aiohttp.ClientOSError(104, "Connection reset by peer"),
            "the connection broke: Connection reset by peer",
            True,
            id="reset",
        ),
        pytest.param(
            caused_by(
                aiohttp.ClientOSError(1, "x"), tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")
            ),
            "the server refused our client certificate",
            True,
            id="alert",
        ),
        pytest.param(
            tls_error("SSLV3_ALERT_BAD_CERTIFICATE"),
            "refused our client certificate",
            True,
            id="bad",
        ),
        pytest.param(
            tls_error("WRONG_VERSION_NUMBER"), "TLS failed (WRONG_VERSION", True, id="tls"
        ),
        pytest.param(
            aiohttp.ClientHttpProxyError(REQUEST, (), status=407, message="who"),
            "the proxy refused to connect us (407)",
            False,
            id="proxy",
        ),
        pytest.param(
            aiohttp.ClientResponseError(REQUEST, (), status=0, message="bad header"),
            "no usable answer (ClientResponseError)",
            True,
            id="no-http",
        ),
    ],
)
def test_each_failure_has_its_sentence(error: BaseException, said: str, *, was_sent: bool) -> None:
    """Whether it was sent decides whether a create may be tried again."""
    found = unreachable(ATTEMPT, error, within=LIMIT, answer_began=False)
    assert type(found) is Unreachable
    assert str(found).startswith("get secrets c1/x on hub:6443: ")
    assert said in str(found)
    assert found.was_sent is was_sent
    assert "very-secret-token" not in str(found)


def test_what_was_answered_in_part_was_sent() -> None:
    """However it ended."""
    found = unreachable(ATTEMPT, aiohttp.ConnectionTimeoutError(), within=LIMIT, answer_began=True)
    assert found.was_sent
