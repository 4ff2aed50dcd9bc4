"""The embedded API server put together: every part made once and told of the others."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from towline_api.resources import NAMESPACES, KubeObject, Resource
from towline_certs.authority import Authority
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.access import (
    AccessReviews,
    AccountTokens,
    Authenticator,
    Authorizer,
    CsrRules,
    EscalationCheck,
    IdentityReviews,
    Impersonation,
    TokenRequests,
    bootstrap_policy,
    handlers,
)
from towline_sandbox.embedded.admission import PolicyAdmission, check_declared
from towline_sandbox.embedded.built_in.pod_accounts import PodAccounts
from towline_sandbox.embedded.clocks import Clock
from towline_sandbox.embedded.controllers.custom_kinds import CustomKinds
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.standard import standard_controllers
from towline_sandbox.embedded.faults import Faults
from towline_sandbox.embedded.model.admissions import chain
from towline_sandbox.embedded.model.kinds import Catalog
from towline_sandbox.embedded.serving.call_log import CallLog
from towline_sandbox.embedded.serving.gate import Gate
from towline_sandbox.embedded.serving.health import KUBERNETES_VERSION
from towline_sandbox.embedded.serving.objects import ObjectPaths
from towline_sandbox.embedded.serving.other_paths import OtherPaths
from towline_sandbox.embedded.serving.pipeline import Pipeline
from towline_sandbox.embedded.serving.webhook_calls import WebhookCalls
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.resource_api import ResourceApi
from towline_sandbox.embedded.views.discovery import Discovery
from towline_sandbox.embedded.views.openapi import OpenApi

_FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_API_SERVER = "kube-apiserver"


@dataclass(frozen=True, slots=True)
class Identity:
    """The keys that make a server this one.

    Args:
        client_authority: Signs client certificates, and knows them again.
        serving_ca_pem: Certificate that the server's own certificate is verified with.
        account_key: Signs the tokens of service accounts.
    """

    client_authority: Authority
    serving_ca_pem: bytes
    account_key: ec.EllipticCurvePrivateKey = field(repr=False)


class Server:
    """An API server with its controllers, without a network.

    Args:
        identity: Its keys.
        address: Host and port at which it is reached.
        clock: Its clock.
        signing_clock: The clock that goes into certificates.
        faults: What goes wrong on purpose.
        certificate_lifetime: The longest that it signs certificates for.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        address: str,
        clock: Clock,
        signing_clock: Clock,
        faults: Faults,
        certificate_lifetime: timedelta | None = None,
    ) -> None:
        now: Callable[[], datetime] = clock.now
        self.calls = CallLog()
        self.store = Store()
        self.catalog = Catalog()
        self.catalog.put("built-in", built_in.kinds())
        authorizer = Authorizer(self.store)
        self.api = ResourceApi(
            store=self.store,
            catalog=self.catalog,
            admission=chain(PodAccounts(self.store), EscalationCheck(authorizer), check_declared),
            last_word=chain(
                CsrRules(authorizer), PolicyAdmission(self.store, self.catalog, authorizer)
            ),
            now=now,
        )
        self._webhooks = WebhookCalls()
        self._custom_kinds = CustomKinds(
            self.catalog, self.store, caller=self._webhooks.call, now=now
        )
        self.own_calls = OwnCalls(self.api, catalog=self.catalog, now=now, manager=_API_SERVER)
        self.published_ca_pem = identity.serving_ca_pem
        """What clients are told to verify the server's certificate with."""
        self.controllers = standard_controllers(
            self.store,
            api=self.api,
            catalog=self.catalog,
            authority=identity.client_authority,
            ca_pem=lambda: self.published_ca_pem,
            now=now,
            signing_now=signing_clock.now,
            certificate_lifetime=certificate_lifetime,
        )
        tokens = AccountTokens(self.store, key=identity.account_key, now=now)
        authenticator = Authenticator(
            self.store,
            client_authorities=[identity.client_authority.certificate],
            account_tokens=tokens,
            now=now,
        )
        self.pipeline = Pipeline(
            gate=Gate(authenticator, authorizer, Impersonation(authorizer)),
            objects=ObjectPaths(
                api=self.api,
                catalog=self.catalog,
                store=self.store,
                reviews=handlers(
                    AccessReviews(authorizer),
                    IdentityReviews(authenticator),
                    TokenRequests(self.store, tokens, now),
                ),
                now=now,
            ),
            others=OtherPaths(
                Discovery(self.catalog, address=address),
                OpenApi(
                    self.catalog,
                    definitions=built_in.definitions(),
                    version=KUBERNETES_VERSION,
                ),
                calls=self.calls,
                address=address,
                account_key=identity.account_key.public_key(),
            ),
            faults=faults,
            calls=self.calls,
            now=now,
        )

    async def furnish(self) -> None:
        """Create what every cluster has from the start."""
        for name in _FIRST_NAMESPACES:
            await self.own_calls.create(
                NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        for obj in bootstrap_policy.objects():
            await self.own_calls.create(_resource_of(obj, self.catalog), obj)

    async def run_custom_kinds(self) -> None:
        """Follow CustomResourceDefinitions until cancelled."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._webhooks.close)
            await self._custom_kinds.run()


def _resource_of(obj: KubeObject, catalog: Catalog) -> Resource:
    group, _, version = obj["apiVersion"].rpartition("/")
    return next(
        kind.resource
        for kind in catalog
        if kind.group_version == (group, version) and kind.resource.kind == obj["kind"]
    )
