"""Collects what the built-in kinds look like from a real API server; run when Kubernetes changes.

    python -m towline_sandbox.embedded.built_in.collect [GO_MODULE_CACHE]

Writes the files of `data/`: names, verbs and subresources from discovery, shapes from OpenAPI v3,
and, from the sources that the real plane was built from, what only the Go types tell.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from towline_api.resources import KubeObject
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.embedded.built_in.data_files import DEFINITIONS, GO_TYPES, KINDS
from towline_sandbox.embedded.built_in.go_sources import GoFields, GoSources
from towline_sandbox.embedded.built_in.served import SERVED
from towline_sandbox.embedded.model.kinds import GroupVersion
from towline_sandbox.embedded.model.schema import Node
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.own_api import OwnApi

_REFERENCE = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_ALWAYS = tuple(
    f"{_META}.{name}"
    for name in ("APIGroup", "APIGroupList", "APIResourceList", "DeleteOptions", "Patch", "Status",
                 "WatchEvent")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Collection:
    """What a server says about the kinds that are served here.

    Args:
        kinds: One entry a kind, as `data/kinds.json` holds them.
        definitions: The schemas they are made of, without descriptions.
    """

    kinds: list[KubeObject]
    definitions: dict[str, Node]


async def collect_from(kubeconfig: str) -> Collection:
    """Ask the server of a kubeconfig about every kind of `SERVED`."""
    connection = parse_kubeconfig(kubeconfig, source="collect")
    connector = aiohttp.TCPConnector(ssl=ssl_context(connection))
    async with aiohttp.ClientSession(connector=connector) as session:
        return await collect(OwnApi(session, server=connection.server))


async def collect(api: OwnApi) -> Collection:
    """Ask a server about every kind of `SERVED`."""
    kinds: list[KubeObject] = []
    documents: list[Mapping[str, Node]] = []
    for group_version, wanted in SERVED.items():
        path = f"apis/{group_version}" if group_version.group else f"api/{group_version}"
        listed = await _get(api, f"/{path}")
        shapes = (await _get(api, f"/openapi/v3/{path}"))["components"]["schemas"]
        documents.append(shapes)
        for plural, subresources in wanted.items():
            entry = _kind_entry(group_version, plural, subresources, listed["resources"])
            entry["definition"] = _definition_of(group_version, entry["kind"], shapes)
            kinds.append(entry)
    # `Scale` is described beside the kinds that are scaled, so every document can be asked.
    everything = {name: node for shapes in documents for name, node in shapes.items()}
    roots = {entry["definition"] for entry in kinds} | {f"{e['definition']}List" for e in kinds}
    roots |= {
        _definition_of(GroupVersion(sub["group"], sub["version"]), sub["kind"], everything)
        for entry in kinds
        for sub in entry["subresources"]
        if "kind" in sub
    }
    used = _reachable(roots | set(_ALWAYS), everything)
    return Collection(kinds, {name: _bare(name, everything[name]) for name in sorted(used)})


def go_types(definitions: Iterable[str], sources: GoSources) -> dict[str, GoFields]:
    """Return what the Go types say about the fields of these definitions."""
    found = {name: sources.fields(name) for name in sorted(definitions)}
    return {name: fields for name, fields in found.items() if fields}


def _kind_entry(
    group_version: GroupVersion,
    plural: str,
    subresources: Iterable[str],
    listed: Iterable[KubeObject],
) -> KubeObject:
    by_name = {resource["name"]: resource for resource in listed}
    found = by_name[plural]
    entry: KubeObject = {
        "group": group_version.group,
        "version": group_version.version,
        "plural": plural,
        "kind": found["kind"],
        "singular": found["singularName"],
        "namespaced": found["namespaced"],
        "verbs": sorted(found["verbs"]),
        "subresources": [_subresource_entry(by_name[f"{plural}/{name}"]) for name in subresources],
    }
    for key in ("shortNames", "categories"):
        if key in found:
            entry[key] = found[key]
    return entry


def _subresource_entry(found: KubeObject) -> KubeObject:
    entry: KubeObject = {"name": found["name"].partition("/")[2], "verbs": sorted(found["verbs"])}
    if "version" in found:  # only where the body is of another kind than the object
        entry |= {"kind": found["kind"], "group": found["group"], "version": found["version"]}
    return entry


def _definition_of(group_version: GroupVersion, kind: str, shapes: Mapping[str, Node]) -> str:
    wanted = {"group": group_version.group, "version": group_version.version, "kind": kind}
    return next(
        name
        for name, node in shapes.items()
        if node.get("x-kubernetes-group-version-kind") == [wanted]
    )


def _reachable(roots: Iterable[str], shapes: Mapping[str, Node]) -> set[str]:
    reached: set[str] = set()
    waiting = [name for name in roots if name in shapes]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(_references(shapes[name]))
    return reached


def _references(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(reference)}:
            yield reference.removeprefix(_REFERENCE)
        case dict():
            for value in node.values():
                yield from _references(value)
        case list():
            for value in node:
                yield from _references(value)


def _bare(name: str, node: Node) -> Node:
    bare: dict[str, Any] = _without_descriptions(node)
    known_as = bare.get("x-kubernetes-group-version-kind", [])
    if len(known_as) > 1:
        # `DeleteOptions` and `WatchEvent` belong to every group; each document lists others.
        own = {"group": "", "version": "v1", "kind": name.rpartition(".")[2]}
        bare["x-kubernetes-group-version-kind"] = [own]
    return bare


def _without_descriptions(node: Any) -> Any:
    match node:
        case dict():
            return {
                key: _without_descriptions(value)
                for key, value in node.items()
                # A property may be called `description`; then it is a schema, not a text.
                if not (key == "description" and isinstance(value, str))
            }
        case list():
            return [_without_descriptions(value) for value in node]
        case _:
            return node


async def _get(api: OwnApi, path: str) -> KubeObject:
    answer = await api.call("GET", path)
    if answer is None or answer.status != 200:
        raise RuntimeError(f"GET {path}: {'no answer' if answer is None else answer.status}")
    return answer.body


def as_text(data: object) -> str:
    """Return the data as it stands in its file: one thing a line, always in the same order."""
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


async def main(module_cache: Path) -> None:
    """Collect from a plane started for this, and write the files."""
    async with KubePlane("collect") as plane:
        collected = await collect_from(plane.admin_kubeconfig())
        version = plane.version.replace("v1.", "v0.", 1)
    fields = go_types(collected.definitions, GoSources(module_cache, version))
    KINDS.write_text(as_text(collected.kinds), encoding="utf-8")
    DEFINITIONS.write_text(as_text(collected.definitions), encoding="utf-8")
    GO_TYPES.write_text(as_text(fields), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.home() / "go/pkg/mod"))
