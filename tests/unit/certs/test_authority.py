from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.csrs import NOW, key_of
from towline_api.errors import ConfigError
from towline_certs import (
    CLIENT_ONLY,
    SERVER_ONLY,
    Authority,
    ClusterIdentity,
    KeyKind,
    Subject,
    create_authority,
    format_key,
    kind_of,
)
from towline_certs.authority_chain import strictness_problem
from towline_certs.keys import signature_hash

DAY = timedelta(days=1)
SUBJECT = ClusterIdentity("c1", "g").subject
AUTHORITY = create_authority("test", now=NOW, lifetime=10 * DAY)


def issue(*, authority=AUTHORITY, key=None, **how):
    arguments = {"subject": SUBJECT, "now": NOW, "lifetime": DAY} | how
    pem = authority.issue((key or key_of()).public_key(), **arguments)
    return x509.load_pem_x509_certificate(pem)


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_an_authority_says_that_it_is_one(kind, monkeypatch):
    """RFC 5280 section 4.2.1: critical constraints and usage, key identifiers, none below it."""
    # Made once per process: finding the primes of a large key takes a second.
    monkeypatch.setattr("towline_certs.authority.generate_key", key_of)
    certificate = create_authority("test", now=NOW, lifetime=DAY, key_kind=kind).certificate
    assert kind_of(certificate.public_key()) is kind
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (
        True,
        True,
        0,
    )
    usage = extension(certificate, x509.KeyUsage)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
    identifier = extension(certificate, x509.SubjectKeyIdentifier).value.digest
    authority = extension(certificate, x509.AuthorityKeyIdentifier).value
    assert authority.key_identifier == identifier
    certificate.verify_directly_issued_by(certificate)


def test_a_leaf_says_what_it_is_for_and_no_more():
    """Every strict verifier wants these, with these criticalities."""
    certificate = issue()
    certificate.verify_directly_issued_by(AUTHORITY.certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    usage = extension(certificate, x509.KeyUsage)
    assert (usage.critical, usage.value.digital_signature) == (True, True)
    assert not usage.value.key_cert_sign
    assert list(extension(certificate, x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    issuer = extension(AUTHORITY.certificate, x509.SubjectKeyIdentifier).value.digest
    assert extension(certificate, x509.AuthorityKeyIdentifier).value.key_identifier == issuer
    with pytest.raises(x509.ExtensionNotFound):
        extension(certificate, x509.SubjectAlternativeName)


def test_only_an_rsa_key_may_encipher_keys():
    """RFC 8813 forbids it for elliptic curves."""
    assert not extension(issue(), x509.KeyUsage).value.key_encipherment
    with_rsa = issue(key=key_of(KeyKind.RSA_2048))
    assert extension(with_rsa, x509.KeyUsage).value.key_encipherment


def test_names_and_usages_are_those_of_the_caller():
    """Servers of the sandbox get hosts and addresses."""
    certificate = issue(
        dns_names=["localhost"], ip_addresses=["127.0.0.1", "::1"], usages=SERVER_ONLY | CLIENT_ONLY
    )
    names = extension(certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert len(list(extension(certificate, x509.ExtendedKeyUsage).value)) == 2


def test_a_leaf_does_not_outlive_its_authority():
    """A verifier would refuse it anyway, at a moment nobody expects."""
    certificate = issue(now=NOW + 9 * DAY, lifetime=5 * DAY)
    assert certificate.not_valid_after_utc == AUTHORITY.certificate.not_valid_after_utc


def test_backdating_stops_where_the_authority_begins():
    """A leaf older than its authority fails in chains."""
    certificate = issue(now=NOW + timedelta(minutes=1), backdate=timedelta(minutes=5))
    assert certificate.not_valid_before_utc == NOW
    later = issue(now=NOW + DAY, backdate=timedelta(minutes=5))
    assert later.not_valid_before_utc == NOW + DAY - timedelta(minutes=5)


@pytest.mark.parametrize("now", [NOW - DAY, NOW + 10 * DAY, NOW + 11 * DAY])
def test_an_authority_out_of_its_time_issues_nothing(now):
    """What it signed would be refused; the operator is told instead."""
    with pytest.raises(ConfigError, match="replace it"):
        issue(now=now)


@pytest.mark.parametrize("how", [{"lifetime": timedelta(0)}, {"usages": frozenset()}])
def test_senseless_leaves_are_mistakes_of_the_caller(how):
    """Better than a certificate nobody accepts."""
    with pytest.raises(ValueError, match="needs"):
        issue(**how)


def test_serial_numbers_differ():
    """RFC 5280 section 4.1.2.2; some verifiers cache by them."""
    assert len({issue().serial_number for _ in range(20)}) == 20


@pytest.mark.parametrize("kind", [KeyKind.ECDSA_P256, KeyKind.RSA_2048])
def test_a_stored_authority_issues_again(kind):
    """Custom signers keep theirs in a Secret."""
    made = create_authority("test", now=NOW, lifetime=DAY, key_kind=kind)
    again = Authority.parse(certificate_pem=made.certificate_pem, key_pem=format_key(made.key))
    issue(authority=again).verify_directly_issued_by(made.certificate)


LEAF = AUTHORITY.issue(
    key_of().public_key(), subject=Subject("x", frozenset()), now=NOW, lifetime=DAY
)


@pytest.mark.parametrize(
    ("certificate_pem", "key", "message"),
    [
        (AUTHORITY.certificate_pem, key_of(), "another key"),
        (LEAF, key_of(), "do not say CA"),
        (b"", key_of(), "cannot be read"),
        (b"hello", key_of(), "cannot be read"),
    ],
)
def test_a_stored_authority_that_cannot_sign_is_refused_at_once(certificate_pem, key, message):
    """Not at the first certificate it issues."""
    with pytest.raises(ConfigError, match=message):
        Authority.parse(certificate_pem=certificate_pem, key_pem=format_key(key))


@pytest.mark.parametrize(
    ("left_out", "problem"),
    [
        (None, None),
        (x509.SubjectKeyIdentifier, "it lacks subjectKeyIdentifier"),
        (x509.KeyUsage, "it lacks keyUsage"),
        (x509.AuthorityKeyIdentifier, None),
    ],
)
def test_what_strict_verifiers_miss_in_an_authority_is_said(left_out, problem):
    """`openssl req -x509` leaves the usage out, and it works until the first Python 3.13."""
    made = AUTHORITY.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(made.subject)
        .issuer_name(made.subject)
        .public_key(made.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
    )
    for each in made.extensions:
        if type(each.value) is not left_out:
            builder = builder.add_extension(each.value, critical=each.critical)
    certificate = builder.sign(AUTHORITY.key, signature_hash(AUTHORITY.key))
    assert strictness_problem(certificate) == problem
