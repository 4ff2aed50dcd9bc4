import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st

from support.csrs import key_of
from towline_certs import (
    KeyKind,
    KeyParseError,
    KeyProblem,
    format_key,
    kind_of,
    parse_key,
    public_key_digest,
)


def pem_of(key, shape=PrivateFormat.PKCS8, encryption=None):
    return key.private_bytes(Encoding.PEM, shape, encryption or NoEncryption())


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_generated_key_is_of_its_kind_and_survives_writing(kind):
    """What is stored and read back has to be the very key, or its certificate is worthless."""
    key = key_of(kind)
    again = parse_key(format_key(key))
    assert kind_of(again.public_key()) is kind
    assert public_key_digest(again) == public_key_digest(key) == public_key_digest(key.public_key())


def test_two_generated_keys_differ():
    """Every request gets a key of its own."""
    assert public_key_digest(key_of(number=1)) != public_key_digest(key_of(number=2))


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (KeyKind.ECDSA_P256, b"-----BEGIN EC PRIVATE KEY-----\n"),
        (KeyKind.RSA_2048, b"-----BEGIN RSA PRIVATE KEY-----\n"),
        (KeyKind.ED25519, b"-----BEGIN PRIVATE KEY-----\n"),
    ],
)
def test_keys_are_written_in_the_shape_other_programs_expect(kind, header):
    """OCM's agents and add-ons in Go read `EC PRIVATE KEY` from the Secret."""
    assert format_key(key_of(kind)).startswith(header)


@pytest.mark.parametrize("kind", [KeyKind.ECDSA_P256, KeyKind.ECDSA_P384, KeyKind.RSA_2048])
@pytest.mark.parametrize("shape", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_every_usual_shape_of_a_key_is_read(kind, shape):
    """A person may bring a key made by openssl, in whichever shape its version writes."""
    key = key_of(kind)
    assert public_key_digest(parse_key(pem_of(key, shape))) == public_key_digest(key)


def test_the_curve_block_openssl_writes_before_a_key_is_passed_over():
    """`openssl ecparam -genkey` writes two blocks, and people store the output as it is."""
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = key_of()
    assert public_key_digest(parse_key(parameters + format_key(key))) == public_key_digest(key)


WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PASSWORD = BestAvailableEncryption(b"secret")


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        pytest.param(b"", KeyProblem.NOT_PEM, id="empty"),
        pytest.param(b"hello", KeyProblem.NOT_PEM, id="text"),
        pytest.param(b"note\n" + format_key(key_of()), KeyProblem.NOT_PEM, id="text-before"),
        pytest.param(format_key(key_of()) * 2, KeyProblem.NOT_PEM, id="two-keys"),
        pytest.param(
            format_key(key_of()).replace(b"EC PRIVATE KEY", b"CERTIFICATE"),
            KeyProblem.NOT_PEM,
            id="not-a-key",
        ),
        pytest.param(
            format_key(key_of()).replace(b"EC PRIVATE", b"RSA PRIVATE")[:60]
            + b"\n-----END RSA PRIVATE KEY-----\n",
            KeyProblem.MALFORMED,
            id="cut",
        ),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
            KeyProblem.MALFORMED,
            id="not-der",
        ),
        pytest.param(
            pem_of(key_of(), encryption=PASSWORD), KeyProblem.ENCRYPTED, id="encrypted-pkcs8"
        ),
        pytest.param(
            pem_of(key_of(), PrivateFormat.TraditionalOpenSSL, PASSWORD),
            KeyProblem.ENCRYPTED,
            id="encrypted-sec1",
        ),
        pytest.param(pem_of(WEAK), KeyProblem.WEAK, id="rsa-1024"),
        pytest.param(
            pem_of(ec.generate_private_key(ec.SECP521R1())), KeyProblem.UNSUPPORTED, id="p-521"
        ),
        pytest.param(
            pem_of(ec.generate_private_key(ec.SECP256K1())), KeyProblem.UNSUPPORTED, id="k1"
        ),
        pytest.param(
            pem_of(x25519.X25519PrivateKey.generate()), KeyProblem.UNSUPPORTED, id="x25519"
        ),
        pytest.param(pem_of(dsa.generate_private_key(1024)), KeyProblem.UNSUPPORTED, id="dsa"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_without_showing_it(pem, reason):
    """The message goes to logs and conditions; the key must not."""
    with pytest.raises(KeyParseError) as caught:
        parse_key(pem)
    assert caught.value.reason is reason
    secret_lines = [line for line in pem.splitlines() if line and not line.startswith(b"-")]
    for error in (caught.value, caught.value.__cause__):
        assert not any(line.decode() in str(error) for line in secret_lines)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300))
@example(b"-----BEGIN PRIVATE KEY-----\n")
def test_any_bytes_give_a_key_or_the_one_error(data):
    """A Secret somebody edited must not end the agent with a traceback."""
    with pytest.raises(KeyParseError):
        parse_key(data)


@given(st.data())
def test_a_damaged_key_is_refused_or_still_a_key(data):
    """Any byte of a key's DER may be wrong; nothing but the one error may come of it."""
    der = bytearray(base64.b64decode(b"".join(format_key(key_of()).splitlines()[1:-1])))
    der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    text = base64.b64encode(bytes(der))
    pem = b"-----BEGIN EC PRIVATE KEY-----\n" + text + b"\n-----END EC PRIVATE KEY-----\n"
    with suppress(KeyParseError):
        assert kind_of(parse_key(pem).public_key()) is KeyKind.ECDSA_P256


def test_unknown_public_keys_have_no_kind():
    """An approver compares kinds; what is outside the set must compare equal to none of them."""
    assert kind_of(WEAK.public_key()) is None
    assert kind_of(ec.generate_private_key(ec.SECP521R1()).public_key()) is None
    assert kind_of("key") is None
