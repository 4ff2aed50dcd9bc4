"""A hub and a managed cluster in memory, for parts that speak through a client."""

import base64
import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from support.clock import FakeClock
from support.fake_client import FakeClient
from towline_api.metadata import ObjectKey, key_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject, Resource
from towline_certs.authority import Authority, create_authority
from towline_certs.requests import parse_request
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Conflict, NotFound

APPROVED = {"type": "Approved", "status": "True", "reason": "Test", "message": ""}


class Killed(BaseException):
    """The process ends here. Not an `Exception`, so that nothing of ours handles it."""


class FakeServer(FakeClient):
    """An API server in memory with the rest of a client's methods, and a place to be killed at.

    Args:
        clock: Time.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.boundaries = 0
        """How many points there were at which a process could have been killed."""
        self.kill_at: int | None = None
        """The boundary at which to be killed: even ones are before a call, odd ones after it."""
        self.username = "system:anonymous"
        self.connection = SimpleNamespace(server="https://fake", host="fake", source="fake")

    @property
    def client(self) -> Client:
        """This server as the code under test types it."""
        return cast("Client", self)

    async def find(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject | None:
        self._call("get", resource)
        found = self.stored(resource).get(ObjectKey(name, namespace))
        self._boundary()
        return copy.deepcopy(found)

    async def get(
        self, resource: Resource, name: str, *, namespace: str | None = None
    ) -> KubeObject:
        found = await self.find(resource, name, namespace=namespace)
        if found is None:
            raise NotFound(f"get {name}: not found")
        return found

    async def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        created = await super().create(resource, body)
        self._boundary()
        return created

    async def replace(self, resource: Resource, body: KubeObject) -> KubeObject:
        self._call("update", resource)
        live = self.stored(resource).get(key_of(body))
        if live is None:
            raise NotFound(f"update {key_of(body)}: not found")
        if body["metadata"].get("resourceVersion") != live["metadata"]["resourceVersion"]:
            raise Conflict(f"update {key_of(body)}: it changed")
        stored = self.put(resource, body)
        self._boundary()
        return stored

    async def patch_status(
        self, resource: Resource, current: KubeObject, status: dict[str, Any]
    ) -> KubeObject:
        if status == (current.get("status") or {}):
            return current
        self._call("patch", resource)
        live = self.stored(resource)[key_of(current)]
        if current["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Conflict(f"patch {key_of(current)}: it changed")
        stored = self.put(resource, {**live, "status": status})
        self._boundary()
        return stored

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        missing_ok: bool = False,
    ) -> None:
        self._call("delete", resource)
        if ObjectKey(name, namespace) in self.stored(resource):
            self.remove(resource, name, namespace)
        elif not missing_ok:
            raise NotFound(f"delete {name}: not found")
        self._boundary()

    def _call(self, verb: str, resource: Resource) -> None:
        self._boundary()
        super()._call(verb, resource)

    def _boundary(self) -> None:
        number, self.boundaries = self.boundaries, self.boundaries + 1
        if number == self.kill_at:
            raise Killed


class Signer:
    """Approves and signs requests on a fake server, when told.

    Args:
        server: Where the requests are.
        clock: When certificates begin.
        lifetime: How long they last.
    """

    def __init__(
        self,
        server: FakeServer,
        *,
        clock: Clock = SYSTEM_CLOCK,
        lifetime: timedelta = timedelta(hours=1),
    ) -> None:
        self.server = server
        self.clock = clock
        self.lifetime = lifetime
        self.authority: Authority = create_authority(
            "signer", now=clock.now() - timedelta(days=30), lifetime=timedelta(days=3650)
        )

    @property
    def requests(self) -> list[KubeObject]:
        """All requests."""
        return list(self.server.stored(CERTIFICATE_SIGNING_REQUESTS).values())

    @property
    def pending(self) -> list[KubeObject]:
        """Requests nobody has decided on."""
        return [csr for csr in self.requests if not csr.get("status")]

    def sign_all(self) -> None:
        """Approve and sign whatever is pending."""
        for csr in self.pending:
            self.sign(csr)

    def sign(
        self,
        csr: KubeObject,
        *,
        change: Callable[[bytes], bytes] | None = None,
        at: datetime | None = None,
    ) -> None:
        """Approve and sign one request; `change` may spoil the result, `at` be a wrong time."""
        request = parse_request(base64.b64decode(csr["spec"]["request"]))
        subject = request.subject
        assert subject is not None
        pem = self.authority.issue(
            request.public_key, subject=subject, lifetime=self.lifetime, now=at or self.clock.now()
        )
        certificate = base64.b64encode(pem if change is None else change(pem)).decode()
        self.set_status(csr, {"conditions": [APPROVED], "certificate": certificate})

    def deny_all(self) -> None:
        """Deny whatever is pending."""
        denied = {"type": "Denied", "status": "True", "reason": "Policy", "message": "not you"}
        for csr in self.pending:
            self.set_status(csr, {"conditions": [denied]})

    def set_status(self, csr: KubeObject, status: dict[str, Any]) -> None:
        """Write a request's status."""
        live = self.server.stored(CERTIFICATE_SIGNING_REQUESTS)[key_of(csr)]
        self.server.put(CERTIFICATE_SIGNING_REQUESTS, {**live, "status": status})
