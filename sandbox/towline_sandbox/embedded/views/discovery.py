"""Discovery: which groups, versions and kinds are served, piece by piece or all at once."""

import base64
import hashlib
from collections.abc import Iterable, Iterator

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import path_not_found
from towline_sandbox.embedded.model.kinds import (
    Catalog,
    GroupVersion,
    Kind,
    StorageKey,
    Subresource,
)
from towline_sandbox.embedded.views.api_groups import Groups, in_order, is_built_in
from towline_sandbox.embedded.views.documents import (
    JSON,
    Document,
    accepted,
    entity_tag,
    in_accepted_form,
)

_AGGREGATED = {"g": "apidiscovery.k8s.io", "v": "v2", "as": "APIGroupDiscoveryList"}
_AGGREGATED_TYPE = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_CUSTOM_VERBS = (
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
)
"""In the order that custom kinds show them; those of built-in kinds are sorted."""


_STORED_VERSIONS = {StorageKey("apiextensions.k8s.io", "customresourcedefinitions"): "v1beta1"}
"""Versions that Kubernetes stores objects in without serving them; the hash tells them, too."""


class Discovery:
    """Answers questions about what is served.

    Args:
        catalog: The kinds that are served.
        address: Host and port of the server, for those who ask where it is.
    """

    def __init__(self, catalog: Catalog, *, address: str) -> None:
        self._catalog = catalog
        self._address = address
        self._aggregated: dict[str, Document] = {}
        self._aggregated_serial = -1

    def answer(
        self, path: str, *, accept: str | None = None, if_none_match: str | None = None
    ) -> Document | None:
        """Return the document at a path; None if it is no path of discovery.

        Args:
            path: Of the request, without a query.
            accept: The `Accept` header.
            if_none_match: The `If-None-Match` header.

        Raises:
            ApiFailure: There is no such group or version, or the caller takes no form of the
                document.
        """
        match path.strip("/").split("/"):
            case ["api" | "apis" as root]:
                if _wants_aggregated(accept):
                    return self._all_at_once(root, if_none_match=if_none_match)
                found: KubeObject | None = self._core() if root == "api" else self._groups()
            case ["api", version]:
                found = self._resources(GroupVersion("", version))
            case ["apis", group]:
                found = self._group(group)
            case ["apis", group, version]:
                found = self._resources(GroupVersion(group, version))
            case _:
                return None
        if found is None:
            return _nothing_here(path)
        return in_accepted_form(found, accept=accept)

    def _core(self) -> KubeObject:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [
                {"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}
            ],
        }

    def _groups(self) -> KubeObject:
        groups = in_order(kind.group_version for kind in self._catalog)
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_api_group(group, versions) for group, versions in groups.items()],
        }

    def _group(self, group: str) -> KubeObject | None:
        versions = in_order(kind.group_version for kind in self._catalog).get(group)
        if versions is None:
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", **_api_group(group, versions)}

    def _resources(self, group_version: GroupVersion) -> KubeObject | None:
        kinds = _by_plural(kind for kind in self._catalog if kind.group_version == group_version)
        if not kinds:
            return None
        return {
            "kind": "APIResourceList",
            **({"apiVersion": "v1"} if group_version.group else {}),
            "groupVersion": str(group_version),
            "resources": [entry for kind in kinds for entry in _resource_entries(kind)],
        }

    def _all_at_once(self, root: str, *, if_none_match: str | None) -> Document:
        if self._aggregated_serial != self._catalog.serial:
            self._aggregated = {each: self._aggregate(each) for each in ("api", "apis")}
            self._aggregated_serial = self._catalog.serial
        document = self._aggregated[root]
        if if_none_match is not None and document.headers["ETag"] in _tags(if_none_match):
            return Document(b"", document.content_type, document.headers, status=304)
        return document

    def _aggregate(self, root: str) -> Document:
        served = [kind for kind in self._catalog if bool(kind.resource.group) is (root == "apis")]
        groups: Groups = (
            in_order((kind.group_version for kind in served), by_name=True)
            if root == "apis"
            else {"": [GroupVersion("", "v1")]}
        )
        body = orjson.dumps(
            {
                "kind": "APIGroupDiscoveryList",
                "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {},
                "items": [
                    {
                        "metadata": {"name": group} if group else {},
                        "versions": [_version_entry(version, served) for version in versions],
                    }
                    for group, versions in groups.items()
                ],
            }
        )
        headers = {"Cache-Control": "public", "ETag": entity_tag(body), "Vary": "Accept"}
        return Document(body, _AGGREGATED_TYPE, headers)


def _wants_aggregated(accept: str | None) -> bool:
    for media in accepted(accept):
        if media.type == JSON and _AGGREGATED.items() <= media.parameters.items():
            return True
        if "as" not in media.parameters:
            return False
    return False


def _nothing_here(path: str) -> Document:
    _root, _, rest = path.strip("/").partition("/")
    group, _, version = rest.partition("/")
    if (version and is_built_in(group)) or not path.startswith("/apis"):
        raise path_not_found()
    # Groups that nobody serves are not the business of Kubernetes' own handlers.
    return Document(
        b"404 page not found\n",
        "text/plain; charset=utf-8",
        {"X-Content-Type-Options": "nosniff"},
        status=404,
    )


def _tags(header: str) -> list[str]:
    return [each.strip().removeprefix("W/") for each in header.split(",")]


def _by_plural(kinds: Iterable[Kind]) -> list[Kind]:
    return sorted(kinds, key=lambda kind: kind.resource.plural)


def _api_group(group: str, versions: list[GroupVersion]) -> KubeObject:
    told = [{"groupVersion": str(each), "version": each.version} for each in versions]
    return {"name": group, "versions": told, "preferredVersion": told[0]}


def _verbs(kind: Kind) -> list[str]:
    if kind.custom:
        return [verb for verb in _CUSTOM_VERBS if verb in kind.verbs]
    return sorted(kind.verbs)


def _subresources(kind: Kind) -> list[Subresource]:
    found = sorted(kind.subresources.values(), key=lambda each: each.name)
    # Custom kinds name `status` before `scale`.
    return found[::-1] if kind.custom else found


def _subresource_type(kind: Kind, subresource: Subresource) -> tuple[GroupVersion | None, str]:
    group_version = subresource.group_version
    if group_version == kind.group_version:
        group_version = None
    return group_version, subresource.kind or kind.resource.kind


def _storage_version_hash(kind: Kind) -> str:
    version = _STORED_VERSIONS.get(kind.storage_key, kind.storage_version)
    stored = f"{kind.storage_key.group}/{version}/{kind.resource.kind}"
    return base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def _resource_entries(kind: Kind) -> Iterator[KubeObject]:
    resource = kind.resource
    stored = {"storageVersionHash": _storage_version_hash(kind)} if "get" in kind.verbs else {}
    yield {
        "name": resource.plural,
        "singularName": kind.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(kind),
        **_short_names(kind),
        **stored,
    }
    for subresource in _subresources(kind):
        group_version, kind_name = _subresource_type(kind, subresource)
        yield {
            "name": f"{resource.plural}/{subresource.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **(group_version._asdict() if group_version is not None else {}),
            "kind": kind_name,
            "verbs": sorted(subresource.verbs),
        }


def _short_names(kind: Kind) -> KubeObject:
    names = {"shortNames": list(kind.short_names), "categories": list(kind.categories)}
    return {key: value for key, value in names.items() if value}


def _version_entry(group_version: GroupVersion, served: Iterable[Kind]) -> KubeObject:
    kinds = _by_plural(kind for kind in served if kind.group_version == group_version)
    return {
        "version": group_version.version,
        "resources": [_discovery_entry(kind) for kind in kinds],
        "freshness": "Current",
    }


def _discovery_entry(kind: Kind) -> KubeObject:
    entry = {
        "resource": kind.resource.plural,
        "responseKind": _response_kind(kind, None, kind.resource.kind),
        "scope": "Namespaced" if kind.resource.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _verbs(kind),
        **_short_names(kind),
    }
    below = [
        {
            "subresource": subresource.name,
            "responseKind": _response_kind(kind, *_subresource_type(kind, subresource)),
            "verbs": sorted(subresource.verbs),
        }
        for subresource in _subresources(kind)
    ]
    return {**entry, "subresources": below} if below else entry


def _response_kind(kind: Kind, group_version: GroupVersion | None, kind_name: str) -> KubeObject:
    # Built-in kinds leave out what is the same as around them, custom ones do not.
    if group_version is None:
        group_version = kind.group_version if kind.custom else GroupVersion("", "")
    return {**group_version._asdict(), "kind": kind_name}
