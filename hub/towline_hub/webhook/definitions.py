"""The CRDs of converted kinds: whose they are, and what makes them lead to the webhook. Pure."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from towline_api import names
from towline_api.crds import CONVERTED_KINDS, HUB_KINDS, crds
from towline_api.metadata import labels_of, name_of, resource_version_of
from towline_api.resources import KubeObject

MANAGED_BY = "towline"
CONVERTED = tuple(kind.qualified for kind in CONVERTED_KINDS)
"""Names of the CRDs whose objects are converted."""


def is_ours(live: KubeObject) -> bool:
    """Return whether towline made a CRD; one of anybody else is left alone."""
    return labels_of(live).get(names.MANAGED_BY_LABEL) == MANAGED_BY


def newer_versions(live: KubeObject) -> list[str]:
    """Return the versions a CRD has that we do not know: a newer towline made them."""
    known = {version["name"] for version in _versions_known(name_of(live))}
    return [version["name"] for version in live["spec"]["versions"] if version["name"] not in known]


def conversion_patch(live: KubeObject, *, conversion: KubeObject) -> KubeObject | None:
    """Return what makes a CRD serve all versions by this conversion; None if it does already.

    Args:
        live: The CRD as it is; of a kind that is not converted nothing is to do.
        conversion: The wanted `spec.conversion`.
    """
    if name_of(live) not in CONVERTED:
        return None
    spec: dict[str, Any] = {}
    versions = live["spec"]["versions"]
    present = {version["name"] for version in versions}
    missing = [item for item in _versions_known(name_of(live)) if item["name"] not in present]
    if missing:
        spec["versions"] = [*versions, *missing]
    if not _is_set(live["spec"].get("conversion") or {}, conversion):
        spec["conversion"] = _replacement(live["spec"].get("conversion") or {}, conversion)
    if not spec:
        return None
    return {"metadata": {"resourceVersion": resource_version_of(live)}, "spec": spec}


def withdrawal_patch(live: KubeObject) -> KubeObject | None:
    """Return what makes a CRD of ours serve its stored version alone, with nobody to convert it.

    Args:
        live: The CRD as it is.

    Returns:
        None if nobody converts it.
    """
    if (live["spec"].get("conversion") or {}).get("strategy", "None") == "None":
        return None
    stored = [version for version in live["spec"]["versions"] if version["storage"]]
    return {
        "metadata": {"resourceVersion": resource_version_of(live)},
        "spec": {"versions": stored, "conversion": {"strategy": "None", "webhook": None}},
    }


def port_in_use(live: KubeObject | None, *, host: str) -> int | None:
    """Return the port of the webhook on a host that a CRD names; None if it names none there."""
    try:
        parts = urlsplit(_client_config((live or {})["spec"]["conversion"])["url"])
        port = parts.port
    except (LookupError, TypeError, ValueError):
        return None
    return port if parts.hostname == host else None


def _versions_known(name: str) -> list[KubeObject]:
    """Return all versions of one of our kinds, as a CRD holds them."""
    for kind in HUB_KINDS:
        if kind.qualified == name:
            (definition,) = crds((kind,), conversion={})
            versions: list[KubeObject] = definition["spec"]["versions"]
            return versions
    return []


def _is_set(present: Mapping[str, Any], wanted: KubeObject) -> bool:
    found, config = _client_config(present), _client_config(wanted)
    return (
        present.get("strategy") == wanted["strategy"]
        and json.dumps(found, sort_keys=True) == json.dumps(config, sort_keys=True)
        and (present.get("webhook") or {}).get("conversionReviewVersions")
        == wanted["webhook"]["conversionReviewVersions"]
    )


def _replacement(present: Mapping[str, Any], wanted: KubeObject) -> KubeObject:
    """Return the merge patch from one conversion to another: of URL and Service there is one."""
    gone = dict.fromkeys(_client_config(present).keys() - _client_config(wanted).keys())
    webhook = wanted["webhook"]
    return {**wanted, "webhook": {**webhook, "clientConfig": {**webhook["clientConfig"], **gone}}}


def _client_config(conversion: Mapping[str, Any]) -> dict[str, Any]:
    return dict((conversion.get("webhook") or {}).get("clientConfig") or {})
