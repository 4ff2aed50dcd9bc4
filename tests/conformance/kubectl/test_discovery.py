"""What kubectl finds out about a server: its version, its kinds, their fields."""

import json

from conformance.kubectl.command import Kubectl
from conformance.planes import Plane, differs

NAMESPACE_VERBS = "create,delete,get,list,patch,update,watch"
ALL_VERBS = "create,delete,deletecollection,get,list,patch,update,watch"


async def test_the_version_is_told(kubectl: Kubectl, plane: Plane) -> None:
    """The embedded plane says that it is one."""
    found = json.loads((await kubectl("version", "-o", "json")).out)
    suffix = differs(
        plane, embedded="+towline.embedded", kube="", because="nobody should mistake the two"
    )
    assert found["serverVersion"]["gitVersion"] == f"v1.37.2{suffix}"
    assert (found["serverVersion"]["major"], found["serverVersion"]["minor"]) == ("1", "37")


async def test_the_cluster_is_told(kubectl: Kubectl, plane: Plane) -> None:
    """Its address; there are no services that it would offer."""
    lines = (await kubectl("cluster-info")).ok().splitlines()
    assert f"is running at {plane.control.server}" in lines[0]


async def test_groups_are_listed(kubectl: Kubectl) -> None:
    """Every plane has these."""
    versions = (await kubectl("api-versions")).ok().split()
    assert versions == sorted(versions)
    assert {
        *("v1", "apps/v1", "batch/v1", "coordination.k8s.io/v1", "certificates.k8s.io/v1"),
        *("rbac.authorization.k8s.io/v1", "authorization.k8s.io/v1", "authentication.k8s.io/v1"),
        *("apiextensions.k8s.io/v1", "admissionregistration.k8s.io/v1", "events.k8s.io/v1"),
    } <= set(versions)


async def test_kinds_are_listed(kubectl: Kubectl) -> None:
    """With their short names, verbs and categories."""
    rows = (await kubectl("api-resources", "-o", "wide")).table()
    heading = ("NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS", "CATEGORIES")
    assert rows[0] == list(heading)
    for row in (
        ["configmaps", "cm", "v1", "true", "ConfigMap", ALL_VERBS, ""],
        ["deployments", "deploy", "apps/v1", "true", "Deployment", ALL_VERBS, "all"],
        ["leases", "", "coordination.k8s.io/v1", "true", "Lease", ALL_VERBS, ""],
        ["tokenreviews", "", "authentication.k8s.io/v1", "false", "TokenReview", "create", ""],
        ["namespaces", "ns", "v1", "false", "Namespace", NAMESPACE_VERBS, ""],
    ):
        assert row in rows, row


async def test_kinds_are_selected(kubectl: Kubectl) -> None:
    """By verb and scope, as scripts do that back up everything."""
    names = await kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name")
    found = set(names.ok().split())
    assert {"configmaps", "leases.coordination.k8s.io", "deployments.apps"} <= found
    assert found.isdisjoint({"namespaces", "localsubjectaccessreviews.authorization.k8s.io"})


async def test_fields_are_explained(kubectl: Kubectl, plane: Plane) -> None:
    """Names, types, enums; how deep one wants."""
    lines = (await kubectl("explain", "lease.spec", "--recursive")).ok().splitlines()
    assert lines[:5] == [
        "GROUP:      coordination.k8s.io",
        "KIND:       Lease",
        "VERSION:    v1",
        "",
        "FIELD: spec <LeaseSpec>",
    ]
    fields = [line.strip() for line in lines if "\t" in line]
    assert fields == [
        "acquireTime\t<string>",
        "holderIdentity\t<string>",
        "leaseDurationSeconds\t<integer>",
        "leaseTransitions\t<integer>",
        "preferredHolder\t<string>",
        "renewTime\t<string>",
        "strategy\t<string>",
    ]
    described = differs(
        plane,
        embedded="    <no description>",
        kube="    renewTime is a time when the current holder of a lease has last updated the",
        because="megabytes of descriptions would be loaded with every plane",
    )
    lines = (await kubectl("explain", "lease.spec.renewTime")).ok().splitlines()
    assert "FIELD: renewTime <string>" in lines or "FIELD: renewTime <MicroTime>" in lines
    shown = (await kubectl("explain", "lease.spec")).ok().splitlines()
    assert shown[shown.index("  renewTime\t<string>") + 1] == described
    enum = (await kubectl("explain", "deployment.spec.strategy")).ok()
    assert "  type\t<string>\n  enum: Recreate, RollingUpdate\n" in enum


async def test_what_is_not_there_is_not_explained(kubectl: Kubectl) -> None:
    """Neither kinds nor fields."""
    (await kubectl("explain", "nonsense")).assert_failed(
        'the server doesn\'t have a resource type "nonsense"'
    )
    ran = await kubectl("explain", "cm.nonsense")
    assert (ran.code, ran.err) == (1, 'error: field "nonsense" does not exist\n')


async def test_a_kind_that_nobody_knows(kubectl: Kubectl) -> None:
    """Is not created."""
    unknown = {"apiVersion": "example.com/v1", "kind": "Nonsense", "metadata": {"name": "x"}}
    (await kubectl("create", "-f", "-", stdin=unknown)).assert_failed(
        'error: resource mapping not found for name: "x" namespace: "" from "STDIN": no matches '
        'for kind "Nonsense" in version "example.com/v1"',
        "ensure CRDs are installed first",
    )
