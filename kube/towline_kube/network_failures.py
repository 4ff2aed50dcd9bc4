"""From an exception of the network to one sentence: what happened, and what a person can do."""

import ssl
from datetime import timedelta

import aiohttp

from towline_kube.errors import Attempt, Unreachable, UntrustedServer
from towline_kube.redaction import quotable


def unreachable(
    attempt: Attempt, error: BaseException, *, within: timedelta, answer_began: bool
) -> Unreachable:
    """Return the error that says why there was no whole answer.

    Args:
        attempt: What was tried.
        error: What aiohttp, ssl or the operating system raised.
        within: The limit that applied, for the message about it.
        answer_began: Whether the server had begun to answer.
    """
    kind, was_sent, finding = _judge(error, host=attempt.host, within=within)
    return kind(
        f"{attempt}: {finding}",
        was_sent=was_sent or answer_began,
        verb=attempt.verb,
        object=attempt.object,
    )


def _judge(
    error: BaseException, *, host: str, within: timedelta
) -> tuple[type[Unreachable], bool, str]:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or "rejected"
            return (
                UntrustedServer,
                False,
                (
                    f"the certificate of {host} cannot be trusted "
                    f"({quotable(str(why), longest=160)}); "
                    "check the kubeconfig's server and certificate-authority-data"
                ),
            )
        case aiohttp.ClientConnectorDNSError():
            return (
                Unreachable,
                False,
                "the host name cannot be resolved; check the kubeconfig's server and the DNS",
            )
        case aiohttp.ClientProxyConnectionError():
            return Unreachable, False, "the proxy cannot be reached; check proxy-url or HTTPS_PROXY"
        case aiohttp.ClientConnectorSSLError():
            return Unreachable, False, _tls_finding(error.os_error)
        case aiohttp.ClientConnectorError():
            return (
                Unreachable,
                False,
                (
                    f"cannot connect: {quotable(_os_text(error.os_error), longest=120)}; "
                    "check that the server is up and the address right"
                ),
            )
        case aiohttp.ConnectionTimeoutError():
            return (
                Unreachable,
                False,
                "cannot connect: no answer in time; check the address, firewalls and proxies",
            )
        case aiohttp.ClientHttpProxyError():
            return (
                Unreachable,
                False,
                f"the proxy refused to connect us ({error.status}); check its rules",
            )
        case TimeoutError():
            return Unreachable, True, f"no answer within {within.total_seconds():g} s"
        case aiohttp.ClientOSError() if isinstance(error.__cause__, ssl.SSLError):
            return Unreachable, True, _tls_finding(error.__cause__)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return Unreachable, True, "the connection broke before the answer was complete"
        case aiohttp.ClientOSError():
            return Unreachable, True, f"the connection broke: {quotable(_os_text(error))}"
        case ssl.SSLError():
            return Unreachable, True, _tls_finding(error)
        case _:
            # Texts of these hold headers and parts of bodies; the kind says enough.
            return Unreachable, True, f"no usable answer ({type(error).__name__})"


def _tls_finding(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or ""
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return (
            f"the server refused our client certificate ({quotable(reason, longest=80)}); "
            "check that it is of this cluster and has not expired"
        )
    return (
        f"TLS failed ({quotable(reason or type(error).__name__, longest=80)}); check that the "
        "address is an API server's"
    )


def _os_text(error: OSError) -> str:
    return error.strerror or type(error).__name__
