"""What may be different around a good request: the cluster, the add-on, the operator's wishes."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from support.csrs import NOW
from support.mutants.drafts import Draft, Mutation
from support.mutants.good_requests import (
    ADDON,
    ADDON_AGENT,
    AGENT,
    BOOTSTRAPPER,
    CLUSTER,
    CUSTOM_NAMES,
    CUSTOM_SUBJECT,
    FLEET,
    SIGNER,
)
from towline_api.names import KUBE_CLIENT_SIGNER
from towline_certs import (
    AddonFacts,
    AddonIdentity,
    BootstrapPolicy,
    ClusterFacts,
    ExpectedRegistration,
    FloodLimits,
    KeyKind,
    ManualApproval,
    Subject,
    Traffic,
)

_MANUAL_ADDONS = (ADDON, "c1/hello", "c2/hello", "other")
_MASTERS = Subject("admin", frozenset({"system:masters"}))
_SUBJECTS = (
    ADDON_AGENT.subject,
    AddonIdentity(CLUSTER, ADDON, "another").subject,
    AddonIdentity("c2", ADDON, ADDON).subject,
    CUSTOM_SUBJECT,
    replace(CUSTOM_SUBJECT, organizational_units=frozenset()),
    replace(CUSTOM_SUBJECT, organizations=frozenset({"team"})),
    _MASTERS,
    replace(ADDON_AGENT.subject, organizations=frozenset({"system:masters"})),
)


def cluster_state(rng: Random, draft: Draft) -> None:
    """Have the cluster in any state, or not at all."""
    if rng.random() < 0.15:
        draft.world(cluster=None)
        return
    removed = rng.random() < 0.3
    draft.world(
        cluster=ClusterFacts(
            accepted=rng.random() < 0.6,
            denied=rng.random() < 0.25,
            deleting=rng.random() < 0.25,
            has_live_identity=rng.random() < 0.5,
            live_until=rng.choice([None, NOW + timedelta(hours=1)]),
            removed_at=NOW + timedelta(seconds=rng.choice([-60, 0, 1, 60])) if removed else None,
        )
    )


def addon_state(rng: Random, draft: Draft) -> None:
    """Have the add-on in any state, or not at all."""
    if draft.context.addon is None or rng.random() < 0.2:
        draft.world(addon=rng.choice([None, AddonFacts()]))
        return
    draft.world(
        addon=replace(
            draft.context.addon,
            deleting=rng.random() < 0.5,
            created=rng.choice([None, NOW, NOW + timedelta(seconds=1), NOW - timedelta(days=1)]),
        )
    )


def registrations(rng: Random, draft: Draft) -> None:
    """Have the add-on registered for others, or less, or nothing."""
    if draft.context.addon is None or not draft.context.addon.registrations:
        return
    found = list(draft.context.addon.registrations)
    way = rng.randrange(3)
    if way == 0:
        found.pop(rng.randrange(len(found)))
    elif way == 1:
        place = rng.randrange(len(found))
        found[place] = replace(found[place], subject=rng.choice(_SUBJECTS))
    else:
        found = [
            ExpectedRegistration(
                rng.choice([KUBE_CLIENT_SIGNER, SIGNER, "kubernetes.io/kubelet-serving"]),
                rng.choice(_SUBJECTS),
            )
            for _ in range(rng.randrange(4))
        ]
    rng.shuffle(found)
    draft.world(addon=replace(draft.context.addon, registrations=tuple(found)))


def registered_uses(rng: Random, draft: Draft) -> None:
    """Have a registration allow other usages and names."""
    if draft.context.addon is None or not draft.context.addon.registrations:
        return
    found = list(draft.context.addon.registrations)
    place = rng.randrange(len(found))
    found[place] = replace(
        found[place],
        extended_usages=frozenset(
            rng.sample(["client auth", "server auth", "cert sign"], rng.randrange(4))
        ),
        dns_names=frozenset(rng.sample([*sorted(CUSTOM_NAMES), "evil.example"], rng.randrange(3))),
    )
    draft.world(addon=replace(draft.context.addon, registrations=tuple(found)))


def access_review(rng: Random, draft: Draft) -> None:
    """Have another answer to whether the requester may renew."""
    draft.world(may_renew=rng.choice([True, False, None]))


def trust(rng: Random, draft: Draft) -> None:
    """Have other bootstrap identities, or signers, or an operator who accepts."""
    way = rng.randrange(3)
    if way == 0:
        draft.world(
            bootstrap=BootstrapPolicy(
                users=frozenset(rng.sample(["boot", BOOTSTRAPPER, AGENT.user], rng.randrange(3))),
                groups=frozenset(rng.sample([FLEET, f"{FLEET}:c1", "x"], rng.randrange(3))),
            )
        )
    elif way == 1:
        draft.world(
            signers=frozenset(
                rng.sample([SIGNER, "example.com/other", "kubernetes.io/hello"], rng.randrange(3))
            )
        )
    else:
        draft.world(operator_accepts=not draft.context.operator_accepts)


def manual(rng: Random, draft: Draft) -> None:
    """Have the operator want to see some requests first."""
    draft.world(
        manual=ManualApproval(
            clusters=frozenset(rng.sample([CLUSTER, "c2"], rng.randrange(2))),
            addons=frozenset(
                rng.sample([ADDON, "c1/hello", "c2/hello", "other"], rng.randrange(3))
            ),
            requesters=frozenset(
                rng.sample([AGENT.user, BOOTSTRAPPER, "boot", "somebody"], rng.randrange(3))
            ),
        )
    )


def traffic(rng: Random, draft: Draft) -> None:
    """Have the identity ask a lot."""
    limits = FloodLimits(rng.choice([1, 2, 10]), rng.choice([0, 1, 3, 30]))
    count = rng.randrange(limits.max_per_hour + 2)
    ages = sorted((rng.randrange(4500) for _ in range(count)), reverse=True)
    draft.world(
        limits=limits,
        traffic=Traffic(
            older_pending=rng.choice([0, 0, 1, rng.randrange(12)]),
            decided=tuple(NOW - timedelta(seconds=age) for age in ages),
        ),
    )


def bounds(rng: Random, draft: Draft) -> None:
    """Have other kinds of key and lifetimes allowed."""
    draft.world(
        key_kinds=frozenset(rng.sample(list(KeyKind), rng.randrange(7))),
        min_lifetime=timedelta(seconds=rng.choice([600, 3600])),
        max_lifetime=timedelta(seconds=rng.choice([3600, 86_400, 31_622_400])),
    )
    draft.expiration_seconds = rng.choice([None, 600, 3599, 3600, 3601, 86_400, 31_622_400])


WORLD_MUTATIONS: tuple[Mutation, ...] = (
    cluster_state,
    cluster_state,
    addon_state,
    registrations,
    registered_uses,
    access_review,
    trust,
    manual,
    traffic,
    bounds,
)
