"""Collecting what an explanation needs from a hub. Reads only; what it may not read, it says."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.metadata import key_of, labels_of, name_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    REGISTER_GROUP,
    ROLE_BINDINGS,
    KubeObject,
    Resource,
)
from towline_certs.approval import Reason
from towline_certs.signing_requests import SigningRequest
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.addons.declared_signers import declared_signers, registered_signers
from towline_hub.approval.rules import ApprovalRules
from towline_hub.clusters import rbac
from towline_hub.explain.addon_chain import addon_chain
from towline_hub.explain.cluster_chain import cluster_chain
from towline_hub.explain.links import Explanation
from towline_hub.explain.request_chain import RequestFactsSeen, request_chain
from towline_hub.explain.requests import RequestFacts, judge
from towline_hub.explain.seen import AddonFactsSeen, ClusterFactsSeen, Grant
from towline_hub.explain.targets import Target, TargetKind
from towline_hub.fleet.state import latest_notes
from towline_hub.fleet.status import request_events
from towline_hub.looking import Unseen, look
from towline_hub.signers.looking_at import look_at_signers
from towline_hub.signers.outlook import SignerOutlook
from towline_hub.signers.settings import SignerSettings
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

_RBAC: Mapping[str, Resource] = {
    kind.kind: kind for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS)
}


class Explainer:
    """Explains things on one hub.

    Args:
        client: Whom to ask, as whoever wants to know.
        codec: How the hub writes add-ons.
        rules: What the hub's operator allows, as far as it is to be seen.
        declarations: The add-ons declared on the hub, as far as they are to be seen.
        signers: The custom signers that the hub plays, as far as they are to be seen.
        namespace: The hub's own, where their Secrets are.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        codec: AddonCodec,
        rules: ApprovalRules,
        declarations: Iterable[AddonDeclaration] = (),
        signers: Iterable[SignerSettings] = (),
        namespace: str = names.HUB_NAMESPACE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._codec = codec
        self._rules = rules
        self._declarations = {item.name: item for item in declarations}
        self._signers = tuple(signers)
        self._namespace = namespace
        self._clock = clock

    async def explain(self, target: Target) -> Explanation:
        """Return why something works or does not.

        Raises:
            ApiError: The hub cannot be asked, or this identity may not read the very thing.
        """
        match target:
            case Target(TargetKind.REQUEST, name):
                return await self.request(name)
            case Target(TargetKind.ADDON, name, str(cluster)):
                return await self.addon(cluster, name)
            case Target(None, name) if not await self._is_cluster(name):
                if await self._client.find(CERTIFICATE_SIGNING_REQUESTS, name) is not None:
                    return await self.request(name)
        return await self.cluster(target.name)

    async def cluster(self, name: str) -> Explanation:
        """Return why a cluster works or does not."""
        facts = await self._cluster_facts(name)
        return Explanation.of(f"cluster {name}", cluster_chain(facts), at=facts.now)

    async def addon(self, cluster: str, name: str) -> Explanation:
        """Return why an add-on works on a cluster or does not."""
        obj = await self._client.find(self._codec.managed_cluster_addons, name, namespace=cluster)
        selector = f"{names.CLUSTER_NAME_LABEL}={cluster},{names.ADDON_NAME_LABEL}={name}"
        of_cluster = await self._cluster_facts(cluster)
        addon = None if obj is None else self._codec.decode_addon(obj)
        declaration = self._declarations.get(name)
        signers = declared_signers(declaration)
        if addon is not None:
            signers |= registered_signers(addon)
        facts = AddonFactsSeen(
            cluster=cluster,
            name=name,
            now=self._clock.now(),
            definition=await look(self._client.find(self._codec.cluster_management_addons, name)),
            obj=obj,
            addon=addon,
            cluster_links=cluster_chain(of_cluster),
            bindings=await self._bindings(selector, cluster=cluster),
            requests=await self._requests(cluster, cluster_obj=of_cluster.cluster, addon=obj),
            declaration=declaration,
            signers=await self._look_at(signers),
            approved_signers=self._rules.signers,
        )
        return Explanation.of(
            f"add-on {name} of cluster {cluster}", addon_chain(facts), at=facts.now
        )

    async def request(self, name: str) -> Explanation:
        """Return why a certificate request was approved or not."""
        obj = await self._client.find(CERTIFICATE_SIGNING_REQUESTS, name)
        cluster: KubeObject | None = None
        addon: KubeObject | None = None
        facts = None
        if obj is not None:
            request = SigningRequest.from_csr(obj)
            if request.cluster:
                cluster = await self._client.find(MANAGED_CLUSTERS, request.cluster)
            if request.cluster and request.addon:
                addon = await self._client.find(
                    self._codec.managed_cluster_addons, request.addon, namespace=request.cluster
                )
            others = await self._of_cluster(request.cluster) if request.cluster else [obj]
            notes = latest_notes(await request_events(self._client))
            facts = await self._judge(
                obj, note=notes.get(name), cluster=cluster, addon=addon, others=others
            )
        signer = None
        if facts is not None:
            asked = facts.request.signer_name
            signer = (await self._look_at([asked])).get(asked)
        seen = RequestFactsSeen(name, self._clock.now(), facts, cluster, addon, signer)
        return Explanation.of(f"request {name}", request_chain(seen), at=seen.now)

    async def _look_at(self, signers: Collection[str]) -> Mapping[str, SignerOutlook]:
        """Return how those of these signers stand that the hub plays."""
        played = [each for each in self._signers if each.signer_name in signers]
        now = self._clock.now()
        return await look_at_signers(self._client, played, namespace=self._namespace, now=now)

    async def _is_cluster(self, name: str) -> bool:
        return await self._client.find(MANAGED_CLUSTERS, name) is not None

    async def _cluster_facts(self, name: str) -> ClusterFactsSeen:
        # First and alone: who may not read this gets one clear error.
        cluster = await self._client.find(MANAGED_CLUSTERS, name)
        with one_failure():
            async with TaskGroup() as group:
                namespace = group.create_task(
                    look(self._client.find(NAMESPACES, name)), name="find-namespace"
                )
                lease = group.create_task(
                    look(self._client.find(LEASES, names.CLUSTER_LEASE, namespace=name)),
                    name="find-lease",
                )
                grants = [
                    group.create_task(self._grant(desired), name="find-grant")
                    for desired in _accepted_grants(name)
                ]
                requests = group.create_task(
                    self._requests(name, cluster_obj=cluster, addon=None), name="list-requests"
                )
        return ClusterFactsSeen(
            name=name,
            server=self._client.connection.server,
            now=self._clock.now(),
            cluster=cluster,
            namespace=namespace.result(),
            grants=tuple(task.result() for task in grants),
            requests=requests.result(),
            lease=lease.result(),
        )

    async def _grant(self, desired: KubeObject) -> Grant:
        key = key_of(desired)
        live = await look(
            self._client.find(_RBAC[desired["kind"]], key.name, namespace=key.namespace)
        )
        return Grant(desired, live)

    async def _requests(
        self, cluster: str, *, cluster_obj: KubeObject | None, addon: KubeObject | None
    ) -> tuple[RequestFacts, ...] | Unseen:
        """Return the requests of a cluster's agent, or those for one of its add-ons."""
        others = await look(self._of_cluster(cluster))
        if isinstance(others, Unseen):
            return others
        wanted = None if addon is None else name_of(addon)
        notes = latest_notes(await request_events(self._client))
        return tuple(
            [
                await self._judge(
                    obj,
                    note=notes.get(name_of(obj)),
                    cluster=cluster_obj,
                    addon=addon,
                    others=others,
                )
                for obj in others
                if labels_of(obj).get(names.ADDON_NAME_LABEL) == wanted
            ]
        )

    async def _of_cluster(self, cluster: str) -> Sequence[KubeObject]:
        found = await self._client.list(
            CERTIFICATE_SIGNING_REQUESTS, label_selector=f"{names.CLUSTER_NAME_LABEL}={cluster}"
        )
        return found.items

    async def _bindings(self, selector: str, *, cluster: str) -> Sequence[KubeObject] | Unseen:
        """Return an add-on's RoleBindings: everywhere, or where one may look."""
        everywhere = await look(self._client.list(ROLE_BINDINGS, label_selector=selector))
        if not isinstance(everywhere, Unseen):
            return everywhere.items
        here = await look(
            self._client.list(ROLE_BINDINGS, namespace=cluster, label_selector=selector)
        )
        return everywhere if isinstance(here, Unseen) else here.items

    async def _judge(
        self,
        obj: KubeObject,
        *,
        note: str | None,
        cluster: KubeObject | None,
        addon: KubeObject | None,
        others: Sequence[KubeObject],
    ) -> RequestFacts:
        may_renew: bool | None = None
        namespace = None
        if cluster is not None:
            seen = await look(self._client.find(NAMESPACES, name_of(cluster)))
            namespace = None if isinstance(seen, Unseen) else seen
        while True:
            facts = judge(
                obj,
                note=note,
                cluster=cluster,
                namespace=namespace,
                addon=addon,
                others=others,
                may_renew=may_renew,
                rules=self._rules,
                declarations=self._declarations,
                codec=self._codec,
                now=self._clock.now(),
            )
            if (
                facts.as_is.reason is not Reason.WAITING_FOR_ACCESS_REVIEW
                or may_renew is not None
                or facts.request.is_decided
            ):
                return facts
            allowed = await look(self._may_renew(facts.request))
            if isinstance(allowed, Unseen):
                return facts
            may_renew = allowed

    async def _may_renew(self, request: SigningRequest) -> bool:
        return await self._client.review_access(
            user=request.username,
            groups=request.groups,
            uid=request.uid,
            extra=request.extra,
            verb="renew",
            group=REGISTER_GROUP,
            resource="managedclusters",
            subresource="clientcertificates",
        )


def _accepted_grants(cluster: str) -> list[KubeObject]:
    return [
        *rbac.shared_cluster_roles(),
        rbac.accepted_cluster_role(cluster),
        rbac.own_cluster_role_binding(cluster),
        rbac.registration_role_binding(cluster),
        rbac.work_role_binding(cluster),
    ]
