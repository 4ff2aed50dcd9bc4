"""Cells say what `kubectl get` says on a real plane; the values were taken from one."""

from datetime import UTC, datetime

import pytest

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import kinds
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.views.columns import columns_for
from towline_sandbox.embedded.views.durations import Since

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

_SELECTOR = {
    "matchLabels": {"a": "b"},
    "matchExpressions": [
        {"key": "x", "operator": "NotIn", "values": ["q", "p"]},
        {"key": "zz", "operator": "DoesNotExist"},
        {"key": "A", "operator": "Exists"},
        {"key": "a", "operator": "In", "values": ["b", "c"]},
    ],
}
_TEMPLATE = {
    "spec": {
        "nodeSelector": {"z": "y", "b": "c"},
        "containers": [{"name": "c1", "image": "i1"}, {"name": "c2", "image": "i2:x"}],
    }
}


def row(kind: str, group: str, obj: KubeObject) -> dict[str, object]:
    """Return an object's cells by their headings, without what every object has."""
    cells = {}
    for column in columns_for(kind, group):
        value = column.value({"metadata": {"name": "x"}, **obj})
        cells[column.name] = value.at(NOW) if isinstance(value, Since) else value
    return {name: value for name, value in cells.items() if name not in ("Name", "Age")}


def rule(host: str | None) -> KubeObject:
    """Return one rule of an Ingress."""
    return {"host": host} if host else {}


@pytest.mark.parametrize(
    ("kind", "group", "obj", "cells"),
    [
        pytest.param(
            "ConfigMap",
            "",
            {"data": {"a": "b"}, "binaryData": {"c": "AA=="}},
            {"Data": 2},
            id="configmap",
        ),
        pytest.param("Secret", "", {"type": "Opaque"}, {"Type": "Opaque", "Data": 0}, id="secret"),
        pytest.param("Lease", "coordination.k8s.io", {"spec": {}}, {"Holder": ""}, id="lease"),
        pytest.param(
            "Node",
            "",
            {
                "metadata": {
                    "labels": {
                        "node-role.kubernetes.io/control-plane": "",
                        "node-role.kubernetes.io/b": "x",
                        "kubernetes.io/role": "r",
                    }
                },
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "Unknown"}],
                    "addresses": [{"type": "ExternalIP", "address": "2.2.2.2"}],
                    "nodeInfo": {"kubeletVersion": "v1"},
                },
            },
            {
                "Status": "NotReady,SchedulingDisabled",
                "Roles": "b,control-plane,r",
                "Version": "v1",
                "Internal-IP": "<none>",
                "External-IP": "2.2.2.2",
                "OS-Image": "<unknown>",
                "Kernel-Version": "<unknown>",
                "Container-Runtime": "<unknown>",
            },
            id="node",
        ),
        pytest.param(
            "Event",
            "events.k8s.io",
            {
                "type": "Normal",
                "reason": "R",
                "note": " words\n",
                "regarding": {"kind": "Deployment", "name": "p"},
                "eventTime": "2026-01-01T03:00:00.000000Z",
                "reportingController": "a/b",
                "reportingInstance": "i1",
                "series": {"count": 7, "lastObservedTime": "2026-01-01T11:00:00.000000Z"},
            },
            {
                "Last Seen": "60m",
                "Type": "Normal",
                "Reason": "R",
                "Object": "deployment/p",
                "Subobject": "",
                "Source": "a/b, i1",
                "Message": "words",
                "First Seen": "9h",
                "Count": 7,
            },
            id="event-series",
        ),
        pytest.param(
            "Event",
            "",
            {
                "type": "Normal",
                "reason": "R",
                "message": "words",
                "involvedObject": {"kind": "Pod", "fieldPath": "spec.x"},
                "firstTimestamp": "2026-01-01T11:55:00Z",
                "lastTimestamp": "2026-01-01T11:59:00Z",
                "count": 3,
                "source": {"component": "kubelet"},
            },
            {
                "Last Seen": "60s",
                "Type": "Normal",
                "Reason": "R",
                "Object": "pod",
                "Subobject": "spec.x",
                "Source": "kubelet",
                "Message": "words",
                "First Seen": "5m",
                "Count": 3,
            },
            id="event-counted",
        ),
        pytest.param(
            "ClusterRoleBinding",
            "rbac.authorization.k8s.io",
            {
                "roleRef": {"kind": "ClusterRole", "name": "view"},
                "subjects": [
                    {"kind": "User", "name": "u1"},
                    {"kind": "User", "name": "u2"},
                    {"kind": "ServiceAccount", "name": "sa", "namespace": "ns"},
                ],
            },
            {
                "Role": "ClusterRole/view",
                "Users": "u1, u2",
                "Groups": "",
                "ServiceAccounts": "ns/sa",
            },
            id="binding",
        ),
        pytest.param(
            "CertificateSigningRequest",
            "certificates.k8s.io",
            {
                "spec": {"signerName": "s", "username": "u", "expirationSeconds": 600},
                "status": {"conditions": [{"type": "Approved"}], "certificate": "x"},
            },
            {
                "SignerName": "s",
                "Requestor": "u",
                "RequestedDuration": "10m",
                "Condition": "Approved,Issued",
            },
            id="request-issued",
        ),
        pytest.param(
            "CertificateSigningRequest",
            "certificates.k8s.io",
            {
                "spec": {"signerName": "s", "username": "u"},
                "status": {"conditions": [{"type": "Approved"}, {"type": "Failed"}]},
            },
            {
                "SignerName": "s",
                "Requestor": "u",
                "RequestedDuration": "<none>",
                "Condition": "Approved,Failed",
            },
            id="request-failed",
        ),
        pytest.param(
            "CustomResourceDefinition",
            "apiextensions.k8s.io",
            {
                "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {
                    "scope": "Cluster",
                    "group": "g",
                    "names": {"kind": "K", "shortNames": ["a", "b"]},
                    "versions": [
                        {"name": "v2", "served": True},
                        {"name": "v10", "served": True, "storage": True},
                        {"name": "v3", "served": False},
                    ],
                },
                "status": {"conditions": [{"type": "Established", "status": "True"}]},
            },
            {
                "Scope": "Cluster",
                "Versions": "v10(storage),v2",
                "Created At": "2026-01-01T00:00:00Z",
                "Group": "g",
                "Kind": "K",
                "ShortNames": "a,b",
                "Established": True,
            },
            id="crd",
        ),
        pytest.param(
            "ValidatingAdmissionPolicyBinding",
            "admissionregistration.k8s.io",
            {"spec": {"policyName": "p", "paramRef": {"selector": {"matchLabels": {"b": "1"}}}}},
            {
                "PolicyName": "p",
                "ParamRef": (
                    "&LabelSelector{MatchLabels:map[string]string{b: 1,},"
                    "MatchExpressions:[]LabelSelectorRequirement{},}"
                ),
            },
            id="policy-binding-by-labels",
        ),
        pytest.param(
            "ValidatingAdmissionPolicyBinding",
            "admissionregistration.k8s.io",
            {"spec": {"policyName": "p", "paramRef": {"name": "x"}}},
            {"PolicyName": "p", "ParamRef": "*/x"},
            id="policy-binding-by-name",
        ),
        pytest.param(
            "Deployment",
            "apps",
            {
                "spec": {"replicas": 3, "selector": _SELECTOR, "template": _TEMPLATE},
                "status": {"readyReplicas": 2},
            },
            {
                "Ready": "2/3",
                "Up-to-date": 0,
                "Available": 0,
                "Containers": "c1,c2",
                "Images": "i1,i2:x",
                "Selector": "A,a=b,a in (b,c),x notin (p,q),!zz",
            },
            id="deployment",
        ),
        pytest.param(
            "DaemonSet",
            "apps",
            {"spec": {"selector": {}, "template": _TEMPLATE}, "status": {"numberReady": 1}},
            {
                "Desired": 0,
                "Current": 0,
                "Ready": 1,
                "Up-to-date": 0,
                "Available": 0,
                "Node Selector": "b=c,z=y",
                "Containers": "c1,c2",
                "Images": "i1,i2:x",
                "Selector": "<none>",
            },
            id="daemonset",
        ),
        pytest.param(
            "Job",
            "batch",
            {
                "spec": {"parallelism": 3, "template": _TEMPLATE},
                "status": {"startTime": "2026-01-01T11:50:00Z"},
            },
            {
                "Status": "Running",
                "Completions": "0/1 of 3",
                "Duration": "10m",
                "Containers": "c1,c2",
                "Images": "i1,i2:x",
                "Selector": "<none>",
            },
            id="job-running",
        ),
        pytest.param(
            "Job",
            "batch",
            {
                "spec": {"completions": 1, "template": _TEMPLATE},
                "status": {
                    "succeeded": 1,
                    "startTime": "2026-01-01T11:50:00Z",
                    "completionTime": "2026-01-01T11:53:00Z",
                    "conditions": [{"type": "Complete", "status": "True"}],
                },
            },
            {
                "Status": "Complete",
                "Completions": "1/1",
                "Duration": "3m",
                "Containers": "c1,c2",
                "Images": "i1,i2:x",
                "Selector": "<none>",
            },
            id="job-complete",
        ),
        pytest.param(
            "Service",
            "",
            {
                "spec": {
                    "type": "LoadBalancer",
                    "clusterIPs": ["10.0.0.7"],
                    "externalIPs": ["9.9.9.9"],
                    "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}],
                },
                "status": {"loadBalancer": {"ingress": [{"ip": "3.3.3.3"}, {"hostname": "b"}]}},
            },
            {
                "Type": "LoadBalancer",
                "Cluster-IP": "10.0.0.7",
                "External-IP": "3.3.3.3,b,9.9.9.9",
                "Port(s)": "80:30000/TCP",
                "Selector": "<none>",
            },
            id="service-balanced",
        ),
        pytest.param(
            "Service",
            "",
            {"spec": {"type": "ExternalName", "externalName": "ex.com", "selector": {"a": "b"}}},
            {
                "Type": "ExternalName",
                "Cluster-IP": "<none>",
                "External-IP": "ex.com",
                "Port(s)": "<none>",
                "Selector": "a=b",
            },
            id="service-elsewhere",
        ),
        pytest.param(
            "EndpointSlice",
            "discovery.k8s.io",
            {
                "addressType": "IPv4",
                "ports": [{"port": 80}, {"name": "b"}, {}],
                "endpoints": [{"addresses": [f"1.1.1.{number}"]} for number in range(5)],
            },
            {
                "AddressType": "IPv4",
                "Ports": "80,b,*",
                "Endpoints": "1.1.1.0,1.1.1.1,1.1.1.2 + 2 more...",
            },
            id="endpoints",
        ),
        pytest.param(
            "Ingress",
            "networking.k8s.io",
            {"spec": {"rules": [rule("a"), rule("b"), rule("c"), rule(None), rule("d")]}},
            {"Class": "<none>", "Hosts": "a,b,c + 2 more...", "Address": "", "Ports": "80"},
            id="ingress-many-hosts",
        ),
        pytest.param(
            "Ingress",
            "networking.k8s.io",
            {"spec": {"tls": [{}], "rules": [rule("a"), rule(None), rule("b"), rule("c")]}},
            {"Class": "<none>", "Hosts": "a,b,c", "Address": "", "Ports": "80, 443"},
            id="ingress-few-hosts",
        ),
        pytest.param(
            "PersistentVolumeClaim",
            "",
            {
                "spec": {"volumeName": "v", "storageClassName": "sc"},
                "status": {
                    "phase": "Bound",
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "capacity": {"storage": "1Gi"},
                },
            },
            {
                "Status": "Bound",
                "Volume": "v",
                "Capacity": "1Gi",
                "Access Modes": "RWO,RWX",
                "StorageClass": "sc",
                "VolumeAttributesClass": "<unset>",
                "VolumeMode": "<unset>",
            },
            id="claim",
        ),
        pytest.param(
            "PodDisruptionBudget",
            "policy",
            {"spec": {"maxUnavailable": 0}, "status": {"disruptionsAllowed": 2}},
            {"Min Available": "N/A", "Max Unavailable": "0", "Allowed Disruptions": 2},
            id="budget",
        ),
    ],
)
def test_cells_are_those_of_a_real_plane(
    kind: str, group: str, obj: KubeObject, cells: dict[str, object]
) -> None:
    """Kubectl prints them as they come."""
    assert row(kind, group, obj) == cells


def test_the_default_storage_class_is_marked_beside_its_name() -> None:
    """The only name that is not just the name."""
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    name = columns_for("StorageClass", "storage.k8s.io")[0]
    assert name.value({"metadata": {"name": "sc", "annotations": annotations}}) == "sc (default)"


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.resource.qualified)
def test_every_column_can_do_with_an_empty_object(kind: Kind) -> None:
    """Bookmarks of a watch are objects of their kind with next to nothing in them."""
    for column in columns_for(kind.resource.kind, kind.resource.group):
        column.value({"metadata": {"resourceVersion": "7"}})
