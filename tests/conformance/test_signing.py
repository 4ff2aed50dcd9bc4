"""What becomes of approved requests: certificates, as the real signer makes them."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conformance.api import Api
from conformance.callers import Callers
from conformance.objects import SELF_SUBJECT_REVIEWS
from conformance.requests import (
    OTHER_SIGNER,
    condition,
    create,
    decide,
    path_of,
    until_issued,
)
from support.waiting import until
from towline_api.resources import KubeObject
from towline_certs import generate_key
from towline_certs.keys import format_key

SLACK = timedelta(minutes=1)


async def test_an_approved_request_becomes_an_identity(
    api: Api, callers: Callers, name: str
) -> None:
    """With the certificate the requester is who he asked to be."""
    key = generate_key()
    made = await create(api, name, user=name, groups=("ops", "dev"), key=key)
    await decide(api, made)
    pem = await until_issued(api, name)
    holder = await callers.certificate(pem, format_key(key))
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    user = (await holder.post(SELF_SUBJECT_REVIEWS, review)).ok(201)["status"]["userInfo"]
    assert user["username"] == name
    assert set(user["groups"]) == {"ops", "dev", "system:authenticated"}


async def test_a_certificate_says_what_was_asked_for(api: Api, name: str) -> None:
    """Subject, usages, no authority; valid from five minutes ago."""
    made = await create(api, name, user=name, groups=("ops",))
    before = datetime.now(UTC)
    await decide(api, made)
    certificate = x509.load_pem_x509_certificate(await until_issued(api, name))
    subject = certificate.subject
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [name]
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["ops"]
    extensions = certificate.extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.key_encipherment
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    assert not extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).critical
    backdate = before - certificate.not_valid_before_utc
    assert abs(backdate - timedelta(minutes=5)) < SLACK


@pytest.mark.parametrize("seconds", [600, 3600])
async def test_a_certificate_lives_as_long_as_was_asked_for(
    api: Api, name: str, seconds: int
) -> None:
    """Counted from now, not from the backdated beginning (unless it is very short)."""
    made = await create(api, name, expirationSeconds=seconds)
    assert made["spec"]["expirationSeconds"] == seconds
    now = datetime.now(UTC)
    await decide(api, made)
    certificate = x509.load_pem_x509_certificate(await until_issued(api, name))
    left = certificate.not_valid_after_utc - now
    assert abs(left - timedelta(seconds=seconds)) < SLACK


async def test_a_denied_request_gets_nothing(api: Api, name: str) -> None:
    """Nor does one that nobody decided, nor one for another signer: a later one is served first."""
    await create(api, f"{name}-undecided")
    denied = await create(api, f"{name}-denied")
    await decide(api, denied, "Denied")
    other = await create(api, f"{name}-other", signer=OTHER_SIGNER)
    await decide(api, other)
    await decide(api, await create(api, name))
    await until_issued(api, name)
    for suffix in ("undecided", "denied", "other"):
        status = (await api.get(path_of(f"{name}-{suffix}"))).ok()["status"]
        assert "certificate" not in status


async def test_what_must_not_be_signed_fails(api: Api, name: str) -> None:
    """Approved or not: a server's usages are not for the signer of clients."""
    made = await create(api, name, usages=("server auth", "digital signature"))
    await decide(api, made)
    seen: list[KubeObject] = []

    async def failed() -> list[KubeObject]:
        seen.append((await api.get(path_of(name))).ok())
        return [c for c in seen[-1]["status"]["conditions"] if c["type"] == "Failed"]

    (found,) = await until(failed, what=lambda: seen[-1]["status"])
    assert found["status"] == "True"
    assert found["reason"] == "SignerValidationFailure"
    assert "certificate" not in seen[-1]["status"]


async def test_a_signer_of_ones_own_writes_the_certificate(api: Api, name: str) -> None:
    """Once, as PEM; it does not change afterwards."""
    source = await create(api, f"{name}-source")
    await decide(api, source)
    pem = base64.b64encode(await until_issued(api, f"{name}-source")).decode()
    made = await create(api, name, signer=OTHER_SIGNER)
    approved = await decide(api, made)
    path = path_of(name, "status")
    nonsense = {**approved["status"], "certificate": base64.b64encode(b"nonsense").decode()}
    refused = await api.put(path, {**approved, "status": nonsense})
    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == "status.certificate"
    signed = (
        await api.put(path, {**approved, "status": {**approved["status"], "certificate": pem}})
    ).ok()
    assert signed["status"]["certificate"] == pem
    later = base64.b64encode(b"\n" + base64.b64decode(pem)).decode()
    changed = await api.put(path, {**signed, "status": {**signed["status"], "certificate": later}})
    assert changed.status == 422
    assert [cause["field"] for cause in changed.body["details"]["causes"]] == ["status.certificate"]


async def test_a_signer_may_say_that_it_failed(api: Api, name: str) -> None:
    """Through the status, where it also writes certificates."""
    made = await create(api, name, signer=OTHER_SIGNER)
    failed = {**made, "status": {"conditions": [condition("Failed")]}}
    body = (await api.put(path_of(name, "status"), failed)).ok()
    assert [c["type"] for c in body["status"]["conditions"]] == ["Failed"]
