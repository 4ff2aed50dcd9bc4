"""What names may look like, and Kubernetes' sentences about those that do not."""

import re
from collections.abc import Sequence

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    f"for validation is '{_LABEL}')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_SUBDOMAIN}')"
)
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{_QUALIFIED}')"
)
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    f"'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
    "'my_value',  or '12345', regex used for validation is "
    f"'({_QUALIFIED})?')"
)


def dns_label(name: str) -> Sequence[str]:
    """A DNS label: Namespaces, Services, containers."""
    found = []
    if len(name) > 63:
        found.append("must be no more than 63 characters")
    if not re.fullmatch(_LABEL, name):
        has_dots = re.fullmatch(_SUBDOMAIN, name) is not None
        found.append("must not contain dots" if has_dots else _LABEL_RULE)
    return found


def dns_subdomain(name: str) -> Sequence[str]:
    """A DNS name: most kinds."""
    found = []
    if len(name) > 253:
        found.append("must be no more than 253 characters")
    if not re.fullmatch(_SUBDOMAIN, name):
        found.append(_SUBDOMAIN_RULE)
    return found


def path_segment(name: str) -> Sequence[str]:
    """What can stand in a path: RBAC, certificate requests."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]


def cron_job_name(name: str) -> Sequence[str]:
    """A DNS name that leaves room for the time its Jobs are called after."""
    found = list(dns_subdomain(name))
    if len(name) > 52:
        found.append("must be no more than 52 characters")
    return found


def config_key(key: str) -> Sequence[str]:
    """A key of a ConfigMap or Secret: the name of a file, once mounted."""
    found = []
    if len(key) > 253:
        found.append("must be no more than 253 characters")
    if not re.fullmatch(_CONFIG_KEY, key):
        found.append(_CONFIG_KEY_RULE)
    if key in (".", ".."):
        found.append(f"must not be '{key}'")
    elif key.startswith(".."):
        found.append("must not start with '..'")
    return found


def qualified_name(name: str) -> Sequence[str]:
    """A name that may have a DNS name before it: labels, finalizers, reporting controllers."""
    prefix, slash, own = name.rpartition("/")
    found = []
    if slash:
        if not prefix:
            found.append("prefix part must be non-empty")
        else:
            found.extend(f"prefix part {told}" for told in dns_subdomain(prefix))
    if not own:
        found.append("name part must be non-empty")
    elif len(own) > 63:
        found.append("name part must be no more than 63 characters")
    if not re.fullmatch(_QUALIFIED, own):
        found.append(f"name part {_QUALIFIED_RULE}")
    return found


def label_value(value: str) -> Sequence[str]:
    """The value of a label."""
    found = []
    if len(value) > 63:
        found.append("must be no more than 63 bytes")
    if not re.fullmatch(f"({_QUALIFIED})?", value):
        found.append(_LABEL_VALUE_RULE)
    return found


def port_name(name: str) -> Sequence[str]:
    """The name of a container's port."""
    found = []
    if len(name) > 15:
        found.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", name):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", name):
        found.append("must contain at least one letter (a-z)")
    if "--" in name:
        found.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found
