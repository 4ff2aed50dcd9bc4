"""Pods: fixed once they are there, save a few fields."""

from collections.abc import Iterator
from copy import deepcopy
from random import Random

from towline_api.resources import PODS, KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain
from towline_sandbox.embedded.built_in.traits.composing import selectable, text_at
from towline_sandbox.embedded.built_in.traits.pod_defaults import complete_pod, containers
from towline_sandbox.embedded.built_in.traits.pod_rules import check_pod_spec
from towline_sandbox.embedded.built_in.traits.pod_warnings import warn_of_new_pod
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import forbidden_field

_TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # a path, no secret
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
_FIXED_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def _fill(_call: Call, new: KubeObject, old: KubeObject | None) -> None:
    if old is not None:
        return
    spec = new["spec"]
    new["status"] = {"phase": "Pending", "qosClass": _quality(spec)}
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    if spec.get("automountServiceAccountToken", True):
        _mount_token(spec, seed=new["metadata"].get("uid", ""))
    _tolerate(spec)


def _mount_token(spec: KubeObject, *, seed: str) -> None:
    name = f"kube-api-access-{''.join(Random(seed).choices(_LETTERS, k=5))}"  # noqa: S311
    mounted = False
    for container in containers(spec):
        mounts = container.setdefault("volumeMounts", [])
        if all(mount.get("mountPath") != _TOKEN_FOLDER for mount in mounts):
            mounts.append({"name": name, "readOnly": True, "mountPath": _TOKEN_FOLDER})
            mounted = True
    if mounted:
        spec.setdefault("volumes", []).append({"name": name, "projected": _token_sources()})


def _token_sources() -> KubeObject:
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
        ],
        "defaultMode": 0o644,
    }


def _tolerate(spec: KubeObject) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for taint in _TAINTS:
        if not any(_tolerates(toleration, taint) for toleration in tolerations):
            tolerations.append(
                {
                    "key": taint,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
            )


def _tolerates(toleration: KubeObject, taint: str) -> bool:
    effect: str = toleration.get("effect", "NoExecute")
    key: str = toleration.get("key", taint)
    return key == taint and effect == "NoExecute"


def _quality(spec: KubeObject) -> str:
    amounts = [container["resources"] for container in containers(spec)]
    if not any(a.get("limits") or a.get("requests") for a in amounts):
        return "BestEffort"
    guaranteed = all(
        a.get("limits", {}).keys() >= {"cpu", "memory"} and a.get("limits") == a.get("requests")
        for a in amounts
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    yield from check_pod_spec("spec", new["spec"])
    if old is not None and _fixed_part(new) != _fixed_part(old):
        yield forbidden_field("spec", _FIXED_SPEC)


def _fixed_part(pod: KubeObject) -> KubeObject:
    spec: KubeObject = deepcopy(pod["spec"])
    for field in _CHANGEABLE:
        spec.pop(field, None)
    for container in containers(spec):
        container.pop("image", None)
    return spec


TRAITS = {
    StorageKey(PODS.group, PODS.plural): Traits(
        complete=complete_pod,
        fill=_fill,
        check=_check,
        warn=warn_of_new_pod,
        check_name=dns_subdomain,
        counts_generation=True,
        selectable={
            **selectable(
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ),
            "spec.hostNetwork": lambda pod: text_at("spec.hostNetwork")(pod) or "false",
        },
    ),
}
