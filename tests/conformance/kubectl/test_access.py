"""Who may do what, as kubectl asks it; and kubectl as somebody else."""

from pathlib import Path

import pytest
import yaml

from conformance.callers import Callers
from conformance.kubectl.command import Kubectl
from conformance.planes import Plane


@pytest.fixture
async def reader(kubectl: Kubectl) -> str:
    """A service account that may read one ConfigMap."""
    (await kubectl("create", "serviceaccount", "reader")).assert_said(
        "serviceaccount/reader created"
    )
    rule = ("--verb=get", "--resource=configmaps", "--resource-name=mine")
    (await kubectl("create", "role", "reader", *rule)).ok()
    bound = ("--role=reader", f"--serviceaccount={kubectl.namespace}:reader")
    (await kubectl("create", "rolebinding", "reader", *bound)).ok()
    (await kubectl("create", "cm", "mine")).ok()
    return f"system:serviceaccount:{kubectl.namespace}:reader"


async def test_permissions_are_asked_for(kubectl: Kubectl, reader: str) -> None:
    """The answer is also the exit status."""

    async def may(*words: str) -> tuple[int, str]:
        ran = await kubectl("auth", "can-i", *words)
        return ran.code, ran.out.strip()

    assert await may("get", "cm/mine", f"--as={reader}") == (0, "yes")
    assert await may("get", "cm", f"--as={reader}") == (1, "no")
    assert await may("delete", "cm/mine", f"--as={reader}", "--quiet") == (1, "")
    assert await may("*", "*") == (0, "yes")
    assert await may("get", "pods", "--subresource=log", f"--as={reader}") == (1, "no")
    assert await may("get", "/version", f"--as={reader}") == (0, "yes")
    assert await may("get", "/metrics", f"--as={reader}") == (1, "no")


async def test_permissions_are_listed(kubectl: Kubectl, reader: str) -> None:
    """All of the namespace, as rules."""
    rows = (await kubectl("auth", "can-i", "--list", f"--as={reader}")).table()
    assert rows[0] == ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]
    assert ["configmaps", "[]", "[mine]", "[get]"] in rows
    assert ["selfsubjectreviews.authentication.k8s.io", "[]", "[]", "[create]"] in rows
    assert ["", "[/version]", "[]", "[get]"] in rows


async def test_the_caller_is_told_who_it_is(kubectl: Kubectl) -> None:
    """As the server sees it."""
    rows = (await kubectl("auth", "whoami")).table()
    assert ["Groups", "[system:masters system:authenticated]"] in rows
    other = await kubectl("auth", "whoami", "--as=somebody", "--as-group=some", "--as-uid=7")
    assert other.table() == [
        ["ATTRIBUTE", "VALUE"],
        ["Username", "somebody"],
        ["UID", "7"],
        ["Groups", "[some system:authenticated]"],
    ]


async def test_a_token_is_made_and_used(
    kubectl: Kubectl, reader: str, plane: Plane, tmp_path: Path
) -> None:
    """Whoever has it is the service account."""
    token = (await kubectl("create", "token", "reader")).ok().strip()
    config = yaml.safe_load(plane.control.admin_kubeconfig())
    config["users"][0]["user"] = {}
    account = kubectl.by(yaml.safe_dump(config), folder=tmp_path)
    shown = f"--token={token}"
    assert (await account(shown, "auth", "whoami")).table()[1] == ["Username", reader]
    assert (await account(shown, "get", "cm", "mine")).table()[1] == ["mine", "0", "AGE"]
    (await account(shown, "get", "cm")).assert_failed(
        f'Error from server (Forbidden): configmaps is forbidden: User "{reader}" cannot list '
        f'resource "configmaps" in API group "" in the namespace "{kubectl.namespace}"'
    )
    (await account(f"{shown}x", "get", "cm", "mine")).assert_failed(
        "error: You must be logged in to the server (Unauthorized)"
    )


async def test_a_bad_token_request_is_refused(kubectl: Kubectl) -> None:
    """By the server."""
    (await kubectl("create", "token", "nobody")).assert_failed(
        'error: failed to create token: serviceaccounts "nobody" not found'
    )
    (await kubectl("create", "token", "default", "--duration=60s")).assert_failed(
        'error: failed to create token: TokenRequest.authentication.k8s.io "" is invalid: '
        "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"
    )


async def test_who_may_not_is_refused(
    kubectl: Kubectl, plane: Plane, callers: Callers, tmp_path: Path
) -> None:
    """With who, what and where; by a certificate of its own, or lent by the administrator."""
    where = f'in the namespace "{kubectl.namespace}"'
    itself = kubectl.by(await plane.control.kubeconfig_for("nobody"), folder=tmp_path)
    for caller, words in ((itself, ()), (kubectl, ("--as=nobody",))):
        (await caller("get", "cm", *words)).assert_failed(
            'Error from server (Forbidden): configmaps is forbidden: User "nobody" cannot list '
            f'resource "configmaps" in API group "" {where}'
        )
        (await caller("create", "cm", "c", *words)).assert_failed(
            'error: failed to create configmap: configmaps is forbidden: User "nobody" cannot '
            f'create resource "configmaps" in API group "" {where}'
        )
        (await caller("get", "--raw", "/metrics", *words)).assert_failed(
            'Error from server (Forbidden): forbidden: User "nobody" cannot get path "/metrics"'
        )
    (await itself("get", "cm", "--as=other")).assert_failed(
        'Error from server (Forbidden): configmaps is forbidden: User "nobody" cannot '
        f'impersonate-on:user-info:list resource "configmaps" in API group "" {where}'
    )


async def test_more_rights_than_ones_own_are_not_given(kubectl: Kubectl, name: str) -> None:
    """Who may write roles can still not give away what it does not have."""
    rules = ("--verb=create", "--resource=roles")
    (await kubectl("create", "role", "writer", *rules)).ok()
    (await kubectl("create", "rolebinding", "writer", "--role=writer", f"--user={name}")).ok()
    words = ("create", "role", "more", "--verb=get", "--resource=secrets", f"--as={name}")
    (await kubectl(*words)).assert_failed(
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io "more" is forbidden: user '
        f'"{name}" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not '
        "currently held:",
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    )


async def test_roles_are_reconciled(kubectl: Kubectl) -> None:
    """`auth reconcile` adds what is missing."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": kubectl.namespace},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    }
    ran = await kubectl("auth", "reconcile", "-f", "-", stdin=role)
    assert (ran.code, ran.out) == (0, "role.rbac.authorization.k8s.io/r reconciled\n")
    assert "reconciliation required create" in ran.err
    (await kubectl("get", "role", "r", "-o", "jsonpath={.rules[0].verbs}")).assert_said('["get"]')
