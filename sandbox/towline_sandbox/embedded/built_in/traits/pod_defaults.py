"""What stands in a Pod, or in a template for Pods, when nobody said anything."""

from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, Each, Made, set_defaults

_HANDLER: Defaults = {"httpGet": {"path": "/", "scheme": "HTTP"}}
_PROBE: Defaults = {
    **_HANDLER,
    "grpc": {"service": ""},
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_FIELD_REFERENCE: Defaults = {"fieldRef": {"apiVersion": "v1"}}
_CONTAINER: Defaults = {
    "ports": Each({"protocol": "TCP"}),
    "env": Each({"valueFrom": _FIELD_REFERENCE}),
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "lifecycle": {"postStart": _HANDLER, "preStop": _HANDLER},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_READABLE_BY_ALL = 0o644
_DOWNWARD_ITEMS = Each(_FIELD_REFERENCE)
_VOLUME: Defaults = {
    "secret": {"defaultMode": _READABLE_BY_ALL},
    "configMap": {"defaultMode": _READABLE_BY_ALL},
    "downwardAPI": {"defaultMode": _READABLE_BY_ALL, "items": _DOWNWARD_ITEMS},
    "projected": {
        "defaultMode": _READABLE_BY_ALL,
        "sources": Each(
            {
                "serviceAccountToken": {"expirationSeconds": 3600},
                "downwardAPI": {"items": _DOWNWARD_ITEMS},
            }
        ),
    },
    "hostPath": {"type": ""},
    "ephemeral": {"volumeClaimTemplate": {"spec": {"volumeMode": "Filesystem"}}},
}
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
POD_SPEC: Defaults = {
    "volumes": Each(_VOLUME),
    **{field: Each(_CONTAINER) for field in _CONTAINER_LISTS},
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": Made({}),
    "schedulerName": "default-scheduler",
}


def complete_pod_spec(spec: KubeObject) -> None:
    """Set the defaults of a Pod's spec, in place."""
    for volume in spec.get("volumes") or ():
        if volume.keys() <= {"name"}:
            volume["emptyDir"] = {}
    for container in containers(spec):
        pull = "Always" if _floats(container.get("image", "")) else "IfNotPresent"
        container["imagePullPolicy"] = container.get("imagePullPolicy") or pull
    set_defaults(spec, POD_SPEC)
    # Two names of one thing: the older is kept for those who still read it.
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def complete_pod(pod: KubeObject) -> None:
    """Set the defaults of a Pod, in place."""
    spec = pod["spec"]
    complete_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in containers(spec):
        limits = container["resources"].get("limits")
        if limits:
            requests = container["resources"].setdefault("requests", {})
            for resource, amount in limits.items():
                requests.setdefault(resource, amount)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                port["hostPort"] = port.get("hostPort") or port["containerPort"]
    pod["status"]["phase"] = pod["status"].get("phase") or "Pending"


def containers(spec: KubeObject) -> Iterator[KubeObject]:
    """Yield all containers of a Pod's spec."""
    for field in _CONTAINER_LISTS:
        yield from spec.get(field) or ()


def _floats(image: str) -> bool:
    """Return whether the image may be another one tomorrow."""
    named, at, _digest = image.partition("@")
    _, colon, tag = named.rpartition("/")[2].partition(":")
    return tag == "latest" if colon else not at
