"""A ResourceApi with a clock that stands still, for tests of the verbs."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson

from towline_api.resources import (
    NAMESPACES,
    KubeObject,
    Resource,
)
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.model.calls import SYSTEM, Call
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, Kind, Subresource, Traits
from towline_sandbox.embedded.model.schema import ANYTHING
from towline_sandbox.embedded.patches.media_types import MERGE_PATCH
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.deleting import Deleted
from towline_sandbox.embedded.verbs.resource_api import ResourceApi
from towline_sandbox.embedded.verbs.writing import Written

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW_TEXT = "2026-01-31T12:00:00Z"

GADGETS = Resource("example.com", "v1", "gadgets", "Gadget", namespaced=True)
_GADGET_KIND = Kind(
    GADGETS,
    frozenset({"get", "list", "watch", "create", "update", "patch", "delete"}),
    "gadget",
    "GadgetList",
    schema=ANYTHING,
    subresources={"status": Subresource("status", frozenset({"get", "update", "patch"}))},
    traits=Traits(counts_generation=True),
    custom=True,
)


class SmallApi:
    """The verbs, with namespace `default`, and few words to call them."""

    def __init__(self, *, admission=None) -> None:
        self.store = Store()
        self.catalog = Catalog()
        self.catalog.put("built-in", _BUILT_IN)
        self.catalog.put("gadgets", [_GADGET_KIND, _second_version(_GADGET_KIND)])
        self.api = ResourceApi(
            store=self.store,
            catalog=self.catalog,
            admission=admission or _admit,
            now=lambda: NOW,
        )
        self.warnings: list[str] = []

    async def start(self) -> "SmallApi":
        await self.create(NAMESPACES, "default", namespace=None)
        return self

    def call(self, verb: str, resource: Resource, name: str | None = None, **facts) -> Call:
        kind = self.catalog.find(GroupVersion(resource.group, resource.version), resource.plural)
        assert kind is not None
        namespace = facts.pop("namespace", "default") if resource.namespaced else None
        facts.pop("namespace", None)
        query = facts.pop("query", {})
        return Call(
            verb,
            kind,
            SYSTEM,
            NOW,
            namespace=namespace,
            name=name,
            query=query,
            dry_run=query.get("dryRun") == "All",
            field_manager="tests",
            warnings=self.warnings,
            **facts,
        )

    async def create(
        self,
        resource: Resource,
        name: str | None = None,
        *,
        namespace="default",
        query=None,
        **body,
    ) -> KubeObject:
        obj = body_of(resource, name, **body)
        call = self.call("create", resource, namespace=namespace, query=query or {})
        return await self.api.create(call, obj)

    async def get(self, resource: Resource, name: str, **facts) -> KubeObject:
        return await self.api.get(self.call("get", resource, name, **facts))

    async def listed(self, resource: Resource, **query: str) -> KubeObject:
        return await self.api.list(self.call("list", resource, query=_words(query)))

    async def update(self, resource: Resource, obj: KubeObject, **facts) -> Written:
        name = facts.pop("name", obj["metadata"].get("name"))
        return await self.api.update(self.call("update", resource, name, **facts), obj)

    async def patch(self, resource: Resource, name: str, patch: KubeObject, **facts) -> KubeObject:
        call = self.call("patch", resource, name, **facts)
        return (await self.api.patch(call, MERGE_PATCH, orjson.dumps(patch))).object

    async def delete(self, resource: Resource, name: str, **options) -> Deleted:
        return await self.api.delete(self.call("delete", resource, name), options)


def body_of(resource: Resource, name: str | None, **body) -> KubeObject:
    metadata = dict(body.pop("metadata", {}))
    if name is not None:
        metadata["name"] = name
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        **body,
    }


def _second_version(kind: Kind) -> Kind:
    return replace(kind, resource=replace(kind.resource, version="v2"))


def _words(query: dict[str, str]) -> dict[str, str]:
    # `continue` and `match` are words of Python or too short.
    longer = {"token": "continue", "match": "resourceVersionMatch"}
    return {longer.get(key, key): value for key, value in query.items()}


async def _admit(*_about: object) -> None:
    """Refuse nothing."""


_USED = ("configmaps", "deployments", "leases", "namespaces", "pods")
_BUILT_IN = tuple(kind for kind in built_in.kinds() if kind.resource.plural in _USED)
