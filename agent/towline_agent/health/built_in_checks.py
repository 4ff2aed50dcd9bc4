"""Health checks that many add-ons need, to be registered with `AddonAgent.health`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from towline_agent.applying.ownership import to_selector
from towline_agent.clusters.spoke_health import probe
from towline_agent.health.rounds import UnhealthyError
from towline_agent.station.spoke_access import Spoke
from towline_api.metadata import is_being_deleted, name_of
from towline_api.resources import PODS, KubeObject
from towline_kube.redaction import quotable

_ENDED = frozenset({"Succeeded", "Failed"})
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class ApiServerLives:
    """The managed cluster's API server says that it is well.

    It is asked for `/livez`, and for `/healthz` where that is not served or not allowed, as OCM
    does. Kubernetes allows both to everybody unless an administrator took that away.
    """

    name: str = field(default="api-server", init=False)
    """What messages call the check."""

    async def __call__(self, spoke: Spoke) -> bool:
        """Return True.

        Raises:
            UnhealthyError: It is not well, or does not answer.
        """
        failure = await probe(spoke.client)
        if failure is not None:
            raise UnhealthyError(failure)
        return True


@dataclass(frozen=True, slots=True)
class PodsReady:
    """Every pod with these labels is ready, and there are enough of them.

    Pods that have ended or are being deleted do not count, as for Kubernetes' own controllers. It
    takes the right to list pods in that namespace, see `pod_check_rules`.

    Args:
        labels: Labels of the pods; at least one.
        at_least: How many there have to be; at least 1.
        namespace: Where they are; None for the add-on's install namespace.
        on_hosting_cluster: Whether they run beside the add-on's agent, where that runs on another
            cluster than the managed one.

    Raises:
        ValueError: There is no label, or none would be enough.
    """

    labels: Mapping[str, str]
    at_least: int = 1
    namespace: str | None = None
    on_hosting_cluster: bool = False

    def __post_init__(self) -> None:
        if not self.labels:
            raise ValueError("PodsReady needs at least one label, or it would look at every pod")
        if self.at_least < 1:
            raise ValueError(f"PodsReady: expected at least 1 pod, found at_least={self.at_least}")

    @property
    def name(self) -> str:
        """What messages call the check."""
        return f"pods {to_selector(self.labels)}"

    async def __call__(self, spoke: Spoke) -> bool:
        """Return True.

        Raises:
            UnhealthyError: Pods are not ready, or missing; it says which, and why.
            ApiError: They cannot be listed.
        """
        client = spoke.home if self.on_hosting_cluster else spoke.client
        namespace = self.namespace or spoke.namespace
        selector = to_selector(self.labels)
        listed = await client.list(PODS, namespace=namespace, label_selector=selector)
        trouble = find_pod_trouble(listed.items, at_least=self.at_least)
        if trouble is not None:
            raise UnhealthyError(f"pods with {selector} in namespace {namespace}: {trouble}")
        return True


def find_pod_trouble(pods: Sequence[KubeObject], *, at_least: int) -> str | None:
    """Return what is wrong with some pods; None if each is ready and there are enough of them.

    Args:
        pods: The pods; those that have ended or are being deleted do not count.
        at_least: How many there have to be.
    """
    active = sorted(filter(_is_active, pods), key=name_of)
    waiting = [f"{name_of(pod)} ({why})" for pod in active if (why := _unready_reason(pod))]
    if waiting:
        named = waiting[:_MOST_NAMED]
        if len(waiting) > _MOST_NAMED:
            named.append(f"and {len(waiting) - _MOST_NAMED} more")
        return f"{len(waiting)} of {len(active)} not ready: {', '.join(named)}"
    if len(active) < at_least:
        return f"expected at least {at_least}, found {len(active)}"
    return None


def pod_check_rules() -> list[dict[str, Any]]:
    """Return the rules that `PodsReady` needs, for a Role in the namespace of the pods."""
    return [{"apiGroups": [PODS.group], "resources": [PODS.plural], "verbs": ["list"]}]


def _is_active(pod: KubeObject) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase not in _ENDED and not is_being_deleted(pod)


def _unready_reason(pod: KubeObject) -> str:
    """Return why a pod is not ready; empty if it is."""
    status = pod.get("status") or {}
    ready: dict[str, Any] = next(
        (c for c in status.get("conditions") or () if c.get("type") == "Ready"), {}
    )
    if ready.get("status") == "True":
        return ""
    waits = (
        (container.get("state") or {}).get("waiting") or {}
        for container in status.get("containerStatuses") or ()
    )
    reasons = [str(wait["reason"]) for wait in waits if wait.get("reason")]
    reasons += [str(ready.get("reason") or ""), str(status.get("phase") or "")]
    return quotable(next(filter(None, reasons), "no status yet"), longest=100)
