import base64
import secrets
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.csrs import (
    CN,
    MICROSOFT_EXTENSION_REQUEST,
    SUBJECT_ALTERNATIVE_NAME,
    TELETEX,
    O,
    addon_request,
    cluster_request,
    craft_request,
    der,
    der_attribute,
    der_extension,
    der_extension_request,
    der_name,
    der_oid,
    key_of,
)
from towline_certs import (
    AddonIdentity,
    AlternativeNames,
    ClusterIdentity,
    KeyKind,
    RequestError,
    RequestProblem,
    Subject,
    build_request,
    format_public_key,
    parse_request,
    public_key_digest,
    request_name,
)
from towline_certs.pem import find_pem_blocks, format_pem_block

CLUSTER = ClusterIdentity("c1", "x7kq2")
ADDON = AddonIdentity("cluster-with-a-long-name", "an-addon-with-a-long-name", "agent")
WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
NAME = der_name([der_attribute(CN, "x")])
PLAIN_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])


def reason_of(pem):
    with pytest.raises(RequestError) as caught:
        parse_request(pem)
    assert caught.value.field == "spec.request"
    assert "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_request_of_ours_says_exactly_what_was_asked(kind):
    """Hub and agent have to read one request alike, whatever the key."""
    key = key_of(kind)
    request = parse_request(build_request(key, subject=CLUSTER.subject))
    assert request.subject == CLUSTER.subject
    assert request.alternative_names == AlternativeNames()
    assert (request.extensions, request.other_attributes, request.is_ca) == ((), (), False)
    assert request.key_kind is kind
    assert request.public_key_digest == public_key_digest(key)
    assert request.proves_possession


def test_an_addon_request_carries_its_one_dns_name():
    """OCM's hub side and ours expect exactly that name."""
    request = parse_request(addon_request(ADDON))
    assert request.subject == ADDON.subject
    assert request.alternative_names == AlternativeNames(
        dns_names=("an-addon-with-a-long-name.addon.open-cluster-management.io",)
    )
    assert [each.oid for each in request.extensions] == [SUBJECT_ALTERNATIVE_NAME]


def test_organizational_units_of_custom_signers_are_carried():
    """Custom signers tell tenants apart by them."""
    subject = Subject("cn", frozenset({"o1", "o2"}), frozenset({"u1", "u2"}))
    assert parse_request(build_request(key_of(), subject=subject)).subject == subject


def test_the_name_of_a_request_follows_from_its_key():
    """A restarted agent finds its pending request; a new key never collides with an old one."""
    name = request_name("c1-", key=key_of())
    assert name == request_name("c1-", key=key_of().public_key())
    assert name == f"c1-{public_key_digest(key_of())[:20]}"
    assert name != request_name("c1-", key=key_of(number=1))


def test_every_kind_of_alternative_name_is_seen():
    """An approver that overlooks a kind signs it away."""
    names = [
        x509.DNSName("a.example"),
        x509.DNSName("a.example"),
        x509.RFC822Name("a@example"),
        x509.IPAddress(ip_address("10.0.0.1")),
        x509.IPAddress(ip_address("fe80::1")),
        x509.UniformResourceIdentifier("spiffe://a/b"),
        x509.DirectoryName(PLAIN_NAME),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.2.4"), b"\x05\x00"),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(PLAIN_NAME)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    request = parse_request(builder.sign(key_of(), hashes.SHA256()).public_bytes(Encoding.PEM))
    assert request.alternative_names == AlternativeNames(
        dns_names=("a.example", "a.example"),
        email_addresses=("a@example",),
        ip_addresses=("10.0.0.1", "fe80::1"),
        uris=("spiffe://a/b",),
        directory_names=("CN=x",),
        registered_ids=("1.2.3",),
        other_names=("1.2.4",),
    )
    assert request.extensions[0].critical
    assert "URI:spiffe://a/b" in str(request.alternative_names)


def test_requested_usages_and_authority_are_seen():
    """A certificate authority asked for in a corner of the request is the worst thing to miss."""
    usage = x509.KeyUsage(True, False, True, False, False, True, True, False, False)
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(PLAIN_NAME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), critical=False
        )
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"), critical=False
        )
        .add_attribute(x509.ObjectIdentifier("1.2.840.113549.1.9.7"), b"password")
    )
    request = parse_request(builder.sign(key_of(), hashes.SHA256()).public_bytes(Encoding.PEM))
    assert request.is_ca
    assert request.key_usages == {"digitalSignature", "keyEncipherment", "keyCertSign", "cRLSign"}
    assert request.extended_key_usages == {"1.3.6.1.5.5.7.3.1"}
    assert [each.oid for each in request.extensions][-1] == "1.2.3.4"
    assert request.other_attributes == ("1.2.840.113549.1.9.7",)


def test_duplicates_and_order_of_the_subject_are_kept():
    """The bytes are judged as they stand; a parsed view would show one organization."""
    name = der_name([der_attribute(O, "o")], [der_attribute(CN, "x")], [der_attribute(O, "o")])
    request = parse_request(craft_request(name))
    assert [(each.oid, each.value, each.rdn) for each in request.attributes] == [
        (O, "o", 0),
        (CN, "x", 1),
        (O, "o", 2),
    ]
    assert request.subject is None


def test_the_string_type_of_the_subject_is_kept():
    """Readers differ on Teletex strings, so such a request is told apart."""
    request = parse_request(craft_request(der_name([der_attribute(CN, b"x", tag=TELETEX)])))
    assert request.attributes[0].encoding == "TeletexString"
    assert request.subject is None


def test_a_signature_by_another_key_proves_nothing():
    """Otherwise anybody could have somebody else's public key certified."""
    (block,) = find_pem_blocks(cluster_request(CLUSTER))
    (other,) = find_pem_blocks(cluster_request(CLUSTER, key=key_of(number=1)))
    swapped = block.der.replace(
        key_of().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        key_of(number=1).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    )
    assert swapped != block.der
    assert other.der != swapped
    request = parse_request(format_pem_block("CERTIFICATE REQUEST", swapped))
    assert not request.self_signature_valid
    assert not request.proves_possession


def test_a_changed_subject_breaks_the_proof():
    """The signature covers the subject, not only the key."""
    (block,) = find_pem_blocks(cluster_request(CLUSTER))
    changed = block.der.replace(b"management:c1:x7kq2", b"management:c2:x7kq2")
    request = parse_request(format_pem_block("CERTIFICATE REQUEST", changed))
    assert request.subject is not None
    assert request.subject.common_name == "system:open-cluster-management:c2:x7kq2"
    assert not request.proves_possession


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA224()])
def test_a_signature_with_an_outworn_hash_proves_nothing(algorithm):
    """Who can find collisions can make a request another key signed."""
    key = key_of()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    info = der(
        0x30,
        der(0x02, b"\x00"),
        NAME,
        format_public_key(key),
        der(0xA0),
    )
    oids = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1"}
    whole = der(
        0x30,
        info,
        der(0x30, der_oid(oids[algorithm.name])),
        der(0x03, b"\x00" + key.sign(info, ec.ECDSA(algorithm))),
    )
    request = parse_request(format_pem_block("CERTIFICATE REQUEST", whole))
    assert request.signature_hash == algorithm.name
    assert not request.proves_possession


def test_an_rsa_request_with_pss_padding_is_a_valid_proof():
    """Some tools sign so; it is as good."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(PLAIN_NAME)
    signed = builder.sign(
        key_of(KeyKind.RSA_2048),
        hashes.SHA256(),
        rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
    )
    assert parse_request(signed.public_bytes(Encoding.PEM)).proves_possession


@pytest.mark.parametrize(
    ("key", "described", "bits"),
    [
        (
            WEAK_RSA,
            "rsa with 1024 bits",
            1024,
        ),
        (ec.generate_private_key(ec.SECP521R1()), "ecdsa with 521 bits", 521),
    ],
)
def test_keys_outside_the_closed_set_are_described(key, described, bits):
    """The policy refuses them and says what it found."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(PLAIN_NAME)
    request = parse_request(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    assert (request.key_kind, request.key_description, request.key_bits) == (None, described, bits)


def dsa_request():
    builder = x509.CertificateSigningRequestBuilder().subject_name(PLAIN_NAME)
    key = dsa.generate_private_key(1024)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


GOOD = cluster_request(CLUSTER)
(GOOD_BLOCK,) = find_pem_blocks(GOOD)
SAN_A = der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, der(0x82, b"a.example")))
SAN_B = der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, der(0x82, b"b.example")))


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        pytest.param(b"", RequestProblem.NOT_PEM, id="empty"),
        pytest.param(b"hello", RequestProblem.NOT_PEM, id="text"),
        pytest.param(GOOD_BLOCK.der, RequestProblem.NOT_PEM, id="der"),
        pytest.param(b"note\n" + GOOD, RequestProblem.NOT_PEM, id="text-before"),
        pytest.param(GOOD + b"note\n", RequestProblem.NOT_PEM, id="text-after"),
        pytest.param(GOOD + GOOD, RequestProblem.SEVERAL_BLOCKS, id="two-blocks"),
        pytest.param(
            format_pem_block("CERTIFICATE", GOOD_BLOCK.der), RequestProblem.WRONG_BLOCK, id="label"
        ),
        pytest.param(
            format_pem_block("NEW CERTIFICATE REQUEST", GOOD_BLOCK.der),
            RequestProblem.WRONG_BLOCK,
            id="old-label",
        ),
        pytest.param(GOOD + b"\n" * 20000, RequestProblem.TOO_LARGE, id="too-large"),
        pytest.param(
            format_pem_block("CERTIFICATE REQUEST", b"\x30\x00"), RequestProblem.MALFORMED, id="der"
        ),
        pytest.param(
            format_pem_block("CERTIFICATE REQUEST", GOOD_BLOCK.der + b"\x00"),
            RequestProblem.MALFORMED,
            id="trailing-bytes",
        ),
        pytest.param(
            format_pem_block("CERTIFICATE REQUEST", GOOD_BLOCK.der[:-1]),
            RequestProblem.MALFORMED,
            id="cut",
        ),
        pytest.param(
            craft_request(
                NAME, attributes=[der_extension_request(SAN_A), der_extension_request(SAN_B)]
            ),
            RequestProblem.MALFORMED,
            id="extensions-requested-twice",
        ),
        pytest.param(
            craft_request(
                NAME,
                attributes=[
                    der_extension_request(SAN_A),
                    der_extension_request(SAN_B, oid=MICROSOFT_EXTENSION_REQUEST),
                ],
            ),
            RequestProblem.MALFORMED,
            id="extensions-requested-in-two-dialects",
        ),
        pytest.param(
            craft_request(
                NAME,
                attributes=[
                    der(
                        0x30,
                        der_oid("1.2.840.113549.1.9.14"),
                        der(0x31, der(0x30, SAN_A), der(0x30, SAN_B)),
                    )
                ],
            ),
            RequestProblem.MALFORMED,
            id="two-values-in-one-request-for-extensions",
        ),
        pytest.param(
            craft_request(
                NAME,
                attributes=[
                    der(0x30, der_oid("1.2.840.113549.1.9.7"), der(0x31, b"\x0c\x00", b"\x0c\x00"))
                ],
            ),
            RequestProblem.MALFORMED,
            id="two-values-in-an-attribute",
        ),
        pytest.param(
            craft_request(NAME, attributes=[der_extension_request(SAN_A, SAN_B)]),
            RequestProblem.MALFORMED,
            id="extension-twice",
        ),
        pytest.param(
            craft_request(
                NAME,
                attributes=[
                    der_extension_request(
                        der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, der(0xA3, b"\x30\x00")))
                    )
                ],
            ),
            RequestProblem.UNSUPPORTED_NAME,
            id="x400-name",
        ),
        pytest.param(
            craft_request(
                NAME,
                attributes=[
                    der_extension_request(
                        der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, der(0x82, b"\xff")))
                    )
                ],
            ),
            RequestProblem.MALFORMED,
            id="dns-name-not-ascii",
        ),
        pytest.param(
            craft_request(
                NAME,
                attributes=[der_extension_request(der_extension("2.5.29.19", b"nonsense"))],
            ),
            RequestProblem.MALFORMED,
            id="basic-constraints-broken",
        ),
        pytest.param(
            craft_request(der_name([der_attribute(CN, b"\xff")])),
            RequestProblem.MALFORMED,
            id="subject-broken",
        ),
        pytest.param(dsa_request(), RequestProblem.UNSUPPORTED_KEY, id="dsa"),
        pytest.param(
            GOOD.replace(b"\n", b"\n ", 2).replace(b"M", b"!", 1),
            RequestProblem.NOT_PEM,
            id="base64",
        ),
    ],
)
def test_what_cannot_be_read_whole_is_refused_with_its_reason(pem, reason):
    """Every refusal tells the operator which rule of the format was broken."""
    assert reason_of(pem) is reason


def test_a_microsoft_request_for_extensions_is_reported_as_a_stray_attribute():
    """Go programs do not read it; whatever it asks for must not pass as harmless."""
    attribute = der_extension_request(SAN_A, oid=MICROSOFT_EXTENSION_REQUEST)
    request = parse_request(craft_request(NAME, attributes=[attribute]))
    assert request.other_attributes == (MICROSOFT_EXTENSION_REQUEST,)


def test_a_message_quotes_no_more_than_a_line():
    """It ends up in a condition and in logs."""
    with pytest.raises(RequestError) as caught:
        parse_request(format_pem_block("CERTIFICATE REQUEST", base64.b64decode("AAAA") * 100))
    assert len(str(caught.value)) < 300


def test_openssl_layout_with_one_set_per_organization_is_read():
    """People make requests by hand, too."""
    name = der_name(
        [der_attribute(CN, CLUSTER.user)], *([der_attribute(O, each)] for each in CLUSTER.groups)
    )
    assert parse_request(craft_request(name)).subject == CLUSTER.subject


def test_a_signature_that_declares_unused_bits_is_not_read():
    """Some readers drop such bits and some do not; so nobody may declare any."""
    key = key_of(KeyKind.ED25519)
    while True:  # the bits have to be zero to be declared unused; one signature in two has one
        data = bytearray(find_pem_blocks(build_request(key, subject=some_subject()))[0].der)
        if data[-1] & 1 == 0:
            break
    assert data[-65] == 0  # the count of unused bits stands before the 64 bytes of the signature
    data[-65] = 1
    pem = format_pem_block("CERTIFICATE REQUEST", bytes(data))
    assert reason_of(pem) is RequestProblem.MALFORMED


def some_subject():
    """Return a subject that no call returned before, so that its signature is another one."""
    return ClusterIdentity("c1", secrets.token_hex(4)).subject
