"""Tokens of service accounts: what is read in them, and when another is asked for."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_agent.addons.registrations import (
    WantedCredential,
    WantedToken,
    is_settled,
    wanted_credentials,
)
from towline_agent.addons.status import AddonFacts, agent_status
from towline_agent.credentials.service_account_tokens import (
    RefreshReport,
    find_token,
    parse_token,
    refresh_report,
)
from towline_agent.settings import AgentSettings
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.addons import (
    CustomSignerRegistration,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    SubjectSpec,
)
from towline_api.condition_types import find_service_account_uid, token_infrastructure_message
from towline_api.errors import WireError
from towline_api.metadata import ObjectKey

ISSUED = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
CODEC = V1Alpha1Codec()
ACCOUNT_USER = "system:serviceaccount:c1:hello-agent"


def token(**changes: Any) -> str:
    """Return a token of ten hours for the account with UID `u`."""
    claims: dict[str, Any] = {
        "iat": int(ISSUED.timestamp()),
        "exp": int((ISSUED + timedelta(hours=10)).timestamp()),
        "kubernetes.io": {"serviceaccount": {"name": "hello-agent", "uid": "u"}},
        **changes,
    }
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


def test_a_token_says_whose_it_is_and_for_how_long() -> None:
    """The two facts that decide whether it serves."""
    parsed = parse_token(token())
    assert (parsed.uid, parsed.issued_at) == ("u", ISSUED)
    assert parsed.expires_at - parsed.issued_at == timedelta(hours=10)
    assert token() not in repr(parsed)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b", id="two-parts"),
        pytest.param("a.!!!.c", id="not-base64"),
        pytest.param("a.e30.c", id="no-claims"),
        pytest.param("a.W10.c", id="a-list"),
        pytest.param(token(exp=None), id="no-end"),
        pytest.param(token(exp=10**20), id="end-beyond-time"),
        pytest.param(token(exp=int(ISSUED.timestamp())), id="no-life"),
        pytest.param(token(**{"kubernetes.io": {}}), id="nobodys"),
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(text: str) -> None:
    """An error ends up in logs, and what was read may be a token all the same."""
    with pytest.raises(WireError) as refused:
        parse_token(text)
    if len(text) > 5:
        assert text not in str(refused.value)
    assert find_token({"token": text.encode()}, key="token") is None


@pytest.mark.parametrize(
    ("uid", "after", "fault"),
    [
        pytest.param("u", timedelta(0), None, id="fresh"),
        pytest.param("u", timedelta(hours=7, minutes=59), None, id="a-fifth-left"),
        pytest.param("u", timedelta(hours=8), "expires at", id="less-than-a-fifth-left"),
        pytest.param("u", timedelta(hours=10), "expired at", id="expired"),
        pytest.param("other", timedelta(0), "made anew", id="another-account"),
        pytest.param(None, timedelta(0), None, id="account-unknown"),
    ],
)
def test_when_another_token_is_needed(uid: str | None, after: timedelta, fault: str | None) -> None:
    """At a fifth of its life, or at once when the account it stood for is gone."""
    found = parse_token(token()).find_fault(uid=uid, now=ISSUED + after)
    assert found is None if fault is None else fault in (found or "")


def test_the_hub_is_told_as_ocm_tells_it() -> None:
    """Condition `TokenRefreshed`, word for word."""
    parsed = parse_token(token())
    assert refresh_report(None, failure=None) is None
    assert refresh_report(parsed, failure=None) == RefreshReport(
        "True", "AddonTokenRefreshed", "Addon token refreshed, expires at 2026-07-01T22:00:00Z"
    )
    assert refresh_report(parsed, failure="forbidden") == RefreshReport(
        "False", "TokenCreationFailed", "Failed to create token: forbidden"
    )


@pytest.mark.parametrize(
    ("message", "uid"),
    [
        pytest.param(
            token_infrastructure_message("c1", "hello-agent", uid="1-2"), "1-2", id="the-hubs"
        ),
        pytest.param("ServiceAccount c1/hello-agent (UID: ) is ready", None, id="empty"),
        pytest.param("Failed to apply token infrastructure", None, id="a-failure"),
    ],
)
def test_the_accounts_uid_is_read_out_of_the_message(message: str, uid: str | None) -> None:
    """The only place where OCM's hub tells it."""
    assert find_service_account_uid(message) == uid


def addon(*registrations: Any) -> ManagedClusterAddon:
    """Return the add-on on cluster c1."""
    return ManagedClusterAddon("hello", "c1", agent_namespace="ns", registrations=registrations)


def test_with_tokens_only_the_hubs_credential_becomes_one() -> None:
    """A custom signer has no use for a token."""
    wanted, unusable = wanted_credentials(
        addon(
            KubeClientRegistration(SubjectSpec("u", ("g",))),
            CustomSignerRegistration("example.com/a", SubjectSpec("u")),
        ),
        lifetime=None,
        tokens=timedelta(hours=1),
    )
    assert not unusable
    first, second = wanted
    assert isinstance(first, WantedToken)
    assert first.secret == ObjectKey("hello-hub-kubeconfig", "ns")
    assert first.order.account == ObjectKey("hello-agent", "c1")
    assert isinstance(second, WantedCredential)


@pytest.mark.parametrize(
    ("registration", "driver", "settled"),
    [
        pytest.param(None, KubeClientDriver.CSR, True, id="no-client"),
        pytest.param(
            KubeClientRegistration(SubjectSpec("u", ("g",))), KubeClientDriver.CSR, True, id="csr"
        ),
        pytest.param(
            KubeClientRegistration(SubjectSpec("u", ("g",)), KubeClientDriver.TOKEN),
            KubeClientDriver.CSR,
            False,
            id="the-status-still-says-token",
        ),
        pytest.param(
            KubeClientRegistration(SubjectSpec(ACCOUNT_USER), KubeClientDriver.CSR),
            KubeClientDriver.CSR,
            False,
            id="the-subject-is-still-the-accounts",
        ),
        pytest.param(
            KubeClientRegistration(SubjectSpec("u", ("g",)), KubeClientDriver.CSR),
            KubeClientDriver.TOKEN,
            True,
            id="tokens-wait-for-the-account-anyway",
        ),
    ],
)
def test_a_change_of_driver_is_acted_on_once_the_hub_has_followed(
    registration: KubeClientRegistration | None, driver: KubeClientDriver, settled: bool
) -> None:
    """A request for a service account's name would be denied."""
    described = addon(registration) if registration is not None else addon()
    assert is_settled(described, driver=driver) is settled


def test_the_agent_declares_driver_and_subject() -> None:
    """With tokens the subject is its to write: the account, and no groups."""
    status = {
        "registrations": [
            {
                "signerName": "kubernetes.io/kube-apiserver-client",
                "subject": {"user": "u", "groups": ["g"]},
            },
            {"signerName": "example.com/a", "subject": {"user": "x"}},
        ]
    }
    obj = {"metadata": {"name": "hello", "namespace": "c1", "uid": "u"}, "status": status}

    def said(driver: KubeClientDriver | None) -> dict[str, Any]:
        return agent_status(obj, AddonFacts(), cluster=None, codec=CODEC, now=ISSUED, driver=driver)

    assert said(None) == status
    assert said(KubeClientDriver.CSR) == {**status, "kubeClientDriver": "csr"}
    by_token = said(KubeClientDriver.TOKEN)
    assert by_token["kubeClientDriver"] == "token"
    assert [item["subject"] for item in by_token["registrations"]] == [
        {"user": ACCOUNT_USER},
        {"user": "x"},
    ]


def test_certificates_are_the_default_and_tokens_live_for_a_day() -> None:
    """A year, as elsewhere, is a long time for a copied token to open the hub."""
    assert AgentSettings().addon_tokens is None
    settings = AgentSettings(addon_kubeclient_registration_auth=KubeClientDriver.TOKEN)
    assert settings.addon_tokens == timedelta(hours=24)
    with pytest.raises(ValueError, match="greater than or equal"):
        AgentSettings(addon_token_lifetime=timedelta(minutes=9))
