"""All custom signers at work: their watches, their reconcilers, and what wakes which."""

from collections.abc import Collection, Iterable, Mapping

from towline_api.addon_codec import AddonCodec
from towline_api.metadata import name_of, namespace_of
from towline_api.resources import KubeObject
from towline_certs.approval import ApprovalContext
from towline_certs.signing_requests import SigningRequest
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.caches import BY_CLUSTER, AddonCaches, AddonViews
from towline_hub.metrics import HubMetrics
from towline_hub.settings import HubSettings
from towline_hub.signers.authorities import SignerAuthorities
from towline_hub.signers.facts import signing_context
from towline_hub.signers.signing import RequestSigner, waits_for_signer
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import Controller
from towline_kube.events import EventRecorder

_CONCURRENCY = 10


class SigningService:
    """Everything the custom signers need, to be run by the hub.

    Args:
        client: Whom to ask.
        settings: What the operator chose.
        caches: What exists.
        views: The same, with our own latest writes.
        codec: How the API version in use writes add-ons.
        declarations: What add-ons are declared to be, by name.
        served: Names of the add-ons whose requests are signed; None for all.
        events: Tells what happened.
        metrics: Counts it.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        settings: HubSettings,
        *,
        caches: AddonCaches,
        views: AddonViews,
        codec: AddonCodec,
        declarations: Mapping[str, AddonDeclaration],
        events: EventRecorder,
        metrics: HubMetrics,
        clock: Clock,
        served: Collection[str] | None = None,
    ) -> None:
        signers, rules = settings.signers, settings.approval_rules

        def context(request: SigningRequest) -> ApprovalContext:
            return signing_context(
                request,
                views=views,
                codec=codec,
                rules=rules,
                declarations=declarations,
                now=clock.now(),
            )

        self._names = [signer.signer_name for signer in signers]
        self._requests = caches.requests
        authorities = SignerAuthorities(
            client,
            signers=signers,
            namespace=settings.namespace,
            events=events,
            on_ready=self._sign_all_of,
            on_end=metrics.signer_authority,
            clock=clock,
        )
        self._authorities: Controller[str] = Controller(
            # A Secret that cannot be read must not hold up the other signers.
            "keep-authorities",
            authorities.reconcile,
            concurrency=max(1, len(signers)),
            clock=clock,
        )
        signer = RequestSigner(
            client,
            requests=caches.requests,
            authorities=authorities,
            context=context,
            served=served,
            events=events,
            metrics=metrics,
            clock=clock,
        )
        self._sign: Controller[str] = Controller(
            "sign-requests", signer.reconcile, concurrency=_CONCURRENCY, clock=clock
        )
        self.caches: tuple[Cache, ...] = tuple(authorities.caches)
        """Watches to run beside the hub's. Nothing waits for them: a Secret that cannot be read is
        the trouble of one signer, and each signer says so itself."""
        if not signers:
            return
        authorities.watch_with(self._authorities.enqueue)
        for name in self._names:
            self._authorities.enqueue(name)
        self._sign.feed_from(caches.requests, self._own_name)
        self._sign.feed_from(caches.clusters, self._requests_of_cluster)
        self._sign.feed_from(caches.addons, self._requests_of_addon)

    @property
    def controllers(self) -> tuple[Controller[str], ...]:
        """What the leading hub runs; nothing without signers."""
        return (self._authorities, self._sign) if self._names else ()

    def _sign_all_of(self, signer: str) -> None:
        for obj in self._requests.list():
            if _signer_of(obj) == signer and waits_for_signer(SigningRequest.from_csr(obj)):
                self._sign.enqueue(name_of(obj))

    def _own_name(self, obj: KubeObject) -> Iterable[str]:
        return (name_of(obj),) if _signer_of(obj) in self._names else ()

    def _requests_of_cluster(self, cluster: KubeObject) -> Iterable[str]:
        return self._waiting(name_of(cluster))

    def _requests_of_addon(self, addon: KubeObject) -> Iterable[str]:
        return self._waiting(namespace_of(addon) or "")

    def _waiting(self, cluster: str) -> list[str]:
        return [
            name_of(obj)
            for obj in self._requests.by_index(BY_CLUSTER, cluster)
            if _signer_of(obj) in self._names and waits_for_signer(SigningRequest.from_csr(obj))
        ]


def _signer_of(obj: KubeObject) -> object:
    # Asked of every request there is, most of which are not for us: no more is read of those.
    return (obj.get("spec") or {}).get("signerName")
