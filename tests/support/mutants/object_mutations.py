"""What a hostile requester may write on the request object, or be: labels, usages, itself."""

from datetime import timedelta
from random import Random

from support.csrs import NOW
from support.mutants.drafts import Draft, Mutation
from support.mutants.good_requests import (
    ADDON_AGENT,
    AGENT,
    BOOTSTRAPPER,
    CLUSTER,
    FLEET,
    SIGNER,
)
from towline_api.names import ADDON_NAME_LABEL, CLUSTER_NAME_LABEL, KUBE_CLIENT_SIGNER

_USERS = (
    AGENT.user,
    "system:open-cluster-management:c1:another",
    "system:open-cluster-management:c2:x7kq2",
    "system:open-cluster-management:c10:x7kq2",
    "system:open-cluster-management:c1",
    "system:open-cluster-management:c1:",
    "system:open-cluster-management:c1:x7kq2 ",
    "system:open-cluster-management:c1:x7kq2\u200b",
    "system:open-cluster-management:\u04411:x7kq2",
    "System:open-cluster-management:c1:x7kq2",
    "system:open-cluster-management:c1:x:y",
    "system:open-cluster-management:cluster:c1:addon:hello:agent:x",
    "open-cluster-management:c1:x7kq2",
    ADDON_AGENT.user,
    BOOTSTRAPPER,
    "boot",
    "boot ",
    "Boot",
    "somebody",
    "system:anonymous",
    "system:serviceaccount:open-cluster-management-hub:grpc-server-sa",
    "system:serviceaccount:c1:hello-agent",
    "",
)
_GROUPS = (
    FLEET,
    f"{FLEET}:c1",
    f"{FLEET}:c2",
    f"{FLEET}:c10",
    f"{FLEET}:C1",
    f"{FLEET}:c1:",
    f"{FLEET}:",
    f"{FLEET}:managed-clusters",
    f" {FLEET}:c1",
    f"{FLEET}s",
    "system:bootstrappers",
    "system:masters",
    "system:authenticated",
    "system:unauthenticated",
    "system:open-cluster-management:c1",
    "system:open-cluster-management:managed-clusters",
    "",
)
_NAMES = (
    CLUSTER,
    "c2",
    "c10",
    "C1",
    "c1 ",
    "c1.",
    "-c1",
    "\u04411",
    "",
    "hello",
    "other",
    "managed-clusters",
    "c" * 64,
    "a.b",
    "../c1",
    "c1\n",
)
_SIGNERS = (
    KUBE_CLIENT_SIGNER,
    SIGNER,
    "kubernetes.io/kube-apiserver-client-kubelet",
    "kubernetes.io/kubelet-serving",
    "kubernetes.io/legacy-unknown",
    "kubernetes.io/kube-apiserver-client ",
    "Kubernetes.io/kube-apiserver-client",
    "kubernetes.io/hello",
    "a.k8s.io/hello",
    "example.com/hello/x",
    "example.com/Hello",
    "example.com/other",
    "open-cluster-management.io/grpc",
    "",
)
_USAGES = (
    "digital signature",
    "key encipherment",
    "client auth",
    "server auth",
    "cert sign",
    "crl sign",
    "any",
    "signing",
    "code signing",
    "Client auth",
    "client auth ",
    "",
)
_SECONDS = (600, 601, 3600, 86_400, 31_622_400, 599, 0, -1, 1, 31_622_401, 2**31 - 1, -(2**31))


def another_requester(rng: Random, draft: Draft) -> None:
    """Ask as somebody else."""
    draft.username = rng.choice(_USERS)


def other_groups(rng: Random, draft: Draft) -> None:
    """Be in other groups."""
    chosen = rng.sample(_GROUPS, rng.randrange(4))
    draft.groups = chosen if rng.random() < 0.5 else [*draft.groups, *chosen]
    rng.shuffle(draft.groups)


def fewer_groups(rng: Random, draft: Draft) -> None:
    """Leave a group."""
    if draft.groups:
        draft.groups.pop(rng.randrange(len(draft.groups)))


def more_about_the_requester(rng: Random, draft: Draft) -> None:
    """Have attributes that nobody asked for: harmless, they are the API server's word."""
    draft.uid = rng.choice(["", "0", AGENT.user])
    draft.extra = {rng.choice(["scopes", CLUSTER_NAME_LABEL, ""]): [rng.choice(_USERS)]}


def annotation(rng: Random, draft: Draft) -> None:
    """Say in an annotation who asks, as another registration driver does: means nothing here."""
    draft.annotations["open-cluster-management.io/csr-user"] = rng.choice(_USERS)


def cluster_label(rng: Random, draft: Draft) -> None:
    """Name another cluster, or none."""
    draft.labels[CLUSTER_NAME_LABEL] = rng.choice(_NAMES)
    if rng.random() < 0.2:
        del draft.labels[CLUSTER_NAME_LABEL]


def addon_label(rng: Random, draft: Draft) -> None:
    """Name another add-on, or none, or one on a cluster's own request."""
    draft.labels[ADDON_NAME_LABEL] = rng.choice(_NAMES)
    if rng.random() < 0.2:
        del draft.labels[ADDON_NAME_LABEL]


def another_label(rng: Random, draft: Draft) -> None:
    """Add a label that nobody reads: harmless."""
    draft.labels[rng.choice(["x", "open-cluster-management.io/cluster", "cluster-name"])] = "c2"


def another_signer(rng: Random, draft: Draft) -> None:
    """Ask another signer."""
    draft.signer_name = rng.choice(_SIGNERS)


def usages(rng: Random, draft: Draft) -> None:
    """Ask for other usages; another order is harmless."""
    way = rng.randrange(5)
    if way == 0:
        rng.shuffle(draft.usages)
    elif way == 1 and draft.usages:
        draft.usages.pop(rng.randrange(len(draft.usages)))
    elif way == 2:
        draft.usages.append(rng.choice(_USAGES))
    elif way == 3 and draft.usages:
        draft.usages[rng.randrange(len(draft.usages))] = rng.choice(_USAGES)
    else:
        draft.usages = rng.sample(_USAGES, rng.randrange(5))


def lifetime(rng: Random, draft: Draft) -> None:
    """Ask for any lifetime; what lies within the bounds is harmless."""
    draft.expiration_seconds = rng.choice([*_SECONDS, rng.randrange(-1000, 40_000_000)])


def older(rng: Random, draft: Draft) -> None:
    """Have asked before, or in the future."""
    draft.created = NOW + timedelta(seconds=rng.choice([-1, -60, -86_400, 1, 60, -(10**9)]))


def decided(rng: Random, draft: Draft) -> None:
    """Be decided about already."""
    if rng.random() < 0.2:
        draft.certificate = "Zm9v"
        return
    kind = rng.choice(["Approved", "Denied", "Failed", "approved", "Other"])
    draft.conditions.append({"type": kind, "status": "True", "reason": "x"})


OBJECT_MUTATIONS: tuple[Mutation, ...] = (
    another_requester,
    another_requester,
    other_groups,
    fewer_groups,
    more_about_the_requester,
    annotation,
    cluster_label,
    addon_label,
    another_label,
    another_signer,
    usages,
    usages,
    lifetime,
    older,
    decided,
)
