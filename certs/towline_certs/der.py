"""A small strict reader of DER, for the parts of X.509 that must be judged as they were signed.

The X.509 library decodes names into values and forgets how they were written: which string type,
which attributes shared a set, whether an attribute came twice. An approver must see all of that.
This reader takes definite lengths in their shortest form and low tag numbers only, which is all
that certificates and requests use.
"""

from collections.abc import Iterator
from dataclasses import dataclass

INTEGER = 0x02
OBJECT_IDENTIFIER = 0x06
BIT_STRING = 0x03
SEQUENCE = 0x30
SET = 0x31

_HIGH_TAG = 0x1F
_LONG_LENGTH = 0x80


class DerError(ValueError):
    """Bytes are not the DER structure that was expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of DER.

    Args:
        tag: The identifier octet: class, constructed bit and number.
        content: The bytes inside.
        whole: The element as it stands, with identifier and length.
    """

    tag: int
    content: bytes
    whole: bytes

    def children(self) -> Iterator["Element"]:
        """Yield the elements inside a constructed element.

        Raises:
            DerError: The content is not a sequence of elements.
        """
        rest = self.content
        while rest:
            child, rest = _read_one(rest)
            yield child


def read_element(data: bytes, *, tag: int | None = None) -> Element:
    """Return the one element that makes up all of `data`.

    Raises:
        DerError: It is not DER, something follows it, or its tag is another one.
    """
    element, rest = _read_one(data)
    if rest:
        raise DerError(f"{len(rest)} bytes follow the outermost element")
    if tag is not None:
        expect(element, tag)
    return element


def expect(element: Element | None, tag: int) -> Element:
    """Return the element if it is there with this tag.

    Raises:
        DerError: It is missing or has another tag.
    """
    if element is None or element.tag != tag:
        found = "nothing" if element is None else f"tag {element.tag:#04x}"
        raise DerError(f"expected an element with tag {tag:#04x}, found {found}")
    return element


def expect_whole_octets(element: Element) -> None:
    """Check that a bit string holds whole octets, as signatures and public keys do.

    Readers differ on what they make of bits declared unused, so nobody is to declare any.

    Raises:
        DerError: It is not a bit string, or its last octet is not wholly used.
    """
    content = expect(element, BIT_STRING).content
    if not content or content[0] != 0:
        raise DerError("a bit string does not end with a whole octet")


def decode_oid(element: Element) -> str:
    """Return an object identifier in dotted form.

    Raises:
        DerError: It is not an object identifier in its shortest form.
    """
    content = expect(element, OBJECT_IDENTIFIER).content
    if not content or content[-1] & 0x80:
        raise DerError("an object identifier is cut short")
    arcs: list[int] = []
    value = 0
    starts = True
    for octet in content:
        if starts and octet == 0x80:
            raise DerError("an object identifier has a padded arc")
        value = value << 7 | octet & 0x7F
        starts = not octet & 0x80
        if starts:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def _read_one(data: bytes) -> tuple[Element, bytes]:
    if len(data) < 2:
        raise DerError("an element is cut short")
    tag, length, start = data[0], data[1], 2
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise DerError("a tag number above 30 has no place in X.509")
    if length & _LONG_LENGTH:
        octets = length & 0x7F
        start += octets
        digits = data[2:start]
        # Four octets span far more than any accepted input; zero would be BER's open end.
        if not 1 <= octets <= 4 or len(digits) != octets:
            raise DerError("the length of an element is cut short, open or absurd")
        length = int.from_bytes(digits)
        if digits[0] == 0 or length < _LONG_LENGTH:
            raise DerError("the length of an element is not in its shortest form")
    end = start + length
    if end > len(data):
        raise DerError("an element is longer than what holds it")
    return Element(tag, data[start:end], data[:end]), data[end:]
