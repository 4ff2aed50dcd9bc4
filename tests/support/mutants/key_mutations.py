"""What a hostile requester may do to the key and the proof that it holds it."""

from functools import cache
from random import Random

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519

from support.csrs import der, der_oid, key_of
from support.mutants.drafts import ECDSA_OIDS, RSA_OIDS, AnyKey, Draft, Mutation, spki_of
from towline_certs import KeyKind

_FAST_KINDS = (KeyKind.ECDSA_P256, KeyKind.ECDSA_P384, KeyKind.ED25519)


@cache
def _odd_keys() -> tuple[AnyKey, ...]:
    """Return keys of kinds that no credential may have."""
    return (
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
        rsa.generate_private_key(public_exponent=3, key_size=1536),
        ed448.Ed448PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
        dsa.generate_private_key(1024),
    )


def signed_by_another(rng: Random, draft: Draft) -> None:
    """Ask for somebody else's public key."""
    draft.signing_key = key_of(rng.choice(_FAST_KINDS), number=1)


def another_public_key(rng: Random, draft: Draft) -> None:
    """Put another public key beside a signature by one's own."""
    draft.public_key = spki_of(key_of(rng.choice(_FAST_KINDS), number=2))


def another_key(rng: Random, draft: Draft) -> None:
    """Use another key of an allowed kind, correctly: harmless."""
    draft.key = key_of(rng.choice([*_FAST_KINDS, KeyKind.RSA_2048]))


def odd_key(rng: Random, draft: Draft) -> None:
    """Use a key of a kind, a curve or a size that is not allowed."""
    draft.key = rng.choice(_odd_keys())


def signature_changed(rng: Random, draft: Draft) -> None:
    """Change a bit of the signature, or cut it, or leave it out."""
    place, flip, cut = rng.random(), 1 << rng.randrange(8), rng.randrange(64)
    way = rng.randrange(4)

    def edit(signature: bytes) -> bytes:
        if way == 0:
            at = int(place * len(signature))
            return signature[:at] + bytes([signature[at] ^ flip]) + signature[at + 1 :]
        if way == 1:
            return signature[:cut]
        return b"" if way == 2 else signature + b"\x00"

    draft.edit_signature = edit


def weak_hash(rng: Random, draft: Draft) -> None:
    """Sign with another hash; SHA-2 is harmless."""
    draft.hash_name = rng.choice(["sha1", "sha224", "sha384", "sha512"])


def another_algorithm(rng: Random, draft: Draft) -> None:
    """Say that the signature is of another algorithm than it is."""
    oid = rng.choice([*ECDSA_OIDS.values(), *RSA_OIDS.values(), "1.3.101.112", "1.2.3.4"])
    parameters = rng.choice([b"", der(0x05), der(0x30)])
    draft.algorithm = der(0x30, der_oid(oid), parameters)


def broken_public_key(rng: Random, draft: Draft) -> None:
    """Change a byte of the public key before signing."""
    public = bytearray(spki_of(draft.key))
    public[rng.randrange(len(public))] ^= 1 << rng.randrange(8)
    draft.public_key = bytes(public)


def another_version(rng: Random, draft: Draft) -> None:
    """Say another version of the format."""
    draft.version = rng.choice([b"\x01", b"\x02", b"", b"\x00\x00", b"\xff"])


def public_key_with_more(rng: Random, draft: Draft) -> None:
    """Write the public key's element with something behind or odd inside."""
    public = spki_of(draft.key)
    inner = public[2:] if public[1] < 0x80 else public[2 + (public[1] & 0x7F) :]
    draft.public_key = rng.choice(
        [der(0x30, inner, der(0x05)), der(0x31, inner), der(0x30, inner[:-1]), der(0x30)]
    )


KEY_MUTATIONS: tuple[Mutation, ...] = (
    signed_by_another,
    another_public_key,
    another_key,
    odd_key,
    signature_changed,
    weak_hash,
    another_algorithm,
    broken_public_key,
    another_version,
    public_key_with_more,
)
