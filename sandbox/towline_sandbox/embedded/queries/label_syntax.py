"""What label keys and values look like, and the sentences for those that look different."""

import re

_PART = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LONGEST_PART = 63
_LONGEST_SUBDOMAIN = 253

_KEY = re.compile(_PART)
_VALUE = re.compile(f"({_PART})?")
_PREFIX = re.compile(_SUBDOMAIN)

_ALPHANUMERIC = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character"
)
_KEY_SHAPE = (
    f"{_ALPHANUMERIC} (e.g. 'MyName',  or 'my.name',  or '123-abc', "
    f"regex used for validation is '{_PART}')"
)
_VALUE_SHAPE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value', "
    f" or '12345', regex used for validation is '({_PART})?')"
)
_PREFIX_SHAPE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')"
)

_SHAPE = (
    f"a valid label key {_KEY_SHAPE} with an optional DNS subdomain prefix and '/' "
    "(e.g. 'example.com/MyName')"
)


def problems_of_key(key: str) -> list[str]:
    """Say what is wrong with the key of a label, or another qualified name; usually nothing."""
    prefix, slash, name = key.partition("/")
    if "/" in name:
        return [_SHAPE]
    found = []
    if not slash:
        name = key
    elif not prefix:
        found.append("prefix part must be non-empty")
    else:
        if len(prefix) > _LONGEST_SUBDOMAIN:
            found.append(f"prefix part must be no more than {_LONGEST_SUBDOMAIN} bytes")
        if _PREFIX.fullmatch(prefix) is None:
            found.append(f"prefix part {_PREFIX_SHAPE}")
    if not name:
        found.append("name part must be non-empty")
    elif len(name.encode()) > _LONGEST_PART:
        found.append(f"name part must be no more than {_LONGEST_PART} bytes")
    if _KEY.fullmatch(name) is None:
        found.append(f"name part {_KEY_SHAPE}")
    return found


def problems_of_value(value: str) -> list[str]:
    """Say what is wrong with the value of a label; usually nothing."""
    found = []
    if len(value.encode()) > _LONGEST_PART:
        found.append(f"must be no more than {_LONGEST_PART} bytes")
    if _VALUE.fullmatch(value) is None:
        found.append(_VALUE_SHAPE)
    return found
