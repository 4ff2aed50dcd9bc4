"""Checks of the API server and of what the hub asks of it: clock, kinds, guard, signer.

Pure: facts in, findings out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_api.conditions import find_condition, is_true
from towline_api.metadata import name_of
from towline_api.resources import KubeObject
from towline_certs.signing_requests import SigningRequest
from towline_hub.doctor.findings import Finding, fail, ok, unseen, warn
from towline_hub.explain.requests import SIGNING_TAKES
from towline_hub.looking import Unseen
from towline_hub.object_writer import holds
from towline_hub.spans import rough

_OLDEST_MINOR = 30
"""Of Kubernetes 1: the first that serves what the acceptance guard is made of."""
_CLOCKS_MAY_DIFFER = timedelta(seconds=5)
_CLOCKS_MUST_AGREE = timedelta(seconds=60)
"""A certificate is valid from some seconds before it was issued; more is told as clock skew."""
_SHOWN = 3


def version_check(version: str) -> Finding:
    """Return whether the API server is new enough."""
    check = "API server"
    match = re.match(r"v1\.(\d+)", version)
    if match is not None and int(match[1]) >= _OLDEST_MINOR:
        return ok(check, f"Kubernetes {version} answers")
    return warn(
        check,
        f"Kubernetes {version} answers",
        fix=f"from 1.{_OLDEST_MINOR} on the API server itself keeps agents from accepting clusters",
    )


def clock_check(*, server: datetime | None, before: datetime, after: datetime) -> Finding:
    """Return whether the clocks here and at the API server agree.

    Args:
        server: The server's time, whole seconds; None if it did not say.
        before: Our time when we asked.
        after: Our time when the answer was there.
    """
    check = "clocks"
    if server is None:
        return unseen(check, Unseen("the API server did not say what time it is"))
    # The second that was cut off and the way of the question are nobody's fault.
    apart = max(server - after, before - server - timedelta(seconds=1), timedelta())
    ahead = "ahead of" if server > after else "behind"
    if apart <= _CLOCKS_MAY_DIFFER:
        return ok(check, "the API server's clock and this machine's agree")
    found = f"the API server's clock is {rough(apart)} {ahead} this machine's"
    fix = "set both by NTP; certificates and leases are judged by these clocks"
    if apart <= _CLOCKS_MUST_AGREE:
        return warn(check, found, fix=fix)
    return fail(check, found, fix=fix)


@dataclass(frozen=True, slots=True)
class ServedKind:
    """One kind of the hub.

    Args:
        name: Name of its CRD.
        spoken: The versions the hub can speak.
        crd: The CRD; None if there is none.
        problems: What listing came to, by served version, where it failed.
    """

    name: str
    spoken: tuple[str, ...]
    crd: KubeObject | Unseen | None
    problems: dict[str, str]


def kind_check(kind: ServedKind) -> Finding:
    """Return whether a kind is there, established, and served in every version it promises."""
    check = f"CRD {kind.name.partition('.')[0]}"
    if isinstance(kind.crd, Unseen):
        return unseen(check, kind.crd)
    if kind.crd is None:
        return fail(
            check,
            f"there is no CRD {kind.name}",
            fix="`towline crds | kubectl apply --server-side -f -`, or run the hub with "
            "--install-crds",
        )
    spec = kind.crd.get("spec") or {}
    served = [str(item.get("name")) for item in spec.get("versions") or () if item.get("served")]
    if not set(kind.spoken) & set(served):
        return fail(
            check,
            f"CRD {kind.name} serves {', '.join(served) or 'nothing'}; the hub speaks "
            f"{' and '.join(kind.spoken)}",
            fix="bring the CRD up to date: `towline crds | kubectl apply --server-side -f -`",
        )
    if not is_true(kind.crd, "Established"):
        condition = find_condition(kind.crd, "NamesAccepted")
        said = f": {condition.message}" if condition is not None and condition.message else ""
        return fail(
            check,
            f"CRD {kind.name} is not established{said}",
            fix="remove what its names clash with",
        )
    if kind.problems:
        listed = "; ".join(f"{version}: {said}" for version, said in kind.problems.items())
        return fail(
            check,
            f"not every version can be read: {listed}",
            fix="if a conversion webhook is named, whoever serves it has to run and be reachable "
            "from the API server; see the checks of hub and webhook",
        )
    return ok(check, f"{kind.name} is served as {', '.join(served)}")


@dataclass(frozen=True, slots=True)
class Guard:
    """A rule that the API server is to enforce for the hub.

    Args:
        check: What it guards, in a word or two.
        without: What anybody could do if it were not in force, in half a sentence.
        desired: The ValidatingAdmissionPolicy and its binding as the hub makes them.
        policy: The policy that is there.
        binding: The binding that is there.
        webhook: An admission webhook that does the same; None if there is none.
    """

    check: str
    without: str
    desired: tuple[KubeObject, KubeObject]
    policy: KubeObject | Unseen | None
    binding: KubeObject | Unseen | None
    webhook: KubeObject | Unseen | None = None


def guard_check(guard: Guard) -> Finding:
    """Return whether a guard is in force."""
    check, (desired_policy, desired_binding) = guard.check, guard.desired
    policy, binding, name = guard.policy, guard.binding, name_of(desired_policy)
    for fact in (policy, binding):
        if isinstance(fact, Unseen):
            return unseen(check, fact)
    if (
        isinstance(policy, dict)
        and isinstance(binding, dict)
        and holds(desired_policy, policy)
        and holds(desired_binding, binding)
    ):
        checked = (policy.get("status") or {}).get("typeChecking") or {}
        warnings = checked.get("expressionWarnings")
        if not warnings:
            return ok(check, f"ValidatingAdmissionPolicy {name} is in force")
        return fail(
            check,
            f"the API server finds fault with {name}: {warnings[0].get('warning')}",
            fix="bring the CRDs of the hub up to date",
        )
    if isinstance(guard.webhook, dict):
        return ok(check, f"webhook {name_of(guard.webhook)} does the same")
    missing = "missing" if policy is None or binding is None else "not what the hub makes it"
    return fail(
        check,
        f"ValidatingAdmissionPolicy {name} is {missing}: {guard.without}",
        fix="the hub puts it in place when it starts; grant it its shipped role and restart it",
    )


def signer_check(requests: Sequence[KubeObject] | Unseen, *, now: datetime) -> Finding:
    """Return whether approved requests get their certificates."""
    check = "signer"
    if isinstance(requests, Unseen):
        return unseen(check, requests)
    waiting: dict[str, list[str]] = {}
    signed = 0
    for obj in requests:
        request = SigningRequest.from_csr(obj)
        if request.has_certificate:
            signed += 1
            continue
        approved = find_condition(obj, "Approved")
        since = approved.last_transition_time if approved is not None else None
        if "Failed" in request.decisions or since is None or now - since < SIGNING_TAKES:
            continue
        waiting.setdefault(request.signer_name, []).append(request.name)
    if waiting:
        listed = "; ".join(
            f"{signer}: {', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}"
            for signer, names in sorted(waiting.items())
        )
        return fail(
            check,
            f"approved long ago and not signed: {listed}",
            fix="kubernetes.io/… is signed by the hub cluster's kube-controller-manager, which "
            "needs --cluster-signing-cert-file and --cluster-signing-key-file; other signers by "
            "the hub, which needs them in its setting `signers`",
        )
    if not signed:
        return ok(check, "no approved request waits; none of late tells more")
    return ok(check, f"no approved request waits; {signed} of late were signed")
