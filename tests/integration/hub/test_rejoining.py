"""A cluster that was removed, and one of its name that comes later."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from integration.hub.conftest import RunHub
from integration.hub.rights import opened_by
from integration.hub.spoke import Spoke, eventually, issued, join, until_condition
from towline_api import names
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.metadata import annotations_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    EVENTS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    KubeObject,
)
from towline_api.timestamps import format_time, parse_time
from towline_certs.certificates import parse_chain
from towline_certs.validity import validity_of
from towline_hub.decisions.accept import accept_cluster
from towline_kube.client import Client


async def _remove(admin: Client, cluster: str) -> None:
    await admin.delete(MANAGED_CLUSTERS, cluster)

    async def gone() -> bool | None:
        return True if await admin.find(MANAGED_CLUSTERS, cluster) is None else None

    await eventually(gone, what=f"the end of cluster {cluster}")
    # Kubernetes tells times in whole seconds: what was approved in the one in which the next
    # cluster registers counts as approved for that one.
    await asyncio.sleep(1 - time.time() % 1 + 0.01)


async def _mark_of(admin: Client, cluster: str) -> str | None:
    namespace = await admin.get(NAMESPACES, cluster)
    return annotations_of(namespace).get(names.FORMER_CERTIFICATE_ANNOTATION)


async def _subjects(admin: Client, cluster: str) -> list[str]:
    binding = await admin.get(CLUSTER_ROLE_BINDINGS, names.cluster_role(cluster))
    return [item["name"] for item in binding["subjects"]]


async def _until_waiting(admin: Client, request: str) -> str:
    """Return what the hub says about a request that it leaves to the operator."""

    async def told() -> str | None:
        events = await admin.list(
            EVENTS, namespace="default", field_selector=f"regarding.name={request}"
        )
        return next((e["note"] for e in events.items if e["reason"] == "WaitingForOperator"), None)

    note = await eventually(told, what=f"the event about request {request}")
    csr = await admin.get(CERTIFICATE_SIGNING_REQUESTS, request)
    assert not csr.get("status", {}).get("conditions")
    return note


async def _certificate_opens(client: Client, spoke: Spoke, *, something: bool) -> None:
    async def as_said() -> bool | None:
        return True if bool(await opened_by(client, spoke)) is something else None

    await eventually(as_said, what=f"certificate to open anything: {something}", within=5)


async def test_a_new_agent_of_a_removed_clusters_name_needs_a_person_and_keeps_the_old_one_out(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The group in both certificates is the same; the users are not, so rights go to the user."""
    async with run_hub(), await join(spoke, admin) as former:
        requests = await admin.list(
            CERTIFICATE_SIGNING_REQUESTS,
            label_selector=f"{names.CLUSTER_NAME_LABEL}={spoke.cluster}",
        )
        certificate = await issued(admin, requests.items[0]["metadata"]["name"])
        await _remove(admin, spoke.cluster)
        ends = validity_of(parse_chain(certificate)).not_after
        mark = await _mark_of(admin, spoke.cluster)
        assert mark == format_time(ends)
        await _certificate_opens(former, spoke, something=False)

        # The shared token alone does not bring it in again...
        anew = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        await anew.register()
        request = await anew.ask()
        note = await _until_waiting(admin, request)
        assert f"towline accept) {spoke.cluster}" in note or "towline accept" in note
        await _certificate_opens(former, spoke, something=False)

        # ... an operator does, for the agent whose request it is, and is told what that means.
        await accept_cluster(admin, spoke.cluster)
        cluster = await until_condition(
            admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True"
        )
        messages = [item["message"] for item in cluster["status"]["conditions"]]
        assert any(mark in message for message in messages), messages
        own = Client(anew.connection(await issued(admin, request)), field_manager="test-agent")
        async with own as agent:
            await _certificate_opens(agent, anew, something=True)
            await anew.beat(agent)
            await _certificate_opens(former, spoke, something=False)
        # Requests are collected after an hour; who was let in is known without them.
        await admin.delete(CERTIFICATE_SIGNING_REQUESTS, request)
        await admin.delete(CLUSTER_ROLE_BINDINGS, names.cluster_role(spoke.cluster))

        async def bound_again() -> bool | None:
            name = names.cluster_role(spoke.cluster)
            return True if await admin.find(CLUSTER_ROLE_BINDINGS, name) is not None else None

        await eventually(bound_again, what="the binding that somebody deleted")
        assert anew.identity.user in await _subjects(admin, spoke.cluster)
        assert spoke.identity.groups[0] not in await _subjects(admin, spoke.cluster)
        assert await _mark_of(admin, spoke.cluster) == mark


async def test_the_mark_ends_by_itself(spoke: Spoke, admin: Client, run_hub: RunHub) -> None:
    """Once no former certificate can live, everything is as for any other cluster."""
    async with run_hub(), await join(spoke, admin):
        await _remove(admin, spoke.cluster)
        soon = datetime.now(UTC) + timedelta(seconds=3)
        await admin.patch(
            NAMESPACES,
            spoke.cluster,
            {"metadata": {"annotations": {names.FORMER_CERTIFICATE_ANNOTATION: format_time(soon)}}},
        )
        anew = Spoke(spoke.plane, spoke.cluster, spoke.bootstrap, agent="agent2")
        await anew.register()
        request = await anew.ask()
        await accept_cluster(admin, spoke.cluster)
        await issued(admin, request)

        async def as_usual() -> KubeObject | None:
            cluster = await admin.get(MANAGED_CLUSTERS, spoke.cluster)
            unmarked = await _mark_of(admin, spoke.cluster) is None
            said = [item["message"] for item in cluster.get("status", {}).get("conditions", [])]
            return cluster if unmarked and "Accepted by hub cluster admin" in said else None

        await eventually(as_usual, what="the end of the mark")
        assert spoke.identity.groups[0] in await _subjects(admin, spoke.cluster)
        assert anew.identity.user not in await _subjects(admin, spoke.cluster)


async def test_an_operator_can_let_the_former_agent_in_again(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """A cluster removed by mistake has an agent that never learns to ask anew."""
    async with run_hub(), await join(spoke, admin) as former:
        await _remove(admin, spoke.cluster)
        await admin.create(
            MANAGED_CLUSTERS,
            {"metadata": {"name": spoke.cluster}, "spec": {"hubAcceptsClient": True}},
        )
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        await _certificate_opens(former, spoke, something=False)
        await admin.patch(
            NAMESPACES,
            spoke.cluster,
            {"metadata": {"annotations": {names.FORMER_CERTIFICATE_ANNOTATION: None}}},
        )
        await _certificate_opens(former, spoke, something=True)
        await spoke.beat(former)


async def test_a_second_removal_does_not_shorten_the_mark(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The certificate of the first agent lives on whatever becomes of the second."""
    async with run_hub(), await join(spoke, admin):
        await _remove(admin, spoke.cluster)
        first = await _mark_of(admin, spoke.cluster)
        assert first is not None
        later = format_time(parse_time(first) + timedelta(days=1))
        await admin.patch(
            NAMESPACES,
            spoke.cluster,
            {"metadata": {"annotations": {names.FORMER_CERTIFICATE_ANNOTATION: later}}},
        )
        await admin.create(
            MANAGED_CLUSTERS,
            {"metadata": {"name": spoke.cluster}, "spec": {"hubAcceptsClient": True}},
        )
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        await _remove(admin, spoke.cluster)
        assert await _mark_of(admin, spoke.cluster) == later


async def test_a_cluster_that_never_had_a_certificate_leaves_no_mark(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Its name is free at once."""
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        await admin.patch(MANAGED_CLUSTERS, spoke.cluster, {"spec": {"hubAcceptsClient": True}})
        await until_condition(admin, MANAGED_CLUSTERS, spoke.cluster, HUB_ACCEPTED, "True")
        await _remove(admin, spoke.cluster)
        assert await _mark_of(admin, spoke.cluster) is None
