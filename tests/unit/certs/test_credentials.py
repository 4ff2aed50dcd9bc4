from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from support.csrs import NOW, key_of
from towline_api.errors import WireError
from towline_certs import (
    SERVER_ONLY,
    AddonIdentity,
    Authority,
    ClusterIdentity,
    CredentialError,
    CredentialProblem,
    KeyKind,
    Subject,
    check_credential,
    create_authority,
    format_key,
    from_secret_data,
    parse_credential,
    parse_credential_files,
    to_secret_data,
)
from towline_certs.distinguished_names import format_name

IDENTITY = ClusterIdentity("c1", "x7kq2")
HOUR = timedelta(hours=1)
AUTHORITY = create_authority("test", now=NOW, lifetime=timedelta(days=1), backdate=HOUR)
STRANGER = create_authority("test", now=NOW, lifetime=timedelta(days=1), backdate=HOUR)


def credential(*, key=None, issuer=AUTHORITY, subject=IDENTITY.subject, **how):
    key = key or key_of()
    pem = issuer.issue(key.public_key(), **{"subject": subject, "now": NOW, "lifetime": HOUR} | how)
    return parse_credential(key_pem=format_key(key), certificate_pem=pem)


def check(found, *, issued_for=IDENTITY.subject, now=NOW, ca_pem=None):
    check_credential(found, issued_for=issued_for, now=now, ca_pem=ca_pem)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_an_issued_certificate_serves(kind):
    """The plain case, for every kind of key a signer may be given."""
    found = credential(key=key_of(kind))
    check(found, ca_pem=AUTHORITY.certificate_pem)
    assert found.subject == IDENTITY.subject
    assert found.validity.not_after == NOW + HOUR
    assert parse_credential_files(found.files) == found


def test_a_long_addon_name_serves():
    """Common names over 64 characters are the rule for add-ons."""
    identity = AddonIdentity("cluster-with-a-long-name", "addon-with-a-long-name", "agent")
    check(credential(subject=identity.subject), issued_for=identity.subject)


@pytest.mark.parametrize(
    ("how", "now", "reason"),
    [
        pytest.param({}, NOW + HOUR + timedelta(seconds=1), CredentialProblem.EXPIRED, id="over"),
        pytest.param({}, NOW - timedelta(seconds=1), CredentialProblem.NOT_YET_VALID, id="early"),
        pytest.param(
            {"subject": ClusterIdentity("c2", "x7kq2").subject},
            NOW,
            CredentialProblem.SUBJECT_MISMATCH,
            id="other-cluster",
        ),
        pytest.param(
            {"subject": ClusterIdentity("c1", "other").subject},
            NOW,
            CredentialProblem.SUBJECT_MISMATCH,
            id="other-agent",
        ),
        pytest.param(
            {"subject": Subject(IDENTITY.user, frozenset(IDENTITY.groups[:1]))},
            NOW,
            CredentialProblem.SUBJECT_MISMATCH,
            id="group-missing",
        ),
        pytest.param(
            {"subject": Subject(IDENTITY.user, frozenset({*IDENTITY.groups, "system:masters"}))},
            NOW,
            CredentialProblem.SUBJECT_MISMATCH,
            id="group-more",
        ),
        pytest.param(
            {"usages": SERVER_ONLY}, NOW, CredentialProblem.NOT_FOR_CLIENTS, id="for-servers"
        ),
        pytest.param({"issuer": STRANGER}, NOW, CredentialProblem.UNTRUSTED, id="other-authority"),
    ],
)
def test_a_credential_that_does_not_serve_says_why(how, now, reason):
    """The agent asks for another one, and the operator reads the reason."""
    found = credential(**how)
    with pytest.raises(CredentialError) as caught:
        check(found, now=now, ca_pem=AUTHORITY.certificate_pem)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)


def test_the_authority_is_checked_only_when_it_is_known():
    """A spoke seldom knows who signs its hub's client certificates."""
    check(credential(issuer=STRANGER))


def test_an_unreadable_authority_is_not_trust():
    """Fail closed."""
    with pytest.raises(CredentialError) as caught:
        check(credential(), ca_pem=b"")
    assert caught.value.reason is CredentialProblem.UNTRUSTED


def test_a_leaf_is_no_authority():
    """Whoever holds a leaf could otherwise make certificates that pass."""
    leaf = credential(subject=Subject("holder", frozenset()))
    holder = Authority(x509.load_pem_x509_certificate(leaf.certificate_pem), key_of())
    forged = credential(issuer=holder, key=key_of(number=1))
    with pytest.raises(CredentialError) as caught:
        check(forged, ca_pem=leaf.certificate_pem)
    assert caught.value.reason is CredentialProblem.UNTRUSTED
    with_its_chain = parse_credential(
        key_pem=forged.key_pem, certificate_pem=forged.certificate_pem + leaf.certificate_pem
    )
    with pytest.raises(CredentialError) as caught:
        check(with_its_chain, ca_pem=AUTHORITY.certificate_pem)
    assert caught.value.reason is CredentialProblem.UNTRUSTED


KEY, OTHER = format_key(key_of()), format_key(key_of(number=1))
CERTIFICATE = credential().certificate_pem


@pytest.mark.parametrize(
    ("key_pem", "certificate_pem", "reason"),
    [
        (OTHER, CERTIFICATE, CredentialProblem.KEY_MISMATCH),
        (format_key(key_of(KeyKind.ED25519)), CERTIFICATE, CredentialProblem.KEY_MISMATCH),
        (b"", CERTIFICATE, CredentialProblem.KEY_UNUSABLE),
        (KEY, b"", CredentialProblem.MALFORMED),
        (KEY, b"hello", CredentialProblem.MALFORMED),
        (KEY, CERTIFICATE[:-60], CredentialProblem.MALFORMED),
        (KEY, KEY, CredentialProblem.MALFORMED),
        (CERTIFICATE, KEY, CredentialProblem.KEY_UNUSABLE),
    ],
)
def test_halves_that_do_not_belong_together_are_refused(key_pem, certificate_pem, reason):
    """Somebody edited the Secret, or a crash of another program left half of it."""
    with pytest.raises(CredentialError) as caught:
        parse_credential(key_pem=key_pem, certificate_pem=certificate_pem)
    assert caught.value.reason is reason


@pytest.mark.parametrize("files", [{}, {"tls.key": KEY}, {"tls.crt": CERTIFICATE, "tls.key": b""}])
def test_a_missing_half_is_named(files):
    """Normal before the first certificate, so it has a reason of its own."""
    with pytest.raises(CredentialError, match="missing or empty") as caught:
        parse_credential_files(files)
    assert caught.value.reason is CredentialProblem.MISSING


def test_the_key_is_in_no_repr_and_no_error():
    """Values end up in tracebacks, and tracebacks in issues."""
    secret = KEY.splitlines()[1].decode()
    assert secret not in repr(credential())
    assert secret not in str(credential())
    assert secret not in repr(AUTHORITY)


def test_a_chain_is_valid_only_while_all_of_it_is():
    """Latest start, earliest end: an expired intermediate ends the credential."""
    root, intermediate = chain_of_two()
    leaf = intermediate.issue(
        key_of().public_key(), subject=IDENTITY.subject, now=NOW, lifetime=HOUR
    )
    short = create_authority("unrelated", now=NOW, lifetime=timedelta(minutes=5))
    found = parse_credential(
        key_pem=KEY, certificate_pem=leaf + intermediate.certificate_pem + short.certificate_pem
    )
    assert found.validity.not_after == NOW + timedelta(minutes=5)
    assert found.validity.not_before == NOW
    check(found, ca_pem=root.certificate_pem)
    with pytest.raises(CredentialError):
        check(found, ca_pem=STRANGER.certificate_pem)


def chain_of_two():
    """A root and an intermediate under it, which `create_authority` does not make."""
    key = key_of(number=2)
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(AUTHORITY.certificate.subject)
        .subject_name(format_name(Subject("intermediate", frozenset())))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - HOUR)
        .not_valid_after(NOW + 2 * HOUR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(AUTHORITY.key, hashes.SHA256())
    )
    return AUTHORITY, Authority(certificate, key)


def test_explanatory_text_of_a_signer_is_passed_over():
    """Kubernetes lets signers write text between the blocks of a certificate."""
    found = parse_credential(key_pem=KEY, certificate_pem=b"issued by us\n" + CERTIFICATE)
    check(found)


@given(st.dictionaries(st.text(min_size=1, max_size=10), st.binary(max_size=50)))
def test_files_survive_a_secret(files):
    """What the agent writes into the Secret is what it reads after a restart."""
    assert from_secret_data(to_secret_data(files)) == files


def test_a_secret_without_data_holds_no_files():
    """The API server leaves out what is empty."""
    assert from_secret_data(None) == {}


@pytest.mark.parametrize("value", ["%%%", "YQ", 5, None, "YQ==\n\n!"])
def test_an_edited_secret_is_named_and_not_quoted(value):
    """The value may be most of a key."""
    with pytest.raises(WireError) as caught:
        from_secret_data({"tls.key": value})
    assert caught.value.field == "data.tls.key"
    assert str(value) not in str(caught.value)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_give_the_one_error(key_pem, certificate_pem):
    """A Secret holds whatever people put there."""
    for key in (key_pem, KEY):
        with pytest.raises(CredentialError):
            parse_credential(key_pem=key, certificate_pem=certificate_pem)
