"""What has to hold at every moment, whoever was killed wherever."""

import base64
import binascii
from collections import defaultdict

from crash_points.world import ADDON, AGENT, CLUSTER, World
from towline_api.conditions import find_condition
from towline_api.names import ADDON_NAME_LABEL, CLUSTER_NAME_LABEL
from towline_api.resources import KubeObject
from towline_certs.errors import KeyParseError
from towline_certs.identities import AddonIdentity, ClusterIdentity, Subject
from towline_certs.keys import parse_key, public_key_digest
from towline_certs.requests import parse_request

ADDON_SUBJECT = str(AddonIdentity(CLUSTER, ADDON, ADDON).subject)
SIGNED_SUBJECT = str(Subject(f"tow of {CLUSTER}", frozenset()))
"""Whom the hub's own signer names, where a scenario has one."""
ENTITLED = {str(ClusterIdentity(CLUSTER, AGENT).subject), ADDON_SUBJECT, SIGNED_SUBJECT}
"""Whoever may be approved in these scenarios; nobody else."""


def requests_of(world: World) -> list[KubeObject]:
    """Return all certificate requests, the oldest first."""
    found = [o for o in world.hub_plane.objects() if o["kind"] == "CertificateSigningRequest"]
    return sorted(
        found,
        key=lambda o: (o["metadata"]["creationTimestamp"], int(o["metadata"]["resourceVersion"])),
    )


def broken_promises(world: World, *, each_identity_asks: int) -> list[str]:
    """Say what is wrong with the requests that were made, and with the keys they are for.

    Args:
        world: The planes.
        each_identity_asks: How many requests each identity should have made at most.
    """
    requests = requests_of(world)
    return [
        *_wrongly_approved(requests),
        *_too_many(requests, each_identity_asks),
        *_signed_again(requests, world.issued),
        *_keyless(requests, _keys_on(world), needed=_needed(world)),
    ]


def _wrongly_approved(requests: list[KubeObject]) -> list[str]:
    found = []
    for request in requests:
        subject = str(parse_request(base64.b64decode(request["spec"]["request"])).subject)
        if find_condition(request, "Approved") is not None and subject not in ENTITLED:
            found.append(f"{request['metadata']['name']} was approved for {subject}")
    return found


def _too_many(requests: list[KubeObject], most: int) -> list[str]:
    """A second request of an identity means that the first one was forgotten."""
    asked: dict[str, list[str]] = defaultdict(list)
    for request in requests:
        labels = request["metadata"].get("labels", {})
        if labels.get(CLUSTER_NAME_LABEL) == CLUSTER:
            who = labels.get(ADDON_NAME_LABEL, "the cluster")
            asked[f"{who} {request['spec']['signerName']}"].append(request["metadata"]["name"])
    return [f"{who} asked {len(names)} times: {names}" for who, names in asked.items()
            if len(names) > most]  # fmt: skip


def _signed_again(requests: list[KubeObject], issued: dict[str, str]) -> list[str]:
    """A request gets one certificate: another would be good beside the one that is in use."""
    found = []
    for request in requests:
        certificate = request.get("status", {}).get("certificate")
        if certificate:
            name = request["metadata"]["name"]
            if issued.setdefault(name, certificate) != certificate:
                found.append(f"{name} was given a second certificate")
    return found


def _needed(world: World) -> set[str]:
    """Return whose credentials have to be kept: an add-on's for as long as it is enabled."""
    is_enabled = any(
        o["kind"] == "ManagedClusterAddOn" and "deletionTimestamp" not in o["metadata"]
        for o in world.hub_plane.objects()
    )
    return ENTITLED if is_enabled else ENTITLED - {ADDON_SUBJECT, SIGNED_SUBJECT}


def _keyless(requests: list[KubeObject], keys: set[str], *, needed: set[str]) -> list[str]:
    """The newest certificate of an identity is worth nothing once its key is lost."""
    newest: dict[str, tuple[str, str]] = {}
    for request in requests:
        parsed = parse_request(base64.b64decode(request["spec"]["request"]))
        if str(parsed.subject) in needed and find_condition(request, "Denied") is None:
            newest[str(parsed.subject)] = (
                request["metadata"]["name"], public_key_digest(parsed.public_key)
            )  # fmt: skip
    return [
        f"the key of {name} is nowhere on the managed cluster"
        for name, digest in newest.values()
        if digest not in keys
    ]


def _keys_on(world: World) -> set[str]:
    """Return the digests of all private keys in Secrets of the managed cluster."""
    found = set()
    for obj in world.spoke_plane.objects():
        if obj["kind"] == "Secret":
            for value in obj.get("data", {}).values():
                try:
                    found.add(public_key_digest(parse_key(base64.b64decode(value))))
                except (KeyParseError, binascii.Error):
                    continue
    return found
