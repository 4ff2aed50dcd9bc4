"""An approver with a hub's caches, on an API server that only remembers what it was told."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from support.clock import FakeClock
from support.csrs import NOW
from support.fake_client import FakeEvent
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    EVENTS,
    KubeObject,
    Resource,
)
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.approval.approver import Approver
from towline_hub.approval.check_runner import CHECK_LIMIT, CheckRunner
from towline_hub.approval.checks import ApprovalCheck, CheckFunction
from towline_hub.approval.rules import ApprovalRules
from towline_hub.caches import HubViews, hub_caches
from towline_hub.metrics import HubMetrics
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.controller import Result
from towline_kube.events import EventRecorder


@dataclass(frozen=True, slots=True)
class Told:
    """An Event as people see it."""

    about: str
    reason: str
    note: str


class RememberingServer:
    """Takes what an approver writes; what is there, the test puts into the caches."""

    def __init__(self) -> None:
        self.decided: dict[str, dict[str, Any]] = {}
        """The last condition of each request that was decided about, by its name."""
        self.events: list[Told] = []
        self.accepted: list[str] = []
        self.reviews = 0
        self.may_renew = True
        self.failures: list[Exception] = []
        """Raised by the next writes of a decision, one by each."""

    async def replace(
        self, resource: Resource, body: KubeObject, *, subresource: str | None = None
    ) -> KubeObject:
        assert (resource, subresource) == (CERTIFICATE_SIGNING_REQUESTS, "approval")
        if self.failures:
            raise self.failures.pop(0)
        name = body["metadata"]["name"]
        assert name not in self.decided, f"{name} was decided about twice"
        self.decided[name] = body["status"]["conditions"][-1]
        return body

    async def review_access(self, **_: object) -> bool:
        self.reviews += 1
        return self.may_renew

    async def patch(
        self, resource: Resource, name: str, patch: KubeObject, **_: object
    ) -> KubeObject:
        assert patch["spec"]["hubAcceptsClient"] is True
        self.accepted.append(name)
        return {
            "metadata": {"name": name, "uid": "u", "resourceVersion": "2"} | patch["metadata"],
            "spec": patch["spec"],
        }

    async def find(self, resource: Resource, name: str, **_: object) -> None:
        return None

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        assert resource == EVENTS
        self.events.append(Told(body["regarding"]["name"], body["reason"], body["note"]))
        return body


class ApproverAtWork:
    """An approver, and the hub's picture of the world, which the test draws.

    Args:
        rules: What the operator allows.
        checks: The operator's own checks.
        declarations: What add-ons are declared to be.
    """

    def __init__(
        self,
        rules: ApprovalRules | None = None,
        *,
        checks: Sequence[CheckFunction] = (),
        declarations: Mapping[str, AddonDeclaration] | None = None,
    ) -> None:
        self.clock = FakeClock(start=NOW)
        self.server = RememberingServer()
        self.woken: list[str] = []
        self.metrics = HubMetrics(clock=self.clock)
        client = cast("Client", self.server)
        self.caches = hub_caches(client, codec=V1Alpha1Codec(), clock=self.clock)
        views = HubViews.of(self.caches, clock=self.clock)
        self._version = 0
        self.approver = Approver(
            client,
            caches=self.caches,
            views=views,
            namespaces=views.namespaces,
            events=EventRecorder(client, controller="test", instance="test", clock=self.clock),
            codec=V1Alpha1Codec(),
            rules=rules or ApprovalRules(),
            declarations=declarations or {},
            checks=CheckRunner(
                [ApprovalCheck(f"check-{i}", each) for i, each in enumerate(checks)],
                limit=CHECK_LIMIT / 50,
            ),
            metrics=self.metrics,
            wake=self.woken.append,
            clock=self.clock,
        )

    def put(self, cache: Cache, obj: KubeObject) -> None:
        """Have an object arrive, new or changed."""
        self._version += 1
        stored = copy.deepcopy(obj)
        stored["metadata"].setdefault("uid", f"uid-of-{stored['metadata']['name']}")
        stored["metadata"]["resourceVersion"] = str(self._version)
        cache._take_event(FakeEvent("MODIFIED", stored))

    def remove(self, cache: Cache, name: str, namespace: str | None = None) -> None:
        """Have an object go."""
        cache._take_event(FakeEvent("DELETED", cache.get(name, namespace)))

    def ask(self, csr: KubeObject, *, name: str = "request") -> str:
        """Have a request arrive; return its name."""
        self.put(self.caches.requests, {**csr, "metadata": {**csr["metadata"], "name": name}})
        return name

    async def look_at(self, name: str) -> Result:
        """Have one request looked at."""
        return await self.approver.reconcile(name)

    async def answer(self, csr: KubeObject, *, name: str = "request") -> str | None:
        """Have a request arrive and be looked at; return its decision, None if it is left alone."""
        await self.look_at(self.ask(csr, name=name))
        found = self.server.decided.get(name)
        return None if found is None else str(found["type"])

    def arrive(self, name: str) -> None:
        """Have the watch tell of a decision that was written."""
        known = self.caches.requests.get(name)
        status = {"conditions": [self.server.decided[name]]}
        self.put(self.caches.requests, {**known, "status": status})

    def reasons(self, name: str = "request") -> list[str]:
        """Return the reasons of the Events about a request."""
        return [event.reason for event in self.server.events if event.about == name]
