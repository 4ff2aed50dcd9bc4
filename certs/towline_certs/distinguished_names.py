"""Distinguished names as they were signed: every attribute, in order, with its string type."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import NameOID

from towline_certs.der import (
    SEQUENCE,
    SET,
    DerError,
    Element,
    decode_oid,
    expect,
    read_element,
)
from towline_certs.identities import Subject

COMMON_NAME = NameOID.COMMON_NAME.dotted_string
ORGANIZATION = NameOID.ORGANIZATION_NAME.dotted_string
ORGANIZATIONAL_UNIT = NameOID.ORGANIZATIONAL_UNIT_NAME.dotted_string


class StringEncoding(StrEnum):
    """The ASN.1 types a name's value can be written in."""

    UTF8 = "UTF8String"
    PRINTABLE = "PrintableString"
    IA5 = "IA5String"
    NUMERIC = "NumericString"
    VISIBLE = "VisibleString"
    TELETEX = "TeletexString"
    BMP = "BMPString"
    UNIVERSAL = "UniversalString"
    OTHER = "other"


PLAIN_ENCODINGS = frozenset({StringEncoding.UTF8, StringEncoding.PRINTABLE})
"""What RFC 5280 section 4.1.2.4 lets a certificate authority write; all readers agree on these."""

_ENCODINGS = {
    0x0C: (StringEncoding.UTF8, "utf-8"),
    0x12: (StringEncoding.NUMERIC, "ascii"),
    0x13: (StringEncoding.PRINTABLE, "ascii"),
    0x14: (StringEncoding.TELETEX, "latin-1"),
    0x16: (StringEncoding.IA5, "ascii"),
    0x1A: (StringEncoding.VISIBLE, "ascii"),
    0x1C: (StringEncoding.UNIVERSAL, "utf-32-be"),
    0x1E: (StringEncoding.BMP, "utf-16-be"),
}
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")


@dataclass(frozen=True, slots=True)
class SubjectAttribute:
    """One attribute of a distinguished name.

    Args:
        oid: Attribute type in dotted form.
        value: The text; `#` and hex digits for what is no string.
        encoding: How it was written.
        rdn: Position of its relative distinguished name: attributes of one set share it.
    """

    oid: str
    value: str
    encoding: StringEncoding
    rdn: int


def parse_name(der: bytes) -> tuple[SubjectAttribute, ...]:
    """Return every attribute of a distinguished name, in order, duplicates included.

    Raises:
        DerError: The bytes are not a distinguished name, or a value does not fit its string type.
    """
    attributes: list[SubjectAttribute] = []
    for position, rdn in enumerate(read_element(der, tag=SEQUENCE).children()):
        members = list(expect(rdn, SET).children())
        if not members:
            raise DerError("a relative distinguished name is empty")
        attributes.extend(_parse_attribute(member, rdn=position) for member in members)
    return tuple(attributes)


def find_plain_subject(attributes: Sequence[SubjectAttribute]) -> Subject | None:
    """Return the attributes as a `Subject`, or None when that would lose anything.

    Plain means: one common name, any organizations and organizational units, nothing else, no value
    twice, no empty value, only the string types all readers agree on, and no set that mixes types.
    """
    common_names = [each.value for each in attributes if each.oid == COMMON_NAME]
    organizations = [each.value for each in attributes if each.oid == ORGANIZATION]
    units = [each.value for each in attributes if each.oid == ORGANIZATIONAL_UNIT]
    types_of: dict[int, set[str]] = {}
    for each in attributes:
        types_of.setdefault(each.rdn, set()).add(each.oid)
    is_plain = (
        len(common_names) == 1
        and len(common_names) + len(organizations) + len(units) == len(attributes)
        and len(set(organizations)) == len(organizations)
        and len(set(units)) == len(units)
        and all(each.value and each.encoding in PLAIN_ENCODINGS for each in attributes)
        and all(len(types) == 1 for types in types_of.values())
    )
    if not is_plain:
        return None
    return Subject(common_names[0], frozenset(organizations), frozenset(units))


def format_name(subject: Subject) -> x509.Name:
    """Return the X.509 name of a subject, laid out as Go programs write it.

    Organizations share one set, units another, then comes the common name; readers on the Go side
    (the API server among them) give back exactly this subject.
    """
    rdns = [
        x509.RelativeDistinguishedName(
            [x509.NameAttribute(oid, value) for value in sorted(values)],
        )
        for oid, values in (
            (NameOID.ORGANIZATION_NAME, subject.organizations),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, subject.organizational_units),
        )
        if values
    ]
    with warnings.catch_warnings():
        # X.520 once limited common names to 64 characters. Kubernetes' user names know no such
        # limit and an add-on agent's is nearly always longer: the library's reminder is no news.
        warnings.simplefilter("ignore")
        common_name = x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name, _validate=False)
    return x509.Name([*rdns, x509.RelativeDistinguishedName([common_name])])


def _parse_attribute(element: Element, *, rdn: int) -> SubjectAttribute:
    parts = list(expect(element, SEQUENCE).children())
    if len(parts) != 2:
        raise DerError("an attribute of a name is not one type with one value")
    kind, value = parts
    encoding, codec = _ENCODINGS.get(value.tag, (StringEncoding.OTHER, ""))
    if not codec:
        return SubjectAttribute(decode_oid(kind), f"#{value.whole.hex()}", encoding, rdn)
    try:
        text = value.content.decode(codec)
    except UnicodeDecodeError:
        raise DerError(f"a value in a name is not the {encoding} it says it is") from None
    if encoding is StringEncoding.PRINTABLE and _PRINTABLE.fullmatch(text) is None:
        raise DerError("a PrintableString in a name holds characters that cannot be in one")
    return SubjectAttribute(decode_oid(kind), text, encoding, rdn)
