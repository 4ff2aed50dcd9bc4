"""Requests that are exactly as they should be, one of every kind, to be bent by mutations."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from support.csrs import CN, NOW, OU, SUBJECT_ALTERNATIVE_NAME, O, der, key_of
from support.mutants.drafts import Attribute, Draft, Extension
from towline_api.names import (
    ADDON_NAME_LABEL,
    CLUSTER_NAME_LABEL,
    KUBE_CLIENT_SIGNER,
    addon_dns_name,
)
from towline_certs import (
    AUTHENTICATED_GROUP,
    AddonFacts,
    AddonIdentity,
    ApprovalContext,
    BootstrapPolicy,
    ClusterFacts,
    ClusterIdentity,
    ExpectedRegistration,
    KeyKind,
    Subject,
    bound_group,
)

CLUSTER, ADDON, SIGNER = "c1", "hello", "example.com/hello"
AGENT = ClusterIdentity(CLUSTER, "x7kq2")
ADDON_AGENT = AddonIdentity(CLUSTER, ADDON, ADDON)
CUSTOM_SUBJECT = Subject("any user", frozenset({"team", "other team"}), frozenset({"unit"}))
CUSTOM_NAMES = frozenset({"hello.c1.svc", "hello.example.com"})
BOOTSTRAPPER = "system:bootstrap:abcdef"
FLEET = "system:bootstrappers:managedcluster"

_WORLD = ApprovalContext(
    now=NOW,
    bootstrap=BootstrapPolicy(users=frozenset({"boot"}), groups=frozenset({FLEET})),
    cluster=ClusterFacts(accepted=True, has_live_identity=True),
    addon=AddonFacts(
        created=NOW,
        registrations=(
            ExpectedRegistration(KUBE_CLIENT_SIGNER, ADDON_AGENT.subject),
            ExpectedRegistration(
                SIGNER,
                CUSTOM_SUBJECT,
                extended_usages=frozenset({"client auth", "server auth"}),
                dns_names=CUSTOM_NAMES,
            ),
        ),
    ),
    may_renew=True,
    signers=frozenset({SIGNER}),
)


@cache
def good_requests() -> Mapping[str, Draft]:
    """Return a good request of every kind by its name; copy before bending."""
    new = replace(_WORLD, cluster=ClusterFacts(), addon=None, may_renew=None)
    cluster = _draft(AGENT.subject, username=AGENT.user, context=_WORLD)
    addon = _draft(
        ADDON_AGENT.subject,
        username=AGENT.user,
        context=replace(_WORLD, may_renew=None),
        names=[addon_dns_name(ADDON)],
    )
    addon.labels[ADDON_NAME_LABEL] = ADDON
    found: dict[str, Draft] = {
        "renewal": cluster,
        "bootstrap": _changed(
            cluster, username=BOOTSTRAPPER, groups=[FLEET, AUTHENTICATED_GROUP], context=new
        ),
        "bound-bootstrap": _changed(
            cluster,
            username=BOOTSTRAPPER,
            groups=[bound_group(CLUSTER), AUTHENTICATED_GROUP],
            context=replace(_WORLD, addon=None, may_renew=None),
        ),
        "operator": _changed(
            cluster,
            username="somebody",
            groups=[AUTHENTICATED_GROUP],
            context=replace(new, operator_accepts=True),
        ),
        "addon": addon,
        "older-addon": _with_group(addon, AUTHENTICATED_GROUP),
        "custom-signer": _custom(addon, [addon_dns_name(ADDON)]),
        "custom-server": _changed(
            _custom(addon, [addon_dns_name(ADDON), *sorted(CUSTOM_NAMES)]),
            usages=["digital signature", "key encipherment", "client auth", "server auth"],
        ),
        "renewal-ed25519": _changed(cluster, key=key_of(KeyKind.ED25519)),
        "addon-p384": _changed(addon, key=key_of(KeyKind.ECDSA_P384), hash_name="sha384"),
    }
    for draft in found.values():
        draft.original_pem = draft.pem()
    return found


def names_extension(*names: bytes) -> Extension:
    """Return the extension with these alternative names, each in DER."""
    return Extension(SUBJECT_ALTERNATIVE_NAME, der(0x30, *names))


def dns_name(name: str | bytes) -> bytes:
    """Return an alternative name of a host in DER."""
    return der(0x82, name if isinstance(name, bytes) else name.encode())


def name_of(subject: Subject) -> list[list[Attribute]]:
    """Return a subject as agents write it."""
    sets = (
        (O, sorted(subject.organizations)),
        (OU, sorted(subject.organizational_units)),
        (CN, [subject.common_name]),
    )
    return [[Attribute(oid, value.encode()) for value in values] for oid, values in sets if values]


def _draft(
    subject: Subject, *, username: str, context: ApprovalContext, names: list[str] | None = None
) -> Draft:
    return Draft(
        rdns=name_of(subject),
        extensions=[names_extension(*map(dns_name, names))] if names else [],
        key=key_of(),
        username=username,
        groups=["system:open-cluster-management:managed-clusters", AUTHENTICATED_GROUP],
        labels={CLUSTER_NAME_LABEL: CLUSTER},
        signer_name=KUBE_CLIENT_SIGNER,
        context=context,
    )


def _changed(draft: Draft, **changes: object) -> Draft:
    copied = draft.copy()
    for field, value in changes.items():
        setattr(copied, field, value)
    return copied


def _with_group(draft: Draft, group: str) -> Draft:
    copied = draft.copy()
    copied.rdns[0].append(Attribute(O, group.encode()))
    return copied


def _custom(draft: Draft, names: list[str]) -> Draft:
    return _changed(
        draft,
        rdns=name_of(CUSTOM_SUBJECT),
        signer_name=SIGNER,
        extensions=[names_extension(*map(dns_name, names))],
    )
