"""What a doctor makes of bootstrap tokens, of certificates that end, and of the webhook."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.resources import KubeObject
from towline_hub.clusters.rbac import bootstrap_rbac
from towline_hub.doctor.credential_checks import (
    authority_check,
    bootstrap_role_check,
    bootstrap_token,
    tokens_check,
)
from towline_hub.doctor.findings import Verdict
from towline_hub.doctor.webhook_check import webhook_checks, webhook_client, webhook_service
from towline_hub.looking import Unseen

NOW = datetime(2026, 6, 1, 14, 0, tzinfo=UTC)
ROLE, BINDING = bootstrap_rbac()


def secret(
    *, groups: tuple[str, ...] = (BOOTSTRAP_GROUP,), lasts: timedelta | None = timedelta(hours=1)
) -> KubeObject:
    made = BootstrapToken("abcdef", "0" * 16).as_secret(groups=groups, expires=NOW)
    data = dict(made["stringData"])
    data.pop("expiration")
    if lasts is not None:
        data["expiration"] = (NOW + lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": made["metadata"], "data": encoded}


@pytest.mark.parametrize(
    ("secrets", "verdict"),
    [
        pytest.param([secret()], Verdict.OK, id="short"),
        pytest.param([], Verdict.WARN, id="none"),
        pytest.param([secret(lasts=timedelta(hours=-1))], Verdict.WARN, id="expired"),
        pytest.param([secret(lasts=None)], Verdict.WARN, id="for-ever"),
        pytest.param([secret(lasts=timedelta(days=300))], Verdict.WARN, id="long"),
        pytest.param(
            [secret(groups=(f"{BOOTSTRAP_GROUP}:c1",), lasts=timedelta(days=300))],
            Verdict.OK,
            id="long-for-one-cluster",
        ),
        pytest.param([secret(groups=("system:bootstrappers:kubeadm",))], Verdict.WARN, id="others"),
    ],
)
def test_tokens_are_to_be_there_and_to_end_soon(
    secrets: list[KubeObject], verdict: Verdict
) -> None:
    """None lets no cluster in; one that never ends lets in whoever finds it."""
    tokens = [token for token in map(bootstrap_token, secrets) if token is not None]
    assert tokens_check(tokens, now=NOW).verdict is verdict


def test_a_token_is_never_told_with_its_secret_half() -> None:
    """A diagnosis is pasted into tickets."""
    token = bootstrap_token(secret(lasts=None))
    assert token is not None
    assert "0" * 16 not in repr(token) + tokens_check([token], now=NOW).found
    assert tokens_check(Unseen("why"), now=NOW).verdict is Verdict.UNSEEN


def test_the_bootstrap_role_is_to_be_what_the_hub_makes_it() -> None:
    """A rule more, and a shared password may do more than ask."""
    wider = ROLE | {"rules": [*ROLE["rules"], {"apiGroups": [""], "resources": ["secrets"]}]}
    assert bootstrap_role_check(ROLE, BINDING).verdict is Verdict.OK
    assert bootstrap_role_check(wider, BINDING).verdict is Verdict.FAIL
    assert bootstrap_role_check(ROLE, None).verdict is Verdict.FAIL
    assert bootstrap_role_check(Unseen("why"), BINDING).verdict is Verdict.UNSEEN


def authority_pem(*, ends: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=365))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("left", "verdict"),
    [
        (timedelta(days=100), Verdict.OK),
        (timedelta(days=2), Verdict.WARN),
        (timedelta(days=-2), Verdict.FAIL),
    ],
)
def test_an_authority_that_ends_is_told_before_it_does(left: timedelta, verdict: Verdict) -> None:
    """Certificates end on weekends."""
    pem = authority_pem(ends=NOW + left)
    assert authority_check("a", pem.decode(), now=NOW, fix="f").verdict is verdict
    assert authority_check("a", base64.b64encode(pem).decode(), now=NOW, fix="f").verdict is verdict


def test_in_an_overlap_the_authority_that_lasts_longest_counts() -> None:
    """The old one is still in the bundle while it ends."""
    both = authority_pem(ends=NOW - timedelta(days=1)) + authority_pem(
        ends=NOW + timedelta(days=99)
    )
    assert authority_check("a", both, now=NOW, fix="f").verdict is Verdict.OK


@pytest.mark.parametrize("pem", [None, "", "garbage", "Z2FyYmFnZQ=="])
def test_what_is_no_certificate_is_a_fault(pem: str | None) -> None:
    """The API server would trust nobody with it."""
    assert authority_check("a", pem, now=NOW, fix="f").verdict is Verdict.FAIL


def crd(**client: Any) -> KubeObject:
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client}}
    return {"spec": {"conversion": conversion}}


SERVICE = {"namespace": "hub", "name": "towline-hub-webhook"}


@pytest.mark.parametrize(
    ("endpoints", "verdict"),
    [
        ([{"conditions": {"ready": True}}], Verdict.OK),
        ([{"conditions": {}}], Verdict.OK),
        ([{"conditions": {"ready": False}}], Verdict.FAIL),
        ([], Verdict.FAIL),
    ],
)
def test_a_webhook_nobody_serves_is_a_fault(endpoints: list[KubeObject], verdict: Verdict) -> None:
    """Add-ons cannot be read in the other version, which clients meet as an error of the server."""
    pem = authority_pem(ends=NOW + timedelta(days=99)).decode()
    client = webhook_client(crd(service=SERVICE, caBundle=pem))
    assert webhook_service(client) == ("hub", "towline-hub-webhook")
    findings = webhook_checks(client, [{"endpoints": endpoints}], now=NOW)
    assert [finding.verdict for finding in findings] == [verdict, Verdict.OK]
    unseen = webhook_checks(client, Unseen("why"), now=NOW)
    assert unseen[0].verdict is Verdict.UNSEEN


def test_without_a_webhook_there_is_nothing_to_serve() -> None:
    """A CRD of one version converts nothing."""
    assert webhook_client({"spec": {"conversion": {"strategy": "None"}}}) is None
    assert [item.verdict for item in webhook_checks(None, (), now=NOW)] == [Verdict.OK]
    by_url = webhook_checks({"url": "https://x"}, (), now=NOW)
    assert [item.verdict for item in by_url] == [Verdict.OK, Verdict.FAIL]
