"""What a hostile requester may ask for beside its name: more names, more rights, more anything."""

from random import Random

from support.csrs import (
    CN,
    MICROSOFT_EXTENSION_REQUEST,
    SUBJECT_ALTERNATIVE_NAME,
    der,
    der_attribute,
    der_extension,
    der_extension_request,
    der_name,
    der_oid,
)
from support.mutants.drafts import Draft, Extension, Mutation
from support.mutants.good_requests import CUSTOM_NAMES, dns_name, names_extension

_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_UNKNOWN = (
    "2.5.29.30",
    "2.5.29.32",
    "2.5.29.36",
    "2.5.29.54",
    "2.5.29.14",
    "2.5.29.35",
    "2.5.29.31",
    "2.5.29.18",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.24",
    "1.3.6.1.4.1.311.20.2",
    "1.3.6.1.4.1.11129.2.4.3",
    "1.2.3.4.5",
)
_PURPOSES = {
    "client": "1.3.6.1.5.5.7.3.2",
    "server": "1.3.6.1.5.5.7.3.1",
    "code": "1.3.6.1.5.5.7.3.3",
    "any": "2.5.29.37.0",
    "time": "1.3.6.1.5.5.7.3.8",
    "smart-card": "1.3.6.1.4.1.311.20.2.2",
}
_HOSTS = (
    "hello.addon.open-cluster-management.io",
    "other.addon.open-cluster-management.io",
    "HELLO.addon.open-cluster-management.io",
    "hello.addon.open-cluster-management.io.",
    "*.addon.open-cluster-management.io",
    "hello.addon.open-cluster-management.io\x00.evil.example",
    "kubernetes.default.svc",
    "*",
    "",
    *sorted(CUSTOM_NAMES),
)


def another_name(rng: Random, draft: Draft) -> None:
    """Ask for an alternative name of any type, beside or in place of the others."""
    inner = der_name([der_attribute(CN, "system:admin")])
    name = rng.choice(
        [
            dns_name(rng.choice(_HOSTS)),
            dns_name(rng.choice(_HOSTS)),
            der(0x81, b"root@example.com"),
            der(0x87, bytes([10, 0, 0, 1])),
            der(0x87, bytes(16)),
            der(0x87, bytes(3)),
            der(0x86, b"spiffe://example.com/admin"),
            der(0xA4, inner),
            der(0x88, der_oid("1.2.3.4")[2:]),
            der(0xA0, der_oid("1.3.6.1.4.1.311.20.2.3"), der(0xA0, der(0x0C, b"admin@x"))),
            der(0xA3, der(0x30)),
            der(0xA5, der(0x30)),
            der(0x82, b"\xc3\xa9.example"),
            der(0x89, b"x"),
        ]
    )
    names = [name]
    if rng.random() < 0.6:
        names.append(dns_name(_HOSTS[0]))
        rng.shuffle(names)
    _set(draft, names_extension(*names))


def fewer_names(rng: Random, draft: Draft) -> None:
    """Leave the names out, or all but some."""
    draft.extensions = [each for each in draft.extensions if each.oid != SUBJECT_ALTERNATIVE_NAME]
    kept = rng.choice([None, [], rng.sample(_HOSTS, rng.randrange(3))])
    if kept is not None:
        draft.extensions.append(names_extension(*map(dns_name, kept)))


def repeated_names(rng: Random, draft: Draft) -> None:
    """Say a name twice, or the extension."""
    for each in list(draft.extensions):
        if each.oid == SUBJECT_ALTERNATIVE_NAME and rng.random() < 0.5:
            draft.extensions.insert(rng.randrange(len(draft.extensions) + 1), each)
            return
    _set(draft, names_extension(dns_name(_HOSTS[0]), dns_name(_HOSTS[0])))


def names_reordered(rng: Random, draft: Draft) -> None:
    """Ask for the very names of a server's registration in another order: harmless there."""
    names = [_HOSTS[0], *sorted(CUSTOM_NAMES)]
    rng.shuffle(names)
    _set(draft, names_extension(*map(dns_name, names)))


def critical(rng: Random, draft: Draft) -> None:
    """Turn the critical flag of an extension; of what is allowed anyway, harmless."""
    if draft.extensions:
        place = rng.randrange(len(draft.extensions))
        old = draft.extensions[place]
        draft.extensions[place] = Extension(old.oid, old.value, critical=not old.critical)


def authority(rng: Random, draft: Draft) -> None:
    """Ask for a certificate authority; or say that none is asked for, which is harmless."""
    value = rng.choice(
        [
            der(0x30, der(0x01, b"\xff")),
            der(0x30, der(0x01, b"\xff"), der(0x02, b"\x00")),
            der(0x30, der(0x01, b"\x01")),
            der(0x30, der(0x01, b"\x00")),
            der(0x30),
            der(0x30, der(0x02, b"\x05")),
        ]
    )
    _add(rng, draft, Extension(_BASIC_CONSTRAINTS, value, critical=rng.random() < 0.5))


def key_usage(rng: Random, draft: Draft) -> None:
    """Ask for usages of the key; those of a client are harmless."""
    bits = rng.choice([0x80, 0xA0, 0x20, 0x04, 0x02, 0x06, 0x40, 0x10, 0xFF, 0x00, 0x09, 0x08])
    unused = (bits & -bits).bit_length() - 1 if bits else 0
    value = rng.choice([der(0x03, bytes([unused, bits])), der(0x03, bytes([7, bits, 0x80]))])
    _add(rng, draft, Extension(_KEY_USAGE, value, critical=rng.random() < 0.5))


def purposes(rng: Random, draft: Draft) -> None:
    """Ask for extended usages; those of a client are harmless."""
    chosen = rng.sample(sorted(_PURPOSES), rng.randrange(4))
    value = der(0x30, *(der_oid(_PURPOSES[each]) for each in chosen))
    _add(rng, draft, Extension(_EXTENDED, value, critical=rng.random() < 0.5))


def unknown_extension(rng: Random, draft: Draft) -> None:
    """Ask for an extension that no client has: name constraints, policies, templates."""
    value = rng.choice([der(0x30), der(0x04, b"x"), b"", der(0x05), rng.randbytes(9)])
    _add(rng, draft, Extension(rng.choice(_UNKNOWN), value, critical=rng.random() < 0.5))


def broken_extension(rng: Random, draft: Draft) -> None:
    """Put anything into an extension of a known type."""
    oid = rng.choice([SUBJECT_ALTERNATIVE_NAME, _BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED])
    value = rng.randbytes(rng.randrange(12))
    _set(draft, Extension(oid, value, critical=rng.random() < 0.5))


def second_request_of_extensions(rng: Random, draft: Draft) -> None:
    """Request extensions twice, or in Microsoft's way, in the hope that readers differ."""
    inner = rng.choice(
        [
            der_extension(_BASIC_CONSTRAINTS, der(0x30, der(0x01, b"\xff")), critical=True),
            der_extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, dns_name("evil.example"))),
            b"",
        ]
    )
    oid = rng.choice(["1.2.840.113549.1.9.14", MICROSOFT_EXTENSION_REQUEST])
    draft.extension_requests.append(der_extension_request(inner, oid=oid))


def other_attribute(rng: Random, draft: Draft) -> None:
    """Add an attribute of the request: a password, a template, several values, none."""
    oid = rng.choice(["1.2.840.113549.1.9.7", "1.2.840.113549.1.9.2", "1.3.6.1.4.1.311.13.2.3"])
    values = rng.choice([(der(0x0C, b"x"),), (der(0x0C, b"x"), der(0x0C, b"y")), ()])
    attribute = der(0x30, der_oid(oid), der(0x31, *values))
    draft.attributes.append(rng.choice([attribute, der(0x30, der_oid(oid)), der(0x05)]))


EXTENSION_MUTATIONS: tuple[Mutation, ...] = (
    another_name,
    another_name,
    fewer_names,
    repeated_names,
    names_reordered,
    critical,
    authority,
    key_usage,
    purposes,
    unknown_extension,
    broken_extension,
    second_request_of_extensions,
    other_attribute,
)


def _add(rng: Random, draft: Draft, extension: Extension) -> None:
    draft.extensions.insert(rng.randrange(len(draft.extensions) + 1), extension)


def _set(draft: Draft, extension: Extension) -> None:
    draft.extensions = [each for each in draft.extensions if each.oid != extension.oid]
    draft.extensions.append(extension)
