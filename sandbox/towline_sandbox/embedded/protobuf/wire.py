"""The wire format of protobuf: numbered fields, each with a number or bytes as its value."""

import struct
from collections.abc import Iterator
from enum import IntEnum

Value = int | bytes
"""What a field holds, before its type is known."""

_LONGEST_VARINT = 10


class _WireType(IntEnum):
    VARINT = 0
    FIXED_64 = 1
    BYTES = 2
    FIXED_32 = 5


def read_fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Iterate over the fields of a message: their numbers and values.

    Raises:
        ValueError: It is no message.
    """
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        match wire_type:
            case _WireType.VARINT:
                value, position = _read_varint(data, position)
                yield number, value
            case _WireType.BYTES:
                length, position = _read_varint(data, position)
                yield number, _cut(data, position, length)
                position += length
            case _WireType.FIXED_64 | _WireType.FIXED_32:
                length = 8 if wire_type == _WireType.FIXED_64 else 4
                yield number, _cut(data, position, length)
                position += length
            case _:
                raise ValueError(f"proto: illegal wireType {wire_type}")


def write_bytes(number: int, value: bytes) -> bytes:
    """Return a field that holds bytes: a text, or a message."""
    return _varint(number << 3 | _WireType.BYTES) + _varint(len(value)) + value


def write_number(number: int, value: int) -> bytes:
    """Return a field that holds a number that is not negative."""
    return _varint(number << 3 | _WireType.VARINT) + _varint(value)


def signed(value: int) -> int:
    """Return a number as the signed one that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def floating(value: bytes) -> float:
    """Return the number that eight bytes stand for."""
    (found,) = struct.unpack("<d", value)
    return float(found)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARINT):
        if position >= len(data):
            raise ValueError("unexpected EOF")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value & ((1 << 64) - 1), position
    raise ValueError("proto: integer overflow")


def _cut(data: bytes, position: int, length: int) -> bytes:
    if position + length > len(data):
        raise ValueError("unexpected EOF")
    return data[position : position + length]
