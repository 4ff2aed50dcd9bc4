"""Proxies from the environment, by kubectl's rules."""

import pytest

from towline_kube.proxies import proxy_for

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("server", "exceptions", "proxied"),
    [
        ("https://hub.example:6443", "", True),
        ("https://hub.example:6443", "*", False),
        ("https://hub.example:6443", "example", False),
        ("https://hub.example:6443", ".example", False),
        ("https://hub.example:6443", "*.example", False),
        ("https://hubexample", "example", True),
        ("https://example", ".example", True),
        ("https://hub.example:6443", "other, hub.example:6443", False),
        ("https://hub.example:6443", "hub.example:443", True),
        ("https://HUB.example", "hub.EXAMPLE", False),
        ("https://10.1.2.3:6443", "10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "192.168.0.0/16,10.1.2.3", False),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", False),
        ("https://10.1.2.3:6443", "10.1.2.3:1", True),
        ("https://10.1.2.3:6443", "10.0.0.0/99", True),
        ("https://[fd00::1]:6443", "fd00::/8", False),
        ("https://[fd00::1]:6443", "fd00::1", False),
        ("https://[fd00::1]:6443", "[fd00::1]:6443", False),
        ("https://localhost:6443", "", False),
        ("https://127.0.0.1:6443", "", False),
        ("https://[::1]:6443", "", False),
    ],
)
def test_no_proxy_is_read_as_kubectl_reads_it(
    server: str, exceptions: str, *, proxied: bool
) -> None:
    """Clusters put address ranges there, which Python's own reader does not know."""
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}
    assert proxy_for(server, environment=environment) == (PROXY if proxied else None)


def test_the_proxy_may_be_written_small_and_without_a_scheme() -> None:
    """Both are common."""
    assert proxy_for("https://hub", environment={"https_proxy": "proxy:3128"}) == PROXY
    assert proxy_for("https://hub", environment={"HTTP_PROXY": PROXY}) is None
    assert proxy_for("https://hub", environment={}) is None
