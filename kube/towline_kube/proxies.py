"""Which HTTP proxy the environment asks for, by the rules kubectl follows.

aiohttp could read the environment itself, but it then also sends the password it finds for the host
in `~/.netrc`, and knows no address ranges in `NO_PROXY`, where clusters put theirs.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(server: str, *, environment: Mapping[str, str]) -> str | None:
    """Return the proxy for an https server, or None to connect to it directly."""
    proxy = environment.get("HTTPS_PROXY") or environment.get("https_proxy") or ""
    if not proxy:
        return None
    parts = urlsplit(server)
    host, port = (parts.hostname or "").rstrip("."), parts.port or 443
    exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if _is_local(host) or any(
        _matches(pattern.strip().lower(), host, port) for pattern in exceptions.split(",")
    ):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_local(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _matches(pattern: str, host: str, port: int) -> bool:
    if not pattern:
        return False
    if pattern == "*":
        return True
    address = _address(host)
    if address is not None and "/" in pattern:
        try:
            return address in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    name, colon, wanted_port = pattern.rpartition(":")
    if colon and wanted_port.isdecimal() and (name.count(":") == 0 or name.startswith("[")):
        if int(wanted_port) != port:
            return False
        pattern = name
    if address is not None:
        return _address(pattern.strip("[]")) == address
    if pattern.startswith(("*.", ".")):
        return host.endswith(pattern.removeprefix("*"))
    return host == pattern or host.endswith(f".{pattern}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
