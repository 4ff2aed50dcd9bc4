"""Addresses of API servers: https and nothing hidden in them."""

import pytest

from towline_kube.server_urls import check_server, is_loopback


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://hub.example", "https://hub.example"),
        ("https://hub.example:6443/", "https://hub.example:6443"),
        ("https://hub.example/k8s/clusters/c1", "https://hub.example/k8s/clusters/c1"),
        ("https://[2001:db8::1]:6443", "https://[2001:db8::1]:6443"),
    ],
)
def test_an_address_is_kept_as_connections_use_it(given: str, kept: str) -> None:
    """One form, so that two of them can be compared."""
    assert check_server(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "http://hub.example",
        "hub.example:6443",
        "https://",
        "https://hub.example:port",
        "https://user:secret@hub.example",
        "https://hub.example?x=y",
        "https://hub.example#x",
        "",
    ],
)
def test_what_no_credential_is_sent_to_is_refused_without_being_shown(given: str) -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match=r"^server ") as refusal:
        check_server(given)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://127.8.8.8", True),
        ("https://[::1]:6443", True),
        ("https://localhost:6443", True),
        ("https://hub.localhost", True),
        ("https://0.0.0.0:6443", True),
        ("https://10.0.0.1:6443", False),
        ("https://hub.example", False),
        ("https://localhost.example", False),
    ],
)
def test_addresses_of_this_very_machine_are_told(server: str, expected: bool) -> None:
    """No other machine reaches the hub there."""
    assert is_loopback(server) is expected
