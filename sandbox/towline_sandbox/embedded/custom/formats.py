"""String formats that the real server checks in custom objects. Others mean nothing to it."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime

_HOST_NAME = re.compile(
    r"([a-zA-Z0-9\u00a0-\uffff]([a-zA-Z0-9\u00a0-\uffff-]{0,62})"
    r"(\.[a-zA-Z0-9\u00a0-\uffff][a-zA-Z0-9\u00a0-\uffff-]{0,62})*)\.?"
)
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_ANY_FOUR = "[0-9a-f]{4}"
_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONG_DURATION = re.compile(
    r"(\d+)\s*(ns|us|µs|ms|s|m|h|d|w|nanoseconds?|nanos?|microseconds?|micros?|milliseconds?|"
    r"millis?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?)",
)
_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_SHORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONG_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MOST_IN_A_LABEL = 63
_MOST_IN_A_NAME = 253


def _matches(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    compiled = re.compile(pattern, flags | re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _succeeds(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def is_read(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return is_read


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_duration(text: str) -> bool:
    if text == "0":
        return True
    if re.fullmatch(rf"[-+]?({_DURATION.pattern.removeprefix('[-+]?')})+", text):
        return True
    return _LONG_DURATION.fullmatch(text) is not None


def _is_date_time(text: str) -> bool:
    if _DATE_TIME.fullmatch(text) is None:
        return False
    return _succeeds(datetime.fromisoformat)(text.upper())


def _is_date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None and _succeeds(date.fromisoformat)(
        text
    )


def _is_uri(text: str) -> bool:
    # Go asks for an absolute address, or a path from the root.
    return re.fullmatch(r"([a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+|/[^\s]*)", text) is not None


def _is_host_name(text: str) -> bool:
    return len(text) <= 255 and _HOST_NAME.fullmatch(text) is not None


STRING_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches(r"[0-9a-fA-F]{24}"),
    "byte": _is_base64,
    "cidr": _succeeds(lambda text: ipaddress.ip_network(text, strict=False)),
    "date": _is_date,
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "duration": _is_duration,
    "email": _matches(r"[^@\s<>]+@[^@\s<>]+"),
    "hexcolor": _matches(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": _is_host_name,
    "ipv4": _succeeds(ipaddress.IPv4Address),
    "ipv6": _succeeds(ipaddress.IPv6Address),
    "k8s-long-name": lambda text: (
        len(text) <= _MOST_IN_A_NAME and _LONG_NAME.fullmatch(text) is not None
    ),
    "k8s-short-name": lambda text: (
        len(text) <= _MOST_IN_A_LABEL and _SHORT_NAME.fullmatch(text) is not None
    ),
    "mac": _matches(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}"),
    "rgbcolor": _matches(r"rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)"),
    "uri": _is_uri,
    "uuid": _matches(_UUID % (_ANY_FOUR, _ANY_FOUR), re.IGNORECASE),
    "uuid3": _matches(_UUID % ("3[0-9a-f]{3}", _ANY_FOUR), re.IGNORECASE),
    "uuid4": _matches(_UUID % ("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}"), re.IGNORECASE),
    "uuid5": _matches(_UUID % ("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}"), re.IGNORECASE),
}
"""The formats, each with what says whether a text has it."""
