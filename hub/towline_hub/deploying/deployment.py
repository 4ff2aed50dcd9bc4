"""The hub's Deployment: two replicas that may do nothing on their node.

Pure. It meets the `restricted` pod security standard of Kubernetes.
"""

from typing import Any

from towline_api import names
from towline_api.resources import KubeObject
from towline_kube.deploying.restricted_pods import container_security, pod_security, probes

APP = "towline-hub"
SERVICE_ACCOUNT = APP
SETTINGS_NAME = APP
"""Name of the ConfigMap with the settings file."""
SETTINGS_FILE = "hub.yaml"
METRICS_PORT = 8080
WEBHOOK_PORT = 9443

_SETTINGS_FOLDER = "/etc/towline"
_GRACE_SECONDS = 30
"""Twice what giving up the lease, draining and the pause before take."""
_PAUSE_SECONDS = 5
"""Between leaving the Service and stopping: an API server that has not heard of it yet still asks
this replica to convert."""


def hub_arguments(*, folder: str = _SETTINGS_FOLDER) -> list[str]:
    """Return the arguments the hub's container is started with.

    Args:
        folder: Where the settings file is.
    """
    return ["hub", "run", "--config", f"{folder}/{SETTINGS_FILE}"]


def deployment(*, namespace: str, image: str, replicas: int) -> KubeObject:
    """Return the Deployment.

    Args:
        namespace: Where it runs.
        image: Its container image.
        replicas: How many run; they elect one that works.
    """
    selector = {"app.kubernetes.io/name": APP}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": namespace, "labels": app_labels()},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selector},
            # The next one is up before the last one goes, so that the webhook always answers.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {
                    "labels": app_labels(),
                    "annotations": {"kubectl.kubernetes.io/default-container": "hub"},
                },
                "spec": _pod(image, selector=selector),
            },
        },
    }


def app_labels() -> dict[str, str]:
    """Return the labels of everything that belongs to the installed hub."""
    return {
        "app.kubernetes.io/name": APP,
        "app.kubernetes.io/part-of": "towline",
        names.MANAGED_BY_LABEL: "towline",
    }


def _pod(image: str, *, selector: dict[str, str]) -> dict[str, Any]:
    return {
        "serviceAccountName": SERVICE_ACCOUNT,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": pod_security(),
        # A wish, not a demand: on one node, two replicas are still better than one.
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ],
        "containers": [_container(image)],
        "volumes": [
            {"name": "settings", "configMap": {"name": SETTINGS_NAME}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        ],
    }


def _container(image: str) -> dict[str, Any]:
    return {
        "name": "hub",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": hub_arguments(),
        "ports": [
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
            {"name": "webhook", "containerPort": WEBHOOK_PORT, "protocol": "TCP"},
        ],
        **probes(port="metrics"),
        "lifecycle": {"preStop": {"sleep": {"seconds": _PAUSE_SECONDS}}},
        # Memory of 10,000 clusters at rest fits twice; processor time is not limited, since a hub
        # that is held back while a fleet joins only keeps the fleet waiting.
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "settings", "mountPath": _SETTINGS_FOLDER, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a mount point, not a file of ours
        ],
    }
