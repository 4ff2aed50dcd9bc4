"""The CRDs lead to the webhook while they are ours, and only then."""

import copy
from typing import Any

import pytest

from towline_api.crds import service_conversion, url_conversion
from towline_api.resources import KubeObject
from towline_hub.crd_installation import hub_crds
from towline_hub.webhook.definitions import (
    CONVERTED,
    conversion_patch,
    is_ours,
    newer_versions,
    port_in_use,
    withdrawal_patch,
)
from towline_kube.merge_patch import is_applied

URL = url_conversion("https://127.0.0.1:7/convert", ca_pem=b"ca")
SERVICE = service_conversion("s", namespace="n", path="/convert", ca_pem=b"ca")


def live(conversion: KubeObject | None = None, *, name: str = CONVERTED[1]) -> KubeObject:
    """Return a CRD of ours as it stands on a hub."""
    (crd,) = (item for item in hub_crds(conversion=conversion) if item["metadata"]["name"] == name)
    crd["metadata"]["resourceVersion"] = "5"
    crd["spec"].setdefault("conversion", {"strategy": "None"})
    return crd


def merged(target: Any, patch: Any) -> Any:
    """Return what a JSON merge patch (RFC 7386) makes of an object."""
    if not isinstance(patch, dict):
        return patch
    base = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = merged(base.get(key), value)
    return base


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(None, id="from nobody"),
        pytest.param(URL, id="from a URL"),
        pytest.param(SERVICE, id="from a service"),
        pytest.param(service_conversion("s", namespace="n", path="/convert"), id="without trust"),
        pytest.param(url_conversion("https://h/convert", ca_pem=b"old"), id="from elsewhere"),
    ],
)
@pytest.mark.parametrize("wanted", [URL, SERVICE], ids=["to a URL", "to a service"])
def test_one_patch_leads_from_anywhere_to_the_webhook(
    before: KubeObject | None, wanted: KubeObject
) -> None:
    """And a CRD that leads there is left alone."""
    crd = live(before)
    patch = conversion_patch(crd, conversion=wanted)
    after = crd if patch is None else merged(crd, patch)
    assert (patch is None) is (before == wanted)
    assert after["spec"]["conversion"] == wanted
    assert {item["name"] for item in after["spec"]["versions"]} == {"v1alpha1", "v1beta1"}
    assert conversion_patch(after, conversion=wanted) is None
    # Installing finds nothing more to do.
    (ours,) = (
        item
        for item in hub_crds(conversion=wanted)
        if item["metadata"]["name"] == crd["metadata"]["name"]
    )
    assert is_applied(ours, after)


def test_what_an_api_server_fills_in_is_no_difference() -> None:
    """Else every start would write."""
    crd = live(SERVICE)
    crd["spec"]["conversion"]["webhook"]["clientConfig"]["service"]["port"] = 443
    assert conversion_patch(crd, conversion=SERVICE) is None


def test_a_patch_is_bound_to_what_was_read() -> None:
    """Somebody may change the CRD at the same moment."""
    patch = conversion_patch(live(), conversion=URL)
    assert patch is not None
    assert patch["metadata"] == {"resourceVersion": "5"}
    withdrawn = withdrawal_patch(live(URL))
    assert withdrawn is not None
    assert withdrawn["metadata"] == {"resourceVersion": "5"}


def test_without_a_webhook_the_stored_version_is_served_alone() -> None:
    """And nothing is to do where nobody converts."""
    crd = live(URL)
    patch = withdrawal_patch(crd)
    after = merged(crd, patch)
    assert after["spec"]["conversion"] == {"strategy": "None"}
    assert [item["name"] for item in after["spec"]["versions"]] == ["v1alpha1"]
    assert withdrawal_patch(after) is None
    assert withdrawal_patch(live()) is None


def test_kinds_that_an_api_server_converts_itself_are_left_alone() -> None:
    """Their versions do not differ."""
    for crd in hub_crds():
        if crd["metadata"]["name"] not in CONVERTED:
            assert conversion_patch(crd, conversion=URL) is None


def test_whose_a_crd_is_says_its_label() -> None:
    """One of another program has its own converter."""
    crd = live()
    assert is_ours(crd)
    assert not is_ours({"metadata": {"name": "x", "labels": {"app.kubernetes.io/managed-by": "o"}}})
    assert not is_ours({"metadata": {"name": "x"}})


def test_a_newer_towlines_version_is_noticed() -> None:
    """Its objects may be stored in it, and taking it away would lose them."""
    crd = live(URL)
    assert newer_versions(crd) == []
    newer = copy.deepcopy(crd)
    newer["spec"]["versions"].append({**crd["spec"]["versions"][1], "name": "v1"})
    assert newer_versions(newer) == ["v1"]


@pytest.mark.parametrize(
    ("crd", "expected"),
    [
        pytest.param(live(URL), 7, id="here"),
        pytest.param(live(url_conversion("https://h:7/convert", ca_pem=b"")), None, id="elsewhere"),
        pytest.param(live(SERVICE), None, id="service"),
        pytest.param(live(), None, id="nobody"),
        pytest.param(live(url_conversion("https://127.0.0.1:x/", ca_pem=b"")), None, id="no port"),
        pytest.param(None, None, id="no CRD"),
    ],
)
def test_the_former_port_is_read_off_the_crd(crd: KubeObject | None, expected: int | None) -> None:
    """A hub that starts again at its former place has to tell nobody of another."""
    assert port_in_use(crd, host="127.0.0.1") == expected
