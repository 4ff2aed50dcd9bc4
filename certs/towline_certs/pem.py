"""Strict reading of PEM: what is not exactly a PEM block is an error, never skipped.

The usual readers look for the first block and pass over whatever stands around it. Two readers
that skip differently see two different documents, so this one skips nothing but white space.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from enum import StrEnum


class PemProblem(StrEnum):
    """Why a text is not a sequence of PEM blocks."""

    EMPTY = "Empty"
    STRAY_TEXT = "StrayText"
    HEADERS = "Headers"
    BASE64 = "Base64"


class PemError(ValueError):
    """A text is not a sequence of PEM blocks.

    Args:
        message: What is wrong; never a byte of the content.
        reason: Which kind of trouble.
    """

    def __init__(self, message: str, *, reason: PemProblem) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One PEM block.

    Args:
        label: The words between BEGIN and the dashes.
        der: The decoded content; kept out of the repr because it may be a key.
    """

    label: str
    der: bytes = field(repr=False)


_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9][A-Z0-9 ]{0,62})-----[ \t]*\r?\n"
    rb"(?P<body>[^-]*?)"
    rb"-----END (?P=label)-----[ \t]*(?:\r?\n|\Z)"
)
_BLANK = re.compile(rb"[ \t\r\n]*")


def find_pem_blocks(text: bytes) -> list[PemBlock]:
    """Return the PEM blocks of a text that holds nothing else but white space between them.

    Raises:
        PemError: There is no block, text outside the blocks, an RFC 1421 header inside one, or
            base64 that is not the one canonical form of its bytes.
    """
    blocks: list[PemBlock] = []
    position = _end_of_blank(text, start=0)
    while position < len(text):
        match = _BLOCK.match(text, position)
        if match is None:
            raise _no_block_at(text, position)
        blocks.append(PemBlock(match["label"].decode("ascii"), _decode(match["body"])))
        position = _end_of_blank(text, start=match.end())
    if not blocks:
        raise PemError("the text is empty, expected a PEM block", reason=PemProblem.EMPTY)
    return blocks


def format_pem_block(label: str, der: bytes) -> bytes:
    """Return `der` as one PEM block with lines of 64 characters."""
    text = base64.b64encode(der)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join(
        (f"-----BEGIN {label}-----".encode(), *lines, f"-----END {label}-----".encode(), b"")
    )


def _end_of_blank(text: bytes, *, start: int) -> int:
    match = _BLANK.match(text, start)
    return match.end() if match else start


def _no_block_at(text: bytes, position: int) -> PemError:
    begins = text.startswith(b"-----BEGIN ", position)
    # An RFC 1421 header such as DEK-Info has a dash in it, which no base64 has.
    if begins and re.match(rb"-----BEGIN [^\n]*\n[A-Za-z0-9-]+:", text[position : position + 400]):
        return PemError("a PEM block has headers inside", reason=PemProblem.HEADERS)
    what = "an unfinished PEM block" if begins else "text outside a PEM block"
    return PemError(f"found {what} at byte {position}", reason=PemProblem.STRAY_TEXT)


def _decode(body: bytes) -> bytes:
    if b":" in body:
        raise PemError("a PEM block has headers inside", reason=PemProblem.HEADERS)
    text = b"".join(body.split())
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        der = None
    # Base64 can spell the same bytes in several ways; only the canonical one is taken.
    if not der or base64.b64encode(der) != text:
        raise PemError("a PEM block does not hold valid base64", reason=PemProblem.BASE64)
    return der
