"""The agent's Deployment: one pod that may do nothing on its node, and writes nothing to a disk.

Pure. It meets the `restricted` pod security standard of Kubernetes.
"""

from typing import Any

from towline_api.names import BOOTSTRAP_SECRET, KUBECONFIG_KEY, MANAGED_BY_LABEL
from towline_api.resources import KubeObject
from towline_kube.deploying.restricted_pods import container_security, pod_security, probes

APP = "towline-agent"
SERVICE_ACCOUNT = APP
SETTINGS_NAME = APP
"""Name of the ConfigMap with the settings file."""
SETTINGS_FILE = "agent.yaml"
METRICS_PORT = 8080
AGENT_ARGUMENTS = ("agent", "run")

_SETTINGS_FOLDER = "/etc/towline"
_BOOTSTRAP_FOLDER = "/var/run/towline/bootstrap"
BOOTSTRAP_KUBECONFIG = f"{_BOOTSTRAP_FOLDER}/{KUBECONFIG_KEY}"
"""Where the bootstrap Secret's kubeconfig is mounted."""
_READABLE = 0o440
"""By the agent's group, which the kubelet gives the files to, and by nobody else."""


def deployment(*, namespace: str, image: str) -> KubeObject:
    """Return the Deployment.

    Args:
        namespace: Where it runs.
        image: Its container image.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": namespace, "labels": app_labels()},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": {"app.kubernetes.io/name": APP}},
            # Two at a time would ask for the same certificate and get into each other's way.
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {
                    "labels": app_labels(),
                    "annotations": {"kubectl.kubernetes.io/default-container": "agent"},
                },
                "spec": _pod(image),
            },
        },
    }


def app_labels() -> dict[str, str]:
    """Return the labels of everything that belongs to the installed agent."""
    return {
        "app.kubernetes.io/name": APP,
        "app.kubernetes.io/part-of": "towline",
        MANAGED_BY_LABEL: "towline",
    }


def _pod(image: str) -> dict[str, Any]:
    return {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [_container(image)],
        "volumes": [
            {"name": "settings", "configMap": {"name": SETTINGS_NAME}},
            {
                "name": "bootstrap",
                "secret": {
                    "secretName": BOOTSTRAP_SECRET,
                    "defaultMode": _READABLE,
                    # Who has joined can do without, and must be able to start without.
                    "optional": True,
                },
            },
        ],
    }


def _container(image: str) -> dict[str, Any]:
    return {
        "name": "agent",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(AGENT_ARGUMENTS),
        # Not a flag, so that `towline agent status` inside of the pod reads the same settings.
        "env": [{"name": "TOWLINE_CONFIG", "value": f"{_SETTINGS_FOLDER}/{SETTINGS_FILE}"}],
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        # Nobody is sent here because it is ready, so that need not be known at once; and a kubelet
        # that asks as often as is usual costs as much as all else that an agent at rest does.
        **probes(port="metrics", alive_every=20, ready_every=10),
        # At rest it needs next to nothing. Processor time is not limited: TLS and keys at the start
        # would only take longer. Memory grows with the nodes, claims and configuration it watches.
        "resources": {
            "requests": {"cpu": "10m", "memory": "96Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "settings", "mountPath": _SETTINGS_FOLDER, "readOnly": True},
            {"name": "bootstrap", "mountPath": _BOOTSTRAP_FOLDER, "readOnly": True},
        ],
    }
