"""Names an API server takes for objects: DNS labels and subdomains.

RFC 1123 section 2.1 allows letters, digits and hyphens, with a letter or digit at each end of a
label. RFC 1035 section 2.3.4 limits a label to 63 octets and RFC 1035 section 3.1 a name to 255 on
the wire, which leaves 253 characters of text. Kubernetes adds: lower case only.
"""

import re

LONGEST_LABEL = 63
LONGEST_SUBDOMAIN = 253
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


def is_dns_label(name: str) -> bool:
    """Return whether a name is one lower-case DNS label of at most 63 characters."""
    return len(name) <= LONGEST_LABEL and _LABEL.fullmatch(name) is not None


def is_dns_subdomain(name: str) -> bool:
    """Return whether a name is lower-case DNS labels joined by dots, 253 characters at most.

    As in Kubernetes, only the whole name is limited, not each label.
    """
    return len(name) <= LONGEST_SUBDOMAIN and all(
        _LABEL.fullmatch(part) is not None for part in name.split(".")
    )
