"""A joined cluster's agent turns hostile: no request of its makes it anybody but itself."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio

from integration.channel.conftest import MakeCorner
from integration.channel.corner import mounted_client
from support.waiting import until
from towline_api.names import (
    ADDON_NAME_LABEL,
    CLIENT_CERTIFICATE_USAGES,
    CLUSTER_NAME_LABEL,
    KUBE_CLIENT_SIGNER,
    addon_dns_name,
)
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, EVENTS, KubeObject
from towline_certs import AddonIdentity, ClusterIdentity, Subject, build_request, generate_key
from towline_kube.client import Client
from towline_kube.errors import Forbidden

pytestmark = pytest.mark.planes("kube", because="hub and agent as programs meet the real thing")

MASTERS = "system:masters"


@dataclass(frozen=True)
class Thief:
    """The agent of cluster `own`, which knows of cluster `other` and an add-on on both."""

    client: Client
    user: str
    own: str
    other: str
    addon: str

    @property
    def identity(self) -> ClusterIdentity:
        """Who it really is."""
        return ClusterIdentity.parse_user(self.user)


@dataclass(frozen=True)
class Ask:
    """A request; what is not said is as an honest agent has it."""

    subject: Subject
    labels: Mapping[str, str]
    dns_names: Sequence[str] = ()
    usages: Sequence[str] = CLIENT_CERTIFICATE_USAGES
    signer: str = KUBE_CLIENT_SIGNER
    lifetime: timedelta | None = None
    name: str = field(default_factory=lambda: f"thief-{secrets.token_hex(6)}")

    def body(self) -> KubeObject:
        """Return the object to post."""
        pem = build_request(generate_key(), subject=self.subject, dns_names=self.dns_names)
        spec: KubeObject = {
            "request": base64.b64encode(pem).decode(),
            "signerName": self.signer,
            "usages": list(self.usages),
        }
        if self.lifetime is not None:
            spec["expirationSeconds"] = int(self.lifetime.total_seconds())
        return {
            "apiVersion": CERTIFICATE_SIGNING_REQUESTS.api_version,
            "kind": CERTIFICATE_SIGNING_REQUESTS.kind,
            "metadata": {"name": self.name, "labels": dict(self.labels)},
            "spec": spec,
        }


def of(cluster: str, addon: str | None = None) -> dict[str, str]:
    """Return the labels of a request."""
    addons = {} if addon is None else {ADDON_NAME_LABEL: addon}
    return {CLUSTER_NAME_LABEL: cluster} | addons


def agent(cluster: str, name: str = "agent") -> Subject:
    """Return the subject of a cluster's agent."""
    return ClusterIdentity(cluster, name).subject


def addon_agent(cluster: str, addon: str) -> Subject:
    """Return the subject of an add-on's agent."""
    return AddonIdentity(cluster, addon, addon).subject


def with_groups(subject: Subject, *groups: str) -> Subject:
    """Return a subject in further groups."""
    return Subject(subject.common_name, subject.organizations | set(groups))


def named(subject: Subject, user: str) -> Subject:
    """Return a subject under another user name."""
    return Subject(user, subject.organizations)


Trick = Callable[[Thief], Ask]

DENIED: dict[str, tuple[Trick, str]] = {
    "another-cluster": (
        lambda t: Ask(agent(t.other), of(t.other)),
        "RequesterNotEntitled",
    ),
    "another-cluster-under-own-label": (
        lambda t: Ask(agent(t.other), of(t.own)),
        "SubjectOfAnother",
    ),
    "own-subject-under-anothers-label": (
        lambda t: Ask(t.identity.subject, of(t.other)),
        "SubjectOfAnother",
    ),
    "addon-of-another-cluster": (
        lambda t: Ask(
            addon_agent(t.other, t.addon), of(t.other, t.addon), [addon_dns_name(t.addon)]
        ),
        "RequesterNotEntitled",
    ),
    "addon-of-another-cluster-under-own-labels": (
        lambda t: Ask(addon_agent(t.other, t.addon), of(t.own, t.addon), [addon_dns_name(t.addon)]),
        "SubjectOfAnother",
    ),
    "addon-under-another-addons-label": (
        lambda t: Ask(addon_agent(t.own, "other"), of(t.own, t.addon), [addon_dns_name(t.addon)]),
        "SubjectOfAnother",
    ),
    "addon-without-its-label": (
        lambda t: Ask(addon_agent(t.own, t.addon), of(t.own), [addon_dns_name(t.addon)]),
        "SubjectNotAnIdentity",
    ),
    "common-name-that-only-begins-right": (
        lambda t: Ask(named(t.identity.subject, t.user.replace(t.own, f"{t.own}-2")), of(t.own)),
        "SubjectOfAnother",
    ),
    "common-name-with-more-parts": (
        lambda t: Ask(named(t.identity.subject, f"{t.user}:{t.other}"), of(t.own)),
        "SubjectNotAnIdentity",
    ),
    "name-that-goes-on-from-own": (
        lambda t: Ask(agent(f"{t.own}-2"), of(f"{t.own}-2")),
        "RequesterNotEntitled",
    ),
    "groups-of-another-cluster-too": (
        lambda t: Ask(with_groups(t.identity.subject, *agent(t.other).organizations), of(t.own)),
        "SubjectNotAnIdentity",
    ),
    "group-of-nodes": (
        lambda t: Ask(with_groups(t.identity.subject, "system:nodes"), of(t.own)),
        "SubjectNotAnIdentity",
    ),
    "group-of-the-control-plane": (
        lambda t: Ask(Subject("system:kube-controller-manager", frozenset()), of(t.own)),
        "SubjectNotAnIdentity",
    ),
    "addon-with-the-group-of-masters-spelt-differently": (
        lambda t: Ask(
            with_groups(addon_agent(t.own, t.addon), "system:Masters"),
            of(t.own, t.addon),
            [addon_dns_name(t.addon)],
        ),
        "SubjectNotAnIdentity",
    ),
    "host-name": (
        lambda t: Ask(t.identity.subject, of(t.own), ["kubernetes.default.svc"]),
        "AlternativeNamesNotAllowed",
    ),
    "second-host-name-of-an-addon": (
        lambda t: Ask(
            addon_agent(t.own, t.addon),
            of(t.own, t.addon),
            [addon_dns_name(t.addon), "kubernetes.default.svc"],
        ),
        "AlternativeNamesNotAllowed",
    ),
    "server-certificate": (
        lambda t: Ask(
            t.identity.subject, of(t.own), usages=[*CLIENT_CERTIFICATE_USAGES, "server auth"]
        ),
        "UsagesNotAllowed",
    ),
    "certificate-authority": (
        lambda t: Ask(t.identity.subject, of(t.own), usages=["cert sign", "client auth"]),
        "UsagesNotAllowed",
    ),
    "another-cluster-without-a-label": (
        lambda t: Ask(agent(t.other), {}),
        "RequesterNotEntitled",
    ),
    "certificate-for-ten-years": (
        lambda t: Ask(t.identity.subject, of(t.own), lifetime=timedelta(days=3650)),
        "LifetimeOutOfBounds",
    ),
}

LEFT_ALONE: dict[str, tuple[Trick, str]] = {
    "own-cluster-without-a-label": (lambda t: Ask(t.identity.subject, {}), "NoClusterLabel"),
    "second-agent-of-own-cluster": (
        lambda t: Ask(agent(t.own, "accomplice"), of(t.own)),
        "WaitingForOperator",
    ),
    "addon-that-is-not-enabled": (
        lambda t: Ask(
            addon_agent(t.own, "another"), of(t.own, "another"), [addon_dns_name("another")]
        ),
        "AddonNotFound",
    ),
    "other-agent-name-of-an-addon": (
        lambda t: Ask(
            AddonIdentity(t.own, t.addon, "accomplice").subject,
            of(t.own, t.addon),
            [addon_dns_name(t.addon)],
        ),
        "NotRegistered",
    ),
    "kubelet": (
        lambda t: Ask(
            Subject("system:node:thief", frozenset({"system:nodes"})),
            of(t.own),
            signer="kubernetes.io/kube-apiserver-client-kubelet",
        ),
        "SignerNotServed",
    ),
    "signer-of-somebody-else": (
        lambda t: Ask(t.identity.subject, of(t.own), signer="example.com/signer"),
        "SignerNotServed",
    ),
}

REFUSED_BY_KUBERNETES: dict[str, Trick] = {
    "group-of-masters": lambda t: Ask(with_groups(t.identity.subject, MASTERS), of(t.own)),
    "addon-in-the-group-of-masters": lambda t: Ask(
        with_groups(addon_agent(t.own, t.addon), MASTERS), of(t.own, t.addon)
    ),
}


@pytest_asyncio.fixture
async def thief(make_corner: MakeCorner, admin: Client) -> AsyncIterator[Thief]:
    """An agent that has joined, whose add-on is enabled, and another cluster beside it."""
    own, other = await make_corner(), await make_corner(addon="unused")
    await own.define_addon()
    for corner in (own, other):
        await corner.prepare_agent()
        corner.agent.start()
    for corner in (own, other):
        await corner.joined()
    await own.enable_addon()
    await own.configured()
    async with mounted_client(await own.mounted_cluster_credential()) as client:
        me = await client.whoami()
        yield Thief(client, me.username, own.cluster, other.cluster, own.addon)


async def test_no_request_of_a_hostile_agent_is_approved(thief: Thief, admin: Client) -> None:
    """Whatever is approved names exactly the identity its requester is entitled to."""
    denied = await post(thief, {name: trick for name, (trick, _) in DENIED.items()})
    left = await post(thief, {name: trick for name, (trick, _) in LEFT_ALONE.items()})
    for refused in REFUSED_BY_KUBERNETES.values():
        with pytest.raises(Forbidden, match=MASTERS):
            await thief.client.create(CERTIFICATE_SIGNING_REQUESTS, refused(thief).body())
    # A twin that is honest: it would show if the hub approved nothing at all.
    honest = await post(thief, {
        "renewal": lambda t: Ask(t.identity.subject, of(t.own)),
        "addon": lambda t: Ask(
            addon_agent(t.own, t.addon), of(t.own, t.addon), [addon_dns_name(t.addon)]
        ),
    })  # fmt: skip
    for name in honest.values():
        assert await outcome(admin, name) == "Approved"
    found = {trick: await outcome(admin, name) for trick, name in denied.items()}
    assert found == {trick: f"Denied {reason}" for trick, (_, reason) in DENIED.items()}
    found = {trick: await reason_told(admin, name) for trick, name in left.items()}
    assert found == {trick: reason for trick, (_, reason) in LEFT_ALONE.items()}
    await until_issued(admin, honest.values())
    for trick, name in {**denied, **left}.items():
        request = await admin.get(CERTIFICATE_SIGNING_REQUESTS, name)
        assert "certificate" not in (request.get("status") or {}), trick
        assert "Approved" not in conditions_of(request), trick


async def post(thief: Thief, tricks: Mapping[str, Trick]) -> dict[str, str]:
    """Post a request for each trick with the thief's credential; return their names."""
    asks = {name: trick(thief) for name, trick in tricks.items()}
    await asyncio.gather(
        *(thief.client.create(CERTIFICATE_SIGNING_REQUESTS, ask.body()) for ask in asks.values())
    )
    return {name: ask.name for name, ask in asks.items()}


def conditions_of(request: KubeObject) -> dict[str, KubeObject]:
    """Return a request's conditions by type."""
    return {item["type"]: item for item in (request.get("status") or {}).get("conditions") or ()}


async def outcome(admin: Client, name: str) -> str:
    """Return how a request was decided, once it is: `Denied` with its reason, or `Approved`."""

    async def look() -> str:
        found = conditions_of(await admin.get(CERTIFICATE_SIGNING_REQUESTS, name))
        if "Denied" in found:
            assert found["Denied"]["message"]
            return f"Denied {found['Denied']['reason']}"
        return "Approved" if "Approved" in found else ""

    return await until(look, what=lambda: f"{name} is not decided")


async def reason_told(admin: Client, name: str) -> str:
    """Return why a request was left alone, once an Event about it says so."""

    async def look() -> str:
        events = await admin.list(
            EVENTS, namespace="default", field_selector=f"regarding.name={name}"
        )
        assert all(event["note"] for event in events.items)
        return str(events.items[0]["reason"]) if events.items else ""

    return await until(look, what=lambda: f"no Event about {name}")


async def until_issued(admin: Client, requests: Iterable[str]) -> None:
    """Wait until these are signed; what was approved before them is signed by then, too."""

    async def look() -> bool:
        found = [await admin.get(CERTIFICATE_SIGNING_REQUESTS, name) for name in requests]
        return all((request.get("status") or {}).get("certificate") for request in found)

    await until(look, what=lambda: f"{requests} are not issued")
