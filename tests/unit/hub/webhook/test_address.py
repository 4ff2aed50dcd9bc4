"""Where the webhook is, and what the API server is told of it."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from towline_hub.webhook.address import (
    Address,
    AtUrl,
    BehindService,
    NoAddress,
    OnThisMachine,
    conversion_at,
    find_address,
    server_names,
)
from towline_hub.webhook.settings import WebhookSettings

HERE, FAR = "https://127.0.0.1:6443", "https://hub.example.com:6443"
URL = "https://hooks.example.com:9443/convert"


@pytest.mark.parametrize(
    ("settings", "is_pod", "api_server", "expected"),
    [
        pytest.param({}, True, FAR, BehindService("ns"), id="in a pod"),
        pytest.param({}, True, HERE, BehindService("ns"), id="in a pod on the host's network"),
        pytest.param(
            {"webhook_port": 1234, "webhook_host": "10.0.0.1"},
            True,
            FAR,
            BehindService("ns", "10.0.0.1", 1234),
            id="in a pod, elsewhere",
        ),
        pytest.param({"webhook_url": URL}, False, FAR, AtUrl(URL), id="outside"),
        pytest.param({"webhook_url": URL}, True, FAR, AtUrl(URL), id="in a pod of another cluster"),
        pytest.param(
            {"webhook_url": URL, "webhook_port": 1}, False, FAR, AtUrl(URL, None, 1), id="forwarded"
        ),
        pytest.param({}, False, HERE, OnThisMachine(), id="beside it"),
        pytest.param({}, False, "https://localhost:1", OnThisMachine(), id="by name"),
        pytest.param({}, False, "https://[::1]:1", OnThisMachine(), id="by IPv6"),
        pytest.param(
            {"webhook_port": 5}, False, HERE, OnThisMachine("127.0.0.1", 5), id="at a port"
        ),
    ],
)
def test_the_webhook_is_where_the_api_server_reaches_it(
    settings: dict[str, Any], is_pod: bool, api_server: str, expected: Address
) -> None:
    """What the operator says comes first."""
    found = find_address(
        WebhookSettings(**settings), namespace="ns", is_pod=is_pod, api_server=api_server
    )
    assert found == expected


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        pytest.param({"webhook": False, "webhook_url": URL}, "off", id="switched off"),
        pytest.param({}, "--webhook-url", id="out of reach"),
    ],
)
def test_otherwise_there_is_none_and_it_says_why(settings: dict[str, Any], word: str) -> None:
    """A URL that the API server cannot call is worse than none."""
    found = find_address(WebhookSettings(**settings), namespace="ns", is_pod=False, api_server=FAR)
    assert isinstance(found, NoAddress)
    assert word in found.reason


@pytest.mark.parametrize(
    ("address", "dns", "ip", "config"),
    [
        pytest.param(
            BehindService("ns"),
            "towline-hub-webhook.ns.svc",
            None,
            {
                "service": {
                    "name": "towline-hub-webhook",
                    "namespace": "ns",
                    "path": "/convert",
                    "port": 443,
                }
            },
            id="service",
        ),
        pytest.param(AtUrl(URL), "hooks.example.com", None, {"url": URL}, id="url"),
        pytest.param(
            AtUrl("https://[fd00::1]/convert"),
            None,
            "fd00::1",
            {"url": "https://[fd00::1]/convert"},
            id="address",
        ),
        pytest.param(
            OnThisMachine(),
            None,
            "127.0.0.1",
            {"url": "https://127.0.0.1:7/convert"},
            id="here",
        ),
        pytest.param(
            OnThisMachine("::1"), None, "::1", {"url": "https://[::1]:7/convert"}, id="here, IPv6"
        ),
    ],
)
def test_certificate_and_crd_name_the_same_place(
    address: Address, dns: str | None, ip: str | None, config: dict[str, Any]
) -> None:
    """An API server looks for the name it called."""
    names, addresses = server_names(address)
    assert dns is None or dns in names
    assert addresses == (() if ip is None else (ip,))
    conversion = conversion_at(address, port=7, ca_pem=b"ca")
    bundle = base64.b64encode(b"ca").decode()
    assert conversion["webhook"]["clientConfig"] == {**config, "caBundle": bundle}


@pytest.mark.parametrize(
    "url",
    [
        "http://h/convert",
        "https://h/other",
        "https:///convert",
        "https://u@h/convert",
        "https://h/convert?x",
        "https://h:x/convert",
        "h",
    ],
)
def test_a_url_that_no_api_server_calls_is_refused(url: str) -> None:
    """At start, and not by the first conversion that fails."""
    with pytest.raises(ValidationError, match="webhook_url"):
        WebhookSettings(webhook_url=url)


def test_the_usual_urls_are_taken() -> None:
    """With a port or without."""
    for url in (URL, "https://10.0.0.1/convert", "https://[::1]:8443/convert"):
        assert WebhookSettings(webhook_url=url).webhook_url == url
