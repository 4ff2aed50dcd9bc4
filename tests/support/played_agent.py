"""A managed cluster's agent that is not ours: bare HTTP and JSON, as OCM's agent sends them.

Nothing of towline's own names, builders or clients is used for what goes over the wire, so that a
mistake in them cannot hide here: every path, label, user name and field is spelled out. The shapes
are those of an agent written in Go, with what its types send besides what is meant.
"""

import base64
import json
import secrets
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.waiting import until
from towline_kube.connection import Connection
from towline_kube.tls import ssl_context

JSON = dict[str, Any]

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLUSTERS = "/apis/cluster.open-cluster-management.io/v1/managedclusters"
MERGE_PATCH = "application/merge-patch+json"
SIGNER = "kubernetes.io/kube-apiserver-client"
USAGES = ["digital signature", "key encipherment", "client auth"]


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    body: JSON

    def ok(self, *statuses: int) -> JSON:
        """Return the body of an answer that had to be good."""
        assert self.status in (statuses or (200, 201)), self
        return self.body


class Wire:
    """One identity's connection to an API server.

    Args:
        session: Carries the identity.
        server: The server's URL.
    """

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def call(
        self, method: str, path: str, body: JSON | None = None, *, content_type: str = ""
    ) -> Reply:
        """Send one request and return the answer, whatever it is."""
        headers = {"Content-Type": content_type or "application/json"} if body else {}
        data = None if body is None else json.dumps(body)
        url = f"{self._server}{path}"
        async with self._session.request(method, url, data=data, headers=headers) as answer:
            return Reply(answer.status, json.loads(await answer.read()))

    async def get(self, path: str) -> Reply:
        """Read."""
        return await self.call("GET", path)

    async def post(self, path: str, body: JSON) -> Reply:
        """Create."""
        return await self.call("POST", path, body)

    async def put(self, path: str, body: JSON) -> Reply:
        """Replace."""
        return await self.call("PUT", path, body)

    async def merge(self, path: str, body: JSON) -> Reply:
        """Patch by JSON merge patch."""
        return await self.call("PATCH", path, body, content_type=MERGE_PATCH)

    async def follow(
        self, path: str, selector: str, check: Callable[[list[JSON]], bool]
    ) -> list[JSON]:
        """List and watch what a selector selects until a check of all of it holds.

        Args:
            path: The collection.
            selector: `labelSelector=…` or `fieldSelector=…`.
            check: Given all objects there are.
        """
        listed = (await self.get(f"{path}?{selector}&limit=500&resourceVersion=0")).ok()
        found = {item["metadata"]["name"]: item for item in listed["items"]}
        if check(list(found.values())):
            return list(found.values())
        version = listed["metadata"]["resourceVersion"]
        query = f"{selector}&watch=true&resourceVersion={version}"
        url = f"{self._server}{path}?{query}&allowWatchBookmarks=true&timeoutSeconds=30"
        async with self._session.get(url) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                event = json.loads(line)
                item = event["object"]
                match event["type"]:
                    case "ADDED" | "MODIFIED":
                        found[item["metadata"]["name"]] = item
                    case "DELETED":
                        found.pop(item["metadata"]["name"], None)
                    case "ERROR":
                        raise AssertionError(item)
                if check(list(found.values())):
                    return list(found.values())
        raise AssertionError(f"{path}?{selector}: not in 30 s; last seen: {found}")

    async def rules(self, namespace: str) -> set[tuple[str, str, str, str]]:
        """Return what the identity may do in a namespace: group, resource, name, verb, each one."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        status = (await self.post(path, review)).ok()["status"]
        assert not status["incomplete"], status
        return {
            (group, resource, name, verb)
            for rule in status["resourceRules"]
            for group in rule.get("apiGroups") or ()
            for resource in rule.get("resources") or ()
            for name in rule.get("resourceNames") or ("*",)
            for verb in rule["verbs"]
        }

    async def may(self, verb: str, group: str, resource: str, **attributes: str) -> bool:
        """Return what the server says this identity may do."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {
                "resourceAttributes": {
                    "verb": verb,
                    "group": group,
                    "resource": resource,
                    **attributes,
                }
            },
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool((await self.post(path, review)).ok()["status"].get("allowed"))


@asynccontextmanager
async def wire(connection: Connection) -> AsyncIterator[Wire]:
    """Open a connection under an identity."""
    headers = {"User-Agent": "registration/v0.0.0 (linux/amd64) kubernetes/$Format"}
    if connection.token is not None:
        headers["Authorization"] = f"Bearer {connection.token}"
    trust: ssl.SSLContext = ssl_context(connection)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=60),
    ) as session:
        yield Wire(session, connection.server)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a key of the one kind that OCM's agent makes."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as `EC PRIVATE KEY`, which Go writes."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def pkcs10(
    key: ec.EllipticCurvePrivateKey,
    *,
    user: str,
    groups: Sequence[str],
    dns_names: Sequence[str] = (),
) -> str:
    """Return a request in base64 PEM. Go puts all organizations into one set, the name last."""
    with warnings.catch_warnings():
        # Go does not mind that names of add-ons' agents are longer than X.520 has it.
        warnings.simplefilter("ignore")
        organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        name = x509.NameAttribute(NameOID.COMMON_NAME, user, _validate=False)
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [
                x509.RelativeDistinguishedName(organizations),
                x509.RelativeDistinguishedName([name]),
            ]
        )
    )
    if dns_names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names])
        builder = builder.add_extension(names, critical=False)
    request = builder.sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()


@dataclass
class PlayedAgent:
    """The agent of one managed cluster.

    Args:
        hub: How the hub is reached, without an identity.
        bootstrap: Speaks as the bootstrap identity.
        cluster: Name of the cluster.
        agent: Name of the agent; five of Kubernetes' name-safe characters if left to itself.
    """

    hub: Connection
    bootstrap: Wire
    cluster: str
    agent: str = "x7k2p"
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @property
    def user(self) -> str:
        """The user its certificate names."""
        return f"system:open-cluster-management:{self.cluster}:{self.agent}"

    @property
    def groups(self) -> list[str]:
        """The groups its certificate names."""
        return [
            f"system:open-cluster-management:{self.cluster}",
            "system:open-cluster-management:managed-clusters",
        ]

    @property
    def cluster_path(self) -> str:
        """Where its ManagedCluster is."""
        return f"{CLUSTERS}/{self.cluster}"

    @property
    def itself(self) -> str:
        """The selector of its ManagedCluster: rights by name hold for nothing else."""
        return f"fieldSelector=metadata.name%3D{self.cluster}"

    async def register(self) -> JSON:
        """Look for the ManagedCluster and create it if it is not there."""
        found = await self.bootstrap.get(self.cluster_path)
        if found.status == 200:
            return found.body
        assert found.status == 404, found
        body = {
            "kind": "ManagedCluster",
            "apiVersion": "cluster.open-cluster-management.io/v1",
            "metadata": {
                "name": self.cluster,
                "creationTimestamp": None,
                "annotations": {"agent.open-cluster-management.io/made-by": "a test"},
            },
            "spec": {
                "managedClusterClientConfigs": [
                    {
                        "url": "https://spoke.example:6443",
                        "caBundle": base64.b64encode(b"a bundle").decode(),
                    }
                ],
                "hubAcceptsClient": False,
            },
            "status": {"conditions": None, "version": {}},
        }
        return (await self.bootstrap.post(CLUSTERS, body)).ok(201)

    async def ask(self, *, through: Wire | None = None, **changes: Any) -> JSON:
        """Post the request for the cluster's certificate."""
        request = pkcs10(
            changes.pop("key", self.key),
            user=changes.pop("user", self.user),
            groups=changes.pop("groups", self.groups),
        )
        labels = {"open-cluster-management.io/cluster-name": self.cluster}
        body = csr(f"{self.cluster}-", labels, request, **changes)
        return (await (through or self.bootstrap).post(CSRS, body)).ok(201)

    async def ask_for_addon(
        self,
        addon: str,
        *,
        through: Wire,
        key: ec.EllipticCurvePrivateKey,
        user: str,
        groups: Sequence[str],
    ) -> JSON:
        """Post the request for an add-on's certificate, as the cluster's agent."""
        dns_names = [f"{addon}.addon.open-cluster-management.io"]
        request = pkcs10(key, user=user, groups=groups, dns_names=dns_names)
        labels = {
            "open-cluster-management.io/cluster-name": self.cluster,
            "open-cluster-management.io/addon-name": addon,
        }
        body = csr(f"addon-{self.cluster}-{addon}-", labels, request)
        return (await through.post(CSRS, body)).ok(201)

    async def issued(
        self, asked: JSON, *, through: Wire | None = None, addon: str | None = None
    ) -> JSON:
        """Return a request once it carries a certificate, found as an informer finds it."""
        name = asked["metadata"]["name"]
        label = "open-cluster-management.io/cluster-name"
        selector = f"labelSelector={label}%3D{self.cluster}"
        if addon is not None:
            selector += f"%2Copen-cluster-management.io%2Faddon-name%3D{addon}"
        else:
            selector += "%2C%21open-cluster-management.io%2Faddon-name"

        def has_certificate(requests: list[JSON]) -> bool:
            return any(
                item["metadata"]["name"] == name and (item.get("status") or {}).get("certificate")
                for item in requests
            )

        seen = await (through or self.bootstrap).follow(CSRS, selector, has_certificate)
        return next(item for item in seen if item["metadata"]["name"] == name)

    def connection(
        self, issued: JSON, *, key: ec.EllipticCurvePrivateKey | None = None
    ) -> Connection:
        """Return the way to the hub with the certificate of a request."""
        return Connection(
            server=self.hub.server,
            ca_pem=self.hub.ca_pem,
            client_certificate_pem=base64.b64decode(issued["status"]["certificate"]),
            client_key_pem=key_pem(key or self.key),
        )

    @asynccontextmanager
    async def join(self) -> AsyncIterator[Wire]:
        """Come in from nothing but the bootstrap identity; speak as itself inside."""
        await self.register()
        issued = await self.issued(await self.ask())
        async with wire(self.connection(issued)) as own:
            # Forbidden until the hub has accepted the cluster and granted its rights.
            async def may_see() -> bool:
                answer = await own.get(self.cluster_path)
                assert answer.status in (200, 403), answer
                return answer.status == 200

            await until(may_see, what=lambda: "its own ManagedCluster cannot be seen")
            await own.follow(CLUSTERS, self.itself, lambda seen: _accepted(seen))
            await self.renew_lease(own)
            await self.report(own, [condition("ManagedClusterJoined", "Managed cluster joined")])
            yield own

    async def renew_lease(self, own: Wire) -> JSON:
        """Renew the cluster's lease: read it, and put it back with a new time."""
        group = "/apis/coordination.k8s.io/v1"
        path = f"{group}/namespaces/{self.cluster}/leases/managed-cluster-lease"

        async def there() -> JSON | None:
            answer = await own.get(path)
            assert answer.status in (200, 403, 404), answer
            return answer.body if answer.status == 200 else None

        lease = await until(there, what=lambda: f"no lease at {path}")
        assert lease is not None
        lease["spec"]["renewTime"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return (await own.put(path, lease)).ok(200)

    async def report(self, own: Wire, conditions: Sequence[JSON], **status: Any) -> JSON:
        """Write conditions and other status by merge patch, bound to the version read."""

        async def once() -> Reply | None:
            live = (await own.get(self.cluster_path)).ok()
            kept = {item["type"]: item for item in live.get("status", {}).get("conditions") or []}
            kept |= {item["type"]: item for item in conditions}
            patch = {
                "metadata": {
                    "uid": live["metadata"]["uid"],
                    "resourceVersion": live["metadata"]["resourceVersion"],
                },
                "status": {"conditions": list(kept.values()), **status},
            }
            answer = await own.merge(f"{self.cluster_path}/status", patch)
            return None if answer.status == 409 else answer

        return (await _lasting(once)).ok(200)

    async def replace_cluster(self, own: Wire, change: Callable[[JSON], None]) -> Reply:
        """Put the ManagedCluster back changed, as the agent does when its addresses change."""

        async def once() -> Reply | None:
            live = (await own.get(self.cluster_path)).ok()
            change(live)
            answer = await own.put(self.cluster_path, live)
            return None if answer.status == 409 else answer

        return await _lasting(once)

    async def send_event(self, own: Wire, reason: str) -> Reply:
        """Send an Event of the newer kind into the cluster's namespace."""
        live = (await own.get(self.cluster_path)).ok()
        now = datetime.now(UTC)
        body = {
            "kind": "Event",
            "apiVersion": "events.k8s.io/v1",
            "metadata": {
                "name": f"{self.cluster}.{secrets.token_hex(8)}",
                "namespace": self.cluster,
                "creationTimestamp": None,
            },
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "klusterlet-agent",
            "reportingInstance": f"klusterlet-agent-{self.agent}",
            "action": reason,
            "reason": reason,
            "regarding": {
                "kind": "ManagedCluster",
                "namespace": self.cluster,
                "name": self.cluster,
                "uid": live["metadata"]["uid"],
                "apiVersion": "cluster.open-cluster-management.io/v1",
            },
            "note": f"The managed cluster {self.cluster} is now {reason.lower()}.",
            "type": "Normal",
            "deprecatedFirstTimestamp": None,
            "deprecatedLastTimestamp": None,
        }
        return await own.post(f"/apis/events.k8s.io/v1/namespaces/{self.cluster}/events", body)


def csr(
    prefix: str,
    labels: dict[str, str],
    request: str,
    *,
    signer: str = SIGNER,
    usages: Sequence[str] = tuple(USAGES),
    expiration_seconds: int | None = None,
) -> JSON:
    """Return a certificate request whose name the server makes up."""
    spec: JSON = {"request": request, "signerName": signer, "usages": list(usages)}
    if expiration_seconds is not None:
        spec["expirationSeconds"] = expiration_seconds
    return {
        "kind": "CertificateSigningRequest",
        "apiVersion": "certificates.k8s.io/v1",
        "metadata": {"generateName": prefix, "creationTimestamp": None, "labels": labels},
        "spec": spec,
        "status": {},
    }


def condition(kind: str, message: str, *, reason: str = "", status: str = "True") -> JSON:
    """Return a condition as of now."""
    return {
        "type": kind,
        "status": status,
        "reason": reason or kind,
        "message": message,
        "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def find_condition(obj: JSON, kind: str) -> JSON:
    """Return a condition of an object; empty if it has none of that type."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), {})


def _accepted(clusters: list[JSON]) -> bool:
    return any(
        find_condition(cluster, "HubAcceptedManagedCluster").get("status") == "True"
        for cluster in clusters
    )


async def _lasting(attempt: Callable[[], Awaitable[Reply | None]]) -> Reply:
    """Try until nobody else wrote in between."""
    answer = await until(attempt, what=lambda: "others keep writing in between")
    assert answer is not None
    return answer
