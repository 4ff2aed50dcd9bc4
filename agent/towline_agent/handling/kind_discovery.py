"""Finding the endpoint of a kind by the name that people call it, as an API server tells.

Whoever an API server knows may ask what it serves, so this needs no right of its own.
"""

import json
from collections.abc import Mapping
from typing import Any

from towline_api.errors import WireError
from towline_api.resources import Resource
from towline_kube.client import Client
from towline_kube.errors import NotFound


async def discover(client: Client, name: str) -> Resource | None:
    """Return the kind of that name in the version its server prefers; None if it is not served.

    Args:
        client: Whom to ask.
        name: Plural and group as kubectl writes them: `configmaps`, `widgets.example.com`.

    Raises:
        ApiError: The server cannot be asked.
        WireError: What it says about its kinds cannot be understood.
    """
    plural, _, group = name.partition(".")
    try:
        versions = _versions(await _read(client, f"/apis/{group}")) if group else ["v1"]
        for version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            served = find_served(await _read(client, path), plural, group=group, version=version)
            if served is not None:
                return served
    except NotFound:
        return None
    return None


def find_served(
    document: Mapping[str, Any], plural: str, *, group: str, version: str
) -> Resource | None:
    """Return a kind out of the list of what is served in one version of a group.

    Raises:
        WireError: The list is none, or the kind's entry lacks something.
    """
    entries = document.get("resources")
    if not isinstance(entries, list):
        raise WireError(f"{group}/{version} lists no resources", field="resources")
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry.get("name") == plural:
            kind, namespaced = entry.get("kind"), entry.get("namespaced")
            if not isinstance(kind, str) or not isinstance(namespaced, bool):
                raise WireError(
                    f"{plural} of {group}/{version} names no kind and scope",
                    field=f"resources[{index}]",
                )
            return Resource(group, version, plural, kind, namespaced=namespaced)
    return None


def _versions(document: Mapping[str, Any]) -> list[str]:
    """Return the versions of a group, the preferred one first."""
    try:
        preferred = document["preferredVersion"]["version"]
        others = [item["version"] for item in document["versions"]]
    except (KeyError, TypeError):
        raise WireError("an API group tells no versions", field="versions") from None
    return [preferred, *(version for version in others if version != preferred)]


async def _read(client: Client, path: str) -> dict[str, Any]:
    try:
        document = json.loads(await client.request_text(path))
    except ValueError:
        raise WireError(f"{path} is not JSON", field="") from None
    if not isinstance(document, dict):
        raise WireError(f"{path} is not an object", field="")
    return document
