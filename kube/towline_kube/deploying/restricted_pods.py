"""Pods that may do nothing on their node: the `restricted` pod security standard of Kubernetes.

Pure; see https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.
"""

from collections.abc import Mapping
from typing import Any

from towline_api.resources import KubeObject

USER = 65532
"""What images without a root user usually call their one user; ours does."""
_MODES = ("enforce", "audit", "warn")


def restricted_namespace(name: str, *, labels: Mapping[str, str]) -> KubeObject:
    """Return a namespace in which only pods without privileges may run."""
    security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in _MODES}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**labels, **security}},
    }


def pod_security() -> dict[str, Any]:
    """Return the security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Return the security context of a container; it may write into what is mounted, no more."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def probes(*, port: str, alive_every: int = 10, ready_every: int = 5) -> dict[str, Any]:
    """Return the probes of a container that answers `/healthz` and `/readyz`.

    A slow node may take two minutes to start it. After that it is restarted when it was not healthy
    three times in a row.

    Args:
        port: Name of the port it answers at.
        alive_every: Seconds between two looks at whether it has to be restarted.
        ready_every: Seconds between two looks at whether it may be asked.
    """
    return {
        "startupProbe": _probe("/healthz", port=port, period=2, failures=60),
        "livenessProbe": _probe("/healthz", port=port, period=alive_every, failures=3),
        "readinessProbe": _probe("/readyz", port=port, period=ready_every, failures=2),
    }


def _probe(path: str, *, port: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
