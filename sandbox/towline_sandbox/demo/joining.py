"""First act: a managed cluster joins the hub and earns a certificate of its own."""

import time
from datetime import timedelta
from functools import partial

from towline_agent.permissions import agent_permissions
from towline_api import condition_types, names
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LEASES,
    MANAGED_CLUSTERS,
    NAMESPACES,
    ROLE_BINDINGS,
    KubeObject,
)
from towline_certs import parse_request
from towline_certs.policy import SigningRequest
from towline_hub.permissions import hub_permissions
from towline_kube.client import Client
from towline_sandbox.demo.programs import Program
from towline_sandbox.demo.stage import CLUSTER, PATIENCE, Stage, condition, summarize
from towline_sandbox.demo.steps import Story
from towline_sandbox.grants import AGENT_USER, HUB_USER, grant
from towline_sandbox.waiting import until


async def start_hub(story: Story, stage: Stage) -> Program:
    """Start the hub under a user of its own, with the permissions it ships and no more."""
    with story.step("the hub starts under its own least-privilege identity") as seen:
        await grant(stage.hub, hub_permissions(user_subject(HUB_USER), installs_crds=True))
        kubeconfig = stage.keep("hub", await stage.hub_plane.kubeconfig_for(HUB_USER))
        hub = await stage.start(
            "hub",
            [
                "hub",
                "run",
                "--install-crds",
                "--kubeconfig",
                str(kubeconfig),
                "--auto-approve-groups",
                names.BOOTSTRAP_GROUP,
            ],
        )

        async def ready() -> KubeObject | None:
            hub.check_running()
            return await stage.hub.find(CLUSTER_ROLES, names.BOOTSTRAP_CLUSTER_ROLE)

        await until("the hub's bootstrap role", ready, within=PATIENCE)
        seen.append(f"user {HUB_USER}; it approves requests of group {names.BOOTSTRAP_GROUP}")
    return hub


async def start_agent(story: Story, stage: Stage) -> tuple[Program, float]:
    """Start the agent with a bootstrap kubeconfig; return it and when it started (monotonic)."""
    with story.step(
        "the agent starts with a bootstrap kubeconfig and registers its cluster"
    ) as seen:
        await grant(stage.spoke, agent_permissions(user_subject(AGENT_USER)))
        bootstrap = stage.keep("bootstrap", await stage.hub_plane.bootstrap_kubeconfig())
        spoke = stage.keep("agent", await stage.spoke_plane.kubeconfig_for(AGENT_USER))
        started = time.monotonic()
        agent = await stage.start(
            "agent",
            [
                "agent",
                "run",
                "--cluster-name",
                CLUSTER,
                # There is no fleet whose return to the hub would have to be spread.
                "--hub-return-spread",
                "1s",
                "--bootstrap-kubeconfig",
                str(bootstrap),
                "--spoke-kubeconfig",
                str(spoke),
            ],
        )

        async def registered() -> KubeObject | None:
            agent.check_running()
            return await stage.hub.find(MANAGED_CLUSTERS, CLUSTER)

        await until(f"ManagedCluster {CLUSTER}", registered, within=PATIENCE)
        seen.append(f"ManagedCluster {CLUSTER} is there, not accepted yet")
    return agent, started


async def show_approval(
    story: Story, stage: Stage, *, whose: str, selector: str, watch: Program
) -> None:
    """Show who asked for which identity, and who approved it and why."""
    with story.step(f"{whose} asks for an identity, and the hub approves") as seen:

        async def decided() -> KubeObject | None:
            watch.check_running()
            for csr in await requests(stage.hub, selector):
                if condition(csr, "Approved") or condition(csr, "Denied"):
                    return csr
            return None

        csr = await until(f"a decision on a request of {whose}", decided, within=PATIENCE)
        request = SigningRequest.from_csr(csr)
        wanted = parse_request(request.request_pem or b"")
        seen.append(f"{request.username} asks for {wanted.subject}")
        seen.append(f"request {request.name}, signer {request.signer_name}")
        refused = condition(csr, "Denied")
        if refused:
            raise AssertionError(f"denied, {refused['reason']}: {refused['message']}")
        approved = condition(csr, "Approved") or {}
        seen.append(f"approved, {approved['reason']}: {approved['message']}")


async def show_acceptance(story: Story, stage: Stage) -> None:
    """Show what the hub granted the cluster once it was accepted."""
    with story.step("the cluster is accepted and granted exactly its RBAC") as seen:
        summary = partial(summarize, stage.hub, MANAGED_CLUSTERS, name=CLUSTER, namespace=None)

        async def accepted() -> KubeObject | None:
            cluster = await stage.hub.get(MANAGED_CLUSTERS, CLUSTER)
            return condition(cluster, condition_types.HUB_ACCEPTED)

        await until("acceptance", accepted, within=PATIENCE, last_seen=summary)
        role = names.cluster_role(CLUSTER)
        for rule in (await stage.hub.get(CLUSTER_ROLES, role))["rules"]:
            named = f" named {', '.join(rule['resourceNames'])}" if "resourceNames" in rule else ""
            seen.append(f"{', '.join(rule['verbs'])} on {', '.join(rule['resources'])}{named}")
        binding = await stage.hub.get(CLUSTER_ROLE_BINDINGS, role)
        seen.append(f"to groups {', '.join(s['name'] for s in binding['subjects'])}")
        await stage.hub.get(NAMESPACES, CLUSTER)
        bindings = await stage.hub.list(ROLE_BINDINGS, namespace=CLUSTER)
        seen.append(
            f"in namespace {CLUSTER}: {', '.join(b['roleRef']['name'] for b in bindings.items)}"
        )


async def show_joined(story: Story, stage: Stage, *, agent: Program, started: float) -> None:
    """Show that the agent uses its own certificate, and how long that took from its start."""
    with story.step("the cluster has joined with a certificate of its own") as seen:
        summary = partial(summarize, stage.hub, MANAGED_CLUSTERS, name=CLUSTER, namespace=None)

        async def joined() -> KubeObject | None:
            agent.check_running()
            cluster = await stage.hub.get(MANAGED_CLUSTERS, CLUSTER)
            return cluster if condition(cluster, condition_types.JOINED) else None

        cluster = await until("Joined", joined, within=PATIENCE, last_seen=summary)
        seen.append(f"{time.monotonic() - started:.2f} s after the agent's process was started")
        version = cluster["status"].get("version", {}).get("kubernetes", "unknown yet")
        seen.append(f"managed cluster's version: {version}")


async def show_lease(story: Story, stage: Stage) -> None:
    """Show the lease being renewed, at a pace a person can watch."""
    with story.step("the agent renews its lease") as seen:
        await stage.hub.patch(MANAGED_CLUSTERS, CLUSTER, {"spec": {"leaseDurationSeconds": 1}})
        renewals: list[str] = []

        async def renewed_twice() -> list[str] | None:
            lease = await stage.hub.find(LEASES, names.CLUSTER_LEASE, namespace=CLUSTER)
            renewal = lease["spec"].get("renewTime") if lease else None
            if renewal and renewal not in renewals:
                renewals.append(renewal)
            return renewals if len(renewals) > 2 else None

        await until("two renewals of the lease", renewed_twice, within=timedelta(seconds=90))
        seen.extend(f"renewed at {renewal}" for renewal in renewals[1:])


async def requests(hub: Client, selector: str) -> list[KubeObject]:
    """Return the certificate requests with these labels, oldest first."""
    found = await hub.list(CERTIFICATE_SIGNING_REQUESTS, label_selector=selector)
    return sorted(found.items, key=lambda csr: str(csr["metadata"]["creationTimestamp"]))
