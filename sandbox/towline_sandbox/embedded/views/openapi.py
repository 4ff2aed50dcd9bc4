"""OpenAPI: which group versions have a document, and the documents; all in one in version 2.

Enough for kubectl to explain kinds and to find out what the server validates. The words that
describe Kubernetes' own fields are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Catalog, GroupVersion, Kind
from towline_sandbox.embedded.model.schema import Node
from towline_sandbox.embedded.views.documents import JSON, Document, accepted, entity_tag
from towline_sandbox.embedded.views.openapi_paths import paths_of
from towline_sandbox.embedded.views.openapi_protobuf import ASKED_FOR, PROTOBUF, as_protobuf
from towline_sandbox.embedded.views.openapi_schemas import SchemaNames, schemas_of
from towline_sandbox.embedded.views.openapi_v2 import swagger_of

_ROOT = "/openapi/v3"
_OLD = "/openapi/v2"
_TITLES = {False: "Kubernetes", True: "Kubernetes CRD Swagger"}


@dataclass(frozen=True, slots=True)
class _Written:
    """A document as it was written for some kinds.

    Args:
        kinds: The kinds.
        body: The document.
        tag: Its `ETag`, with quotes.
    """

    kinds: Sequence[Kind]
    body: bytes
    tag: str

    @property
    def digest(self) -> str:
        return self.tag.strip('"')


class OpenApi:
    """Answers requests for OpenAPI documents.

    Args:
        catalog: The kinds that are served.
        definitions: Schemas of the built-in kinds, by name.
        version: What the server calls itself, for example `v1.37.2`.
    """

    def __init__(self, catalog: Catalog, *, definitions: Mapping[str, Node], version: str) -> None:
        self._catalog = catalog
        self._definitions = definitions
        self._names = SchemaNames(definitions)
        self._version = ".".join(version.removeprefix("v").split(".")[:2])
        self._written: dict[GroupVersion, _Written] = {}
        self._old: dict[str, _Written] = {}

    def answer(
        self,
        path: str,
        *,
        digest: str | None = None,
        accept: str | None = None,
        if_none_match: str | None = None,
    ) -> Document | None:
        """Return the document at a path; None if it is no path of OpenAPI.

        Args:
            path: Of the request, without its query.
            digest: Query parameter `hash`: the document that the caller knows of.
            accept: The `Accept` header.
            if_none_match: The `If-None-Match` header.
        """
        if path.rstrip("/") == _OLD:
            return self._old_document(accept=accept, if_none_match=if_none_match)
        if path.rstrip("/") == _ROOT:
            # Kubernetes says so, and nobody minds.
            return Document(orjson.dumps(self._index()), "text/plain; charset=utf-8")
        if not path.startswith(f"{_ROOT}/"):
            return None
        group_version = _parse(path.removeprefix(f"{_ROOT}/"))
        kinds = [] if group_version is None else self._served(group_version)
        if group_version is None or not kinds:
            return Document(b"", status=404)
        if not any(media.covers(JSON) for media in accepted(accept)):
            return Document(b"", status=406)
        written = self._write(group_version, kinds)
        headers = {"ETag": written.tag, "Vary": "Accept"}
        if digest is not None and digest != written.digest:
            return Document(b"", JSON, {"Location": _url(group_version, written)}, status=301)
        if digest is not None:
            headers["Cache-Control"] = "public, immutable"
        if if_none_match is not None and written.tag in if_none_match:
            return Document(b"", JSON, headers, status=304)
        return Document(written.body, JSON, headers)

    def _old_document(self, *, accept: str | None, if_none_match: str | None) -> Document:
        for media in accepted(accept):
            if media.type in ASKED_FOR:
                written, content_type = self._write_old(PROTOBUF), PROTOBUF
            elif media.covers(JSON):
                written, content_type = self._write_old(JSON), JSON
            else:
                continue
            headers = {"ETag": written.tag, "Vary": "Accept"}
            if if_none_match is not None and written.tag in if_none_match:
                return Document(b"", content_type, headers, status=304)
            return Document(written.body, content_type, headers)
        return Document(b"", status=406)

    def _write_old(self, content_type: str) -> _Written:
        kinds = list(self._catalog)
        known = self._old.get(content_type)
        if known is not None and _are_same(known.kinds, kinds):
            return known
        swagger = swagger_of(
            kinds, names=self._names, definitions=self._definitions, version=self._version
        )
        body = as_protobuf(swagger) if content_type == PROTOBUF else orjson.dumps(swagger)
        written = self._old[content_type] = _Written(kinds, body, entity_tag(body))
        return written

    def _index(self) -> KubeObject:
        found = {}
        for group_version in sorted({kind.group_version for kind in self._catalog}):
            written = self._write(group_version, self._served(group_version))
            found[_relative(group_version)] = {"serverRelativeURL": _url(group_version, written)}
        return {"paths": found}

    def _served(self, group_version: GroupVersion) -> Sequence[Kind]:
        return [kind for kind in self._catalog if kind.group_version == group_version]

    def _write(self, group_version: GroupVersion, kinds: Sequence[Kind]) -> _Written:
        known = self._written.get(group_version)
        if known is not None and _are_same(known.kinds, kinds):
            return known
        document = {
            "openapi": "3.0.0",
            "info": {"title": _TITLES[kinds[0].custom], "version": self._version},
            "paths": paths_of(kinds, names=self._names),
            "components": {
                "schemas": schemas_of(kinds, names=self._names, definitions=self._definitions)
            },
        }
        body = orjson.dumps(document)
        written = self._written[group_version] = _Written(kinds, body, entity_tag(body))
        return written


def _are_same(known: Sequence[Kind], kinds: Sequence[Kind]) -> bool:
    # Kinds are replaced when they change, and comparing all that is in them would take long.
    return len(known) == len(kinds) and all(
        before is now for before, now in zip(known, kinds, strict=True)
    )


def _relative(group_version: GroupVersion) -> str:
    return f"{'apis' if group_version.group else 'api'}/{group_version}"


def _url(group_version: GroupVersion, written: _Written) -> str:
    return f"{_ROOT}/{_relative(group_version)}?hash={written.digest}"


def _parse(relative: str) -> GroupVersion | None:
    match relative.split("/"):
        case ["api", version]:
            return GroupVersion("", version)
        case ["apis", group, version]:
            return GroupVersion(group, version)
    return None
