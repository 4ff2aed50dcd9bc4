"""`towline accept|deny|remove`: people decide about managed clusters."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from towline_api import names
from towline_api.condition_types import JOINED
from towline_api.conditions import is_true
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_GROUP,
    MANAGED_CLUSTERS,
    NAMESPACES,
    REGISTER_GROUP,
    KubeObject,
)
from towline_hub.decisions.accept import AcceptReport, accept_cluster
from towline_hub.decisions.approve_request import rights_to_approve
from towline_hub.decisions.cluster_settings import AcceptSettings, DenySettings, RemoveSettings
from towline_hub.decisions.cluster_waiting import wait_for_cluster
from towline_hub.decisions.deny import DenyReport, deny_cluster
from towline_hub.decisions.operator_client import operator_client
from towline_hub.decisions.own_rights import Right, check_rights
from towline_hub.decisions.removal import RemoveReport, remove_cluster
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load

EXIT_FAILED = 1


def accept(arguments: Sequence[str]) -> int:
    """Let a managed cluster join the hub; return the exit status."""
    settings = load(AcceptSettings, arguments, prog="towline accept")
    report, joined = asyncio.run(_accept(settings))
    if settings.output is OutputKind.JSON:
        _print_json(accept_json(report, joined=joined))
    else:
        _print_lines(accept_lines(report))
        if joined is not None:
            _print_lines([f"cluster {report.cluster}: {'joined' if joined else 'not joined yet'}"])
    if joined is not None:
        return 0 if joined else EXIT_FAILED
    return 0 if report.approved or not report.requests else EXIT_FAILED


async def _accept(settings: AcceptSettings) -> tuple[AcceptReport, bool | None]:
    name = settings.cluster
    async with operator_client(settings.kubeconfig) as client:
        rights = rights_to_accept(name, waits=settings.wait)
        await check_rights(client, rights, to="to accept a cluster")
        report = await accept_cluster(client, name, request=settings.request)
        if not settings.wait:
            return report, None
        joined = await wait_for_cluster(client, name, until=has_joined, limit=settings.timeout)
        return report, joined


def rights_to_accept(cluster: str, *, waits: bool = False) -> list[Right]:
    """Return what accepting a cluster takes, and waiting for it to join."""
    return [
        *_rights_on_cluster("get", "patch", *(_FOLLOW if waits else ()), cluster=cluster),
        Right(
            "update", "managedclusters", group=REGISTER_GROUP, subresource="accept", name=cluster
        ),
        # One that is just being deleted would take what the cluster is granted with it.
        Right("get", NAMESPACES.plural, name=cluster),
        _LIST_REQUESTS,
        *rights_to_approve(names.KUBE_CLIENT_SIGNER),
    ]


def has_joined(cluster: KubeObject | None) -> bool:
    """Return whether a cluster has joined: accepted, and using a certificate of its own."""
    return cluster is not None and is_true(cluster, JOINED)


def accept_lines(report: AcceptReport) -> list[str]:
    """Return what accepting a cluster did, in lines for a terminal."""
    accepted = "accepted" if report.newly_accepted else "accepted already"
    lines = [f"cluster {report.cluster}: {accepted}"]
    for request in report.requests:
        outcome = "approved" if request.approved else "not approved"
        lines.append(f"request {request.name} by {request.requester}: {outcome}: {request.message}")
    if not report.requests:
        lines.append(
            "no certificate request is pending; if the agent still has to ask for its first "
            "certificate, accept the cluster again once it has"
        )
    return lines


def accept_json(report: AcceptReport, *, joined: bool | None) -> dict[str, Any]:
    """Return what accepting a cluster did, for programs."""
    return {
        "cluster": report.cluster,
        "newlyAccepted": report.newly_accepted,
        "requests": [
            {
                "name": item.name,
                "requester": item.requester,
                "approved": item.approved,
                "message": item.message,
            }
            for item in report.requests
        ],
        "joined": joined,
    }


def deny(arguments: Sequence[str]) -> int:
    """Keep a managed cluster out, or take its acceptance back; return the exit status."""
    settings = load(DenySettings, arguments, prog="towline deny")
    report = asyncio.run(_deny(settings))
    if settings.output is OutputKind.JSON:
        _print_json(deny_json(report))
    else:
        _print_lines(deny_lines(report))
    return 0


async def _deny(settings: DenySettings) -> DenyReport:
    async with operator_client(settings.kubeconfig) as client:
        await check_rights(client, rights_to_deny(settings.cluster), to="to deny a cluster")
        return await deny_cluster(client, settings.cluster, reason=settings.reason)


def rights_to_deny(cluster: str) -> list[Right]:
    """Return what denying a cluster takes."""
    return [
        *_rights_on_cluster("get", "patch", cluster=cluster),
        _LIST_REQUESTS,
        # Kubernetes asks for the same right whether a request is approved or denied.
        *rights_to_approve(names.KUBE_CLIENT_SIGNER),
    ]


def deny_lines(report: DenyReport) -> list[str]:
    """Return what denying a cluster did, in lines for a terminal."""
    lines = []
    if report.was_accepted is not None:
        lines.append(
            f"cluster {report.cluster}: denied; the hub takes its agents' rights back"
            if report.was_accepted
            else f"cluster {report.cluster}: denied; it is not accepted"
        )
    lines += [f"request {name}: denied" for name in report.denied]
    lines += [
        f"request {name}: left undecided; you may not decide about requests of its signer"
        for name in report.left
    ]
    lines.append(
        f"`towline accept {report.cluster}` undoes it; an agent whose request was denied asks anew"
    )
    return lines


def deny_json(report: DenyReport) -> dict[str, Any]:
    """Return what denying a cluster did, for programs."""
    return {
        "cluster": report.cluster,
        "wasAccepted": report.was_accepted,
        "deniedRequests": list(report.denied),
        "leftRequests": list(report.left),
        "reason": report.message,
    }


def remove(arguments: Sequence[str]) -> int:
    """Take a managed cluster off the hub; return the exit status: 1 if it was not gone in time."""
    settings = load(RemoveSettings, arguments, prog="towline remove")
    report = asyncio.run(_remove(settings))
    if settings.output is OutputKind.JSON:
        _print_json({"cluster": report.cluster, "gone": report.gone, "waitsFor": report.waits_for})
    elif report.gone:
        _print_lines([f"cluster {report.cluster}: gone"])
    elif settings.wait:
        _print_lines([f"cluster {report.cluster}: still there after {settings.timeout}"])
    else:
        _print_lines([f"cluster {report.cluster}: going; it waits for {report.waits_for}"])
    return EXIT_FAILED if settings.wait and not report.gone else 0


async def _remove(settings: RemoveSettings) -> RemoveReport:
    rights = rights_to_remove(settings.cluster, waits=settings.wait)
    async with operator_client(settings.kubeconfig) as client:
        await check_rights(client, rights, to="to remove a cluster")
        return await remove_cluster(
            client,
            settings.cluster,
            limit=settings.timeout if settings.wait else None,
            tell=lambda what: _tell(f"cluster {settings.cluster}: waits for {what}"),
        )


def rights_to_remove(cluster: str, *, waits: bool = False) -> list[Right]:
    """Return what removing a cluster takes, and waiting until it is gone."""
    return _rights_on_cluster("get", "delete", *(_FOLLOW if waits else ()), cluster=cluster)


_FOLLOW = ("list", "watch")
_LIST_REQUESTS = Right(
    "list", CERTIFICATE_SIGNING_REQUESTS.plural, group=CERTIFICATE_SIGNING_REQUESTS.group
)


def _rights_on_cluster(*verbs: str, cluster: str) -> list[Right]:
    return [
        Right(verb, MANAGED_CLUSTERS.plural, group=CLUSTER_GROUP, name=cluster) for verb in verbs
    ]


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)  # noqa: T201 - what was asked for


def _tell(line: str) -> None:
    # Beside what is printed for programs, and at once, for whoever is waiting.
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _print_json(document: object) -> None:
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
