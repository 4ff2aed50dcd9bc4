"""Addresses of API servers: which ones a credential may be sent to."""

import ipaddress
from urllib.parse import urlsplit


def check_server(server: str) -> str:
    """Return the address of an API server in the form that connections use.

    Raises:
        ValueError: It is none; the message begins with the word for it, and does not show it.
    """
    try:
        parts = urlsplit(server)
        _ = parts.port  # parsed on access
    except ValueError:
        raise ValueError("server is not a URL; write https://host:port") from None
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(
            "server must be a URL that starts with https://; "
            "credentials are not sent over anything else"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "server must be https://host:port or https://host:port/path, "
            "without user, query or fragment"
        )
    return server.rstrip("/")


def is_loopback(server: str) -> bool:
    """Return whether an address means this very machine, so that no other machine reaches it."""
    host = urlsplit(server).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
