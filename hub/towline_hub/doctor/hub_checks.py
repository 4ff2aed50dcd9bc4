"""Checks of the hub that runs: who leads, how many, with which rights, and who else is there.

Pure: facts in, findings out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_api.errors import WireError
from towline_api.metadata import key_of, name_of
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_hub.deploying.deployment import APP
from towline_hub.deploying.installed_settings import InstalledSettings
from towline_hub.doctor.findings import Finding, fail, ok, unseen, warn
from towline_hub.looking import Unseen
from towline_hub.spans import rough
from towline_kube.access import ResourceAttributes

APPROVERS = frozenset({"registration-controller-sa"})
"""Service accounts of Open Cluster Management's controllers that approve and accept as we do."""
ADDON_MANAGERS = frozenset({"addon-manager-controller-sa"})
"""The same for its controllers of add-ons."""
DANGEROUS_RIGHTS = (
    ResourceAttributes("*", "*", "*"),
    ResourceAttributes("list", "", "secrets"),
    ResourceAttributes("create", "", "pods"),
    ResourceAttributes("create", "apps", "deployments"),
    ResourceAttributes("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ResourceAttributes("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ResourceAttributes("impersonate", "", "users"),
    ResourceAttributes("create", "", "serviceaccounts", "token"),
)
"""Each makes whoever breaks into the hub the master of its cluster; no shipped role holds one."""
_SHOWN = 5
_DEFAULT_LEASE = timedelta(seconds=15)


def deployment_check(deployment: KubeObject | Unseen | None, *, namespace: str) -> Finding:
    """Return whether the hub's replicas are up."""
    check = "replicas"
    if isinstance(deployment, Unseen):
        return unseen(check, deployment)
    if deployment is None:
        return warn(
            check,
            f"there is no Deployment {namespace}/{APP}",
            fix="fine if the hub runs elsewhere; otherwise apply deploy/hub, or name its namespace "
            "with --namespace",
        )
    wanted = (deployment.get("spec") or {}).get("replicas", 1)
    available = (deployment.get("status") or {}).get("availableReplicas", 0)
    found = f"{available} of {wanted} replicas of {namespace}/{APP} are available"
    look = f"`kubectl describe pods -n {namespace} -l app.kubernetes.io/name={APP}` says why"
    if wanted == 0:
        return fail(check, f"Deployment {namespace}/{APP} is scaled to 0", fix="scale it up")
    if available == 0:
        return fail(check, found, fix=look)
    if available < wanted:
        return warn(check, found, fix=look)
    if wanted == 1:
        return warn(check, found, fix="a second replica takes over within seconds if one dies")
    return ok(check, found)


def settings_check(installed: InstalledSettings) -> Finding:
    """Return whether a hub can start with the settings it is given."""
    check = "settings"
    if installed.unseen is not None:
        return unseen(check, installed.unseen)
    if installed.problem is not None:
        return fail(
            check,
            installed.problem,
            fix="correct it, in the overlay it comes from if there is one; `towline hub run "
            "--help` explains every setting",
        )
    return ok(check, f"a hub can start with {installed.where}")


def leader_check(lease: KubeObject | Unseen | None, *, where: str, now: datetime) -> Finding:
    """Return whether somebody leads.

    Args:
        lease: The Lease by which replicas elect their leader.
        where: Its namespace and name.
        now: The present.
    """
    check = "leader"
    if isinstance(lease, Unseen):
        return unseen(check, lease)
    if lease is None:
        return warn(
            check,
            f"there is no lease {where}",
            fix="fine for one hub without leader election; otherwise no hub runs, or it lacks "
            "rights: see its log",
        )
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity")
    if not holder:
        return fail(
            check,
            f"nobody holds lease {where}",
            fix="the last leader ended and none follows: start the hub",
        )
    try:
        renewed = parse_time(str(spec.get("renewTime")))
    except WireError:
        return fail(check, f"lease {where} was never renewed", fix="start the hub")
    seconds = spec.get("leaseDurationSeconds")
    duration = timedelta(seconds=seconds) if isinstance(seconds, int) else _DEFAULT_LEASE
    age = now - renewed
    if age > duration:
        return fail(
            check,
            f"{holder} holds lease {where} and last renewed it {rough(age)} ago, for "
            f"{rough(duration)}",
            fix="no hub is at work: look at its pods and their log",
        )
    return ok(check, f"{holder} leads, seen {rough(age)} ago")


@dataclass(frozen=True, slots=True)
class Rights:
    """What the hub may do.

    Args:
        user: The hub's user name.
        missing: What it needs and may not.
        asked: How many rights were asked about.
        dangerous: What it may and must not.
        bindings: Bindings that name it and are not shipped, as `kind namespace/name`.
    """

    user: str
    missing: Sequence[ResourceAttributes]
    asked: int
    dangerous: Sequence[ResourceAttributes]
    bindings: Sequence[str] | Unseen


def rights_checks(rights: Rights | Unseen) -> list[Finding]:
    """Return whether the hub holds what it needs, and nothing beyond."""
    check, beyond = "rights", "rights beyond"
    if isinstance(rights, Unseen):
        return [unseen(check, rights)]
    findings = []
    if rights.missing:
        listed = _listed([describe_right(right) for right in rights.missing])
        findings.append(
            fail(
                check,
                f"{rights.user} lacks {len(rights.missing)} of {rights.asked} rights: it may not "
                f"{listed}",
                fix="apply the shipped roles: `towline manifests hub | kubectl apply "
                "--server-side -f -`, or deploy/hub",
            )
        )
    else:
        findings.append(ok(check, f"{rights.user} holds all {rights.asked} rights it needs"))
    if rights.dangerous:
        listed = _listed([describe_right(right) for right in rights.dangerous])
        findings.append(
            fail(
                beyond,
                f"{rights.user} may {listed}: whoever breaks into the hub has the whole cluster",
                fix="remove the bindings that give it more than the shipped roles",
            )
        )
    elif isinstance(rights.bindings, Unseen):
        findings.append(unseen(beyond, rights.bindings))
    elif rights.bindings:
        findings.append(
            warn(
                beyond,
                f"{rights.user} is also bound by {_listed(rights.bindings)}",
                fix="remove these bindings unless something else needs them",
            )
        )
    else:
        findings.append(ok(beyond, "nothing but the shipped roles is bound to it"))
    return findings


def describe_right(right: ResourceAttributes) -> str:
    """Return a right in words: `update certificatesigningrequests/approval.certificates.k8s.io`."""
    resource = "/".join(filter(None, (right.resource, right.subresource)))
    full = ".".join(filter(None, (resource, right.group)))
    named = f" {right.name}" if right.name else ""
    where = f" in {right.namespace}" if right.namespace else ""
    return f"{right.verb} {full}{named}{where}"


def rivals_check(deployments: Sequence[KubeObject] | Unseen, *, namespace: str) -> Finding:
    """Return whether controllers of Open Cluster Management do the same work beside us.

    Args:
        deployments: The Deployments in the hub's namespace and in that of such controllers.
        namespace: Where these usually run.
    """
    check = "other hubs"
    if isinstance(deployments, Unseen):
        return unseen(check, deployments)
    approving, managing = (
        [str(key_of(item)) for item in deployments if _runs_as(item) in accounts]
        for accounts in (APPROVERS, ADDON_MANAGERS)
    )
    if approving:
        return fail(
            check,
            f"{_listed(approving)} approves and accepts clusters as well: what this hub refuses, "
            "it may let in",
            fix="let one of the two do it: stop that controller, or run this hub with "
            "--addons-only",
        )
    if managing:
        return warn(
            check,
            f"{_listed(managing)} looks after add-ons as well",
            fix="name the add-ons that are this hub's in its setting `addons`, or stop one of the "
            "two",
        )
    return ok(check, f"no other controller of this kind runs in {namespace}")


def _runs_as(deployment: KubeObject) -> str | None:
    spec = deployment.get("spec") or {}
    if spec.get("replicas", 1) == 0 or name_of(deployment) == APP:
        return None
    pod = ((spec.get("template") or {}).get("spec")) or {}
    account = pod.get("serviceAccountName")
    return account if isinstance(account, str) else None


def _listed(items: Sequence[str]) -> str:
    shown = "; ".join(items[:_SHOWN])
    return f"{shown}; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown
