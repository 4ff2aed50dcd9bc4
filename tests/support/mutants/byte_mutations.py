"""What a hostile requester may do to the bytes: DER, PEM, base64 that readers read differently."""

import base64
from random import Random

from support.csrs import der
from support.mutants.drafts import Draft, Mutation

_BEGIN, _END = b"-----BEGIN CERTIFICATE REQUEST-----", b"-----END CERTIFICATE REQUEST-----"
_LABELS = (b"NEW CERTIFICATE REQUEST", b"CERTIFICATE", b"PRIVATE KEY", b"certificate request", b"X")
_TOO_MUCH = 17 * 1024


def flipped_bit(rng: Random, draft: Draft) -> None:
    """Change one bit anywhere."""
    place, flip = rng.random(), 1 << rng.randrange(8)

    def edit(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]

    draft.edit_der = edit


def changed_before_signing(rng: Random, draft: Draft) -> None:
    """Change one byte of the signed part and sign it: hostile agents hold their keys."""
    place, value = rng.random(), rng.randrange(256)

    def edit(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + bytes([value]) + data[at + 1 :]

    draft.edit_info = edit


def cut_short(rng: Random, draft: Draft) -> None:
    """End anywhere."""
    share = rng.random()
    draft.edit_der = lambda data: data[: int(share * len(data))]


def more_behind(rng: Random, draft: Draft) -> None:
    """Have something follow the request."""
    more = rng.choice([b"\x00", der(0x05), rng.randbytes(rng.randrange(1, 20))])
    again = rng.random() < 0.2
    draft.edit_der = lambda data: data + (data if again else more)


def spliced(rng: Random, draft: Draft) -> None:
    """Take a piece out, put one in, or say one twice, anywhere."""
    start, length, way = rng.random(), rng.randrange(1, 24), rng.randrange(3)
    junk = rng.randbytes(length)

    def edit(data: bytes) -> bytes:
        at = int(start * len(data))
        piece = data[at : at + length]
        return data[:at] + (b"", junk + piece, piece + piece)[way] + data[at + length :]

    draft.edit_der = edit


def spliced_before_signing(rng: Random, draft: Draft) -> None:
    """The same with a good signature over it."""
    spliced(rng, draft)
    draft.edit_info, draft.edit_der = draft.edit_der, None


def odd_lengths(rng: Random, draft: Draft) -> None:
    """Write the outermost length in a form that only BER allows."""
    way = rng.randrange(3)

    def edit(data: bytes) -> bytes:
        header = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
        content = data[header:]
        if way == 0:
            return bytes([data[0], 0x80]) + content + b"\x00\x00"
        digits = len(content).to_bytes(4 if way == 1 else 8)
        return bytes([data[0], 0x80 | len(digits)]) + digits + content

    if rng.random() < 0.5:
        draft.edit_der = edit
    else:
        draft.edit_info = edit


def around_the_block(rng: Random, draft: Draft) -> None:
    """Write something before, behind or inside the PEM block; white space is harmless."""
    stuff = rng.choice(
        [b"hello\n", b"\n\n", b"  \t\r\n", b"# x\n", b"\x00", b"\xef\xbb\xbf", b"-----\n"]
    )
    way = rng.randrange(4)

    def edit(pem: bytes) -> bytes:
        if way == 0:
            return stuff + pem
        if way == 1:
            return pem + stuff
        first, rest = pem.split(b"\n", 1)
        if way == 2:
            return first + b"\n" + stuff + rest
        return first + b"\nProc-Type: 4,ENCRYPTED\n\n" + rest

    draft.edit_pem = edit


def several_blocks(rng: Random, draft: Draft) -> None:
    """Send two blocks; readers take the first, or the last."""
    other = rng.choice([b"CERTIFICATE REQUEST", b"CERTIFICATE", b"X"])
    block = b"-----BEGIN %b-----\nAAAA\n-----END %b-----\n" % (other, other)
    way = rng.randrange(3)
    draft.edit_pem = lambda pem: (pem + pem, block + pem, pem + block)[way]


def another_label(rng: Random, draft: Draft) -> None:
    """Give the block another label, at both ends or at one."""
    label, way = rng.choice(_LABELS), rng.randrange(3)

    def edit(pem: bytes) -> bytes:
        if way != 1:
            pem = pem.replace(_BEGIN, b"-----BEGIN " + label + b"-----")
        if way != 2:
            pem = pem.replace(_END, b"-----END " + label + b"-----")
        return pem

    draft.edit_pem = edit


def lines_folded(rng: Random, draft: Draft) -> None:
    """Fold the lines differently: harmless, for PEM does not fix that."""
    width, newline = rng.choice([1, 7, 64, 76, 10_000]), rng.choice([b"\n", b"\r\n"])

    def edit(pem: bytes) -> bytes:
        body = b"".join(pem.splitlines()[1:-1])
        lines = [body[start : start + width] for start in range(0, len(body), width)]
        return newline.join([_BEGIN, *lines, _END, b""])

    draft.edit_pem = edit


def odd_base64(rng: Random, draft: Draft) -> None:
    """Write the base64 inside the block otherwise: other letters, other padding, junk."""
    way, place = rng.randrange(6), rng.random()

    def edit(pem: bytes) -> bytes:
        body = b"".join(pem.splitlines()[1:-1])
        at = int(place * len(body))
        body = (
            body.replace(b"+", b"-").replace(b"/", b"_") + b"-",
            body.rstrip(b"=") + (b"" if body.endswith(b"=") else b"="),
            body + b"====",
            body[:at] + b"!" + body[at:],
            body[:at] + b"=" + body[at:],
            body[:at] + b"\x00" + body[at:],
        )[way]
        return b"\n".join([_BEGIN, body, _END, b""])

    draft.edit_pem = edit


def too_large(rng: Random, draft: Draft) -> None:
    """Send far more than any request has."""
    amount = rng.choice([_TOO_MUCH, 100_000])
    filler = rng.choice([b"\n", b" ", b"A"])
    draft.edit_pem = lambda pem: pem + filler * amount


def anything(rng: Random, draft: Draft) -> None:
    """Send no request at all."""
    junk = rng.choice([b"", b"\x00", _BEGIN + b"\n" + _END + b"\n", rng.randbytes(200), _BEGIN])
    draft.edit_pem = lambda _: junk


def not_base64(rng: Random, draft: Draft) -> None:
    """Break the base64 around it all."""
    way, place = rng.randrange(4), rng.random()

    def edit(text: str) -> str:
        at = int(place * len(text))
        twice = base64.b64encode(text.encode()).decode()
        return (text[:at], text[:at] + "%" + text[at:], twice, text + "=")[way]

    draft.edit_base64 = edit


BYTE_MUTATIONS: tuple[Mutation, ...] = (
    flipped_bit,
    flipped_bit,
    changed_before_signing,
    changed_before_signing,
    cut_short,
    more_behind,
    spliced,
    spliced_before_signing,
    odd_lengths,
    around_the_block,
    several_blocks,
    another_label,
    lines_folded,
    odd_base64,
    too_large,
    anything,
    not_base64,
)
