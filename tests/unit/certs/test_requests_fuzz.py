"""Whatever bytes come in, `parse_request` returns a request or raises `RequestError`."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from support.csrs import (
    CN,
    O,
    addon_request,
    craft_request,
    der,
    der_attribute,
    der_extension,
    der_extension_request,
    der_name,
    key_of,
)
from towline_certs import AddonIdentity, KeyKind, RequestError, build_request, parse_request
from towline_certs.pem import find_pem_blocks, format_pem_block

IDENTITY = AddonIdentity("c1", "a", "g")
SEEDS = [
    find_pem_blocks(pem)[0].der
    for pem in (
        addon_request(IDENTITY),
        build_request(key_of(KeyKind.ED25519), subject=IDENTITY.subject, dns_names=["a.b"]),
        build_request(key_of(KeyKind.RSA_2048), subject=IDENTITY.subject),
        craft_request(
            der_name([der_attribute(O, "o")], [der_attribute(CN, "x")]),
            attributes=[
                der_extension_request(
                    der_extension("2.5.29.17", der(0x30, der(0x87, bytes(4)), der(0x86, b"a:b"))),
                    der_extension("2.5.29.19", der(0x30, b"\x01\x01\xff"), critical=True),
                    der_extension("2.5.29.15", b"\x03\x02\x05\xa0"),
                )
            ],
        ),
    )
]
seeds = st.sampled_from(SEEDS)
flips = st.tuples(st.integers(0, 10**6), st.integers(1, 255))


def read(der_bytes):
    with suppress(RequestError):
        request = parse_request(format_pem_block("CERTIFICATE REQUEST", der_bytes))
        # Everything derived has to hold as well.
        _ = request.subject, request.proves_possession, request.key_description
        _ = str(request.alternative_names), request.public_key_digest
        return request
    return None


@given(st.binary(max_size=500))
def test_random_bytes(data):
    """The field is free for anybody who may create a request."""
    with suppress(RequestError):
        parse_request(data)
    if data:
        read(data)


@settings(max_examples=2 * settings().max_examples)
@given(seeds, st.lists(flips, min_size=1, max_size=4))
def test_flipped_bits(seed, changes):
    """A flipped bit anywhere in what is signed leaves no proof, and never another error."""
    data = bytearray(seed)
    for place, flip in changes:
        data[place % len(data)] ^= flip
    request = read(bytes(data))
    if bytes(data) != seed and request is not None and request.proves_possession:
        # Only the spelling of the signature itself may differ: nothing that was judged does.
        original = read(seed)
        assert original is not None
        assert request.attributes == original.attributes
        assert request.extensions == original.extensions
        assert request.alternative_names == original.alternative_names
        assert request.public_key_digest == original.public_key_digest


@given(seeds, st.integers(0, 10**6))
def test_cut_short(seed, place):
    """Half a request is no request."""
    assert read(seed[: place % len(seed)] or b"\x00") is None


@given(seeds, st.integers(0, 10**6), st.binary(min_size=1, max_size=20))
def test_bytes_slipped_in(seed, place, extra):
    """Nothing may follow or hide inside what is read."""
    place %= len(seed) + 1
    request = read(seed[:place] + extra + seed[place:])
    assert request is None or not request.proves_possession


def test_every_single_byte_changed():
    """Exhaustive where it can be: each byte of one request, to three other values."""
    seed = SEEDS[0]
    original = read(seed)
    for place in range(len(seed)):
        for flip in (0x01, 0x80, 0xFF):
            data = bytearray(seed)
            data[place] ^= flip
            request = read(bytes(data))
            assert request is None or not request.proves_possession or request == original
