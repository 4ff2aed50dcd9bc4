"""A plane of Kubernetes' own programs does what the channel between hub and agent needs of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from integration.sandbox.signing import sign
from support.plane_clients import admin_client
from support.raw_api import raw_api
from support.waiting import until
from towline_api import bootstrap_tokens
from towline_api.names import BOOTSTRAP_GROUP
from towline_api.resources import KubeObject
from towline_certs.identities import Subject
from towline_kube.connection import Connection
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox import kube_plane
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.plane import ControlPlane, PlaneError

pytestmark = pytest.mark.planes("kube", because="this is about real ones alone")

WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def who(caller: str | Connection) -> tuple[int, str, set[str]]:
    """Return status, user and groups as the API server sees them."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    async with raw_api(caller) as api:
        answer = await api.call("POST", WHO_AM_I, review)
    user = answer.body.get("status", {}).get("userInfo", {}) if answer.status == 201 else {}
    return answer.status, user.get("username", ""), set(user.get("groups", ()))


async def test_planes_come_up_quickly(hub_plane: KubePlane, spoke_plane: KubePlane) -> None:
    """People wait for planes; the last line of a test run says how long they took."""
    assert hub_plane.server != spoke_plane.server
    for plane in (hub_plane, spoke_plane):
        assert isinstance(plane, ControlPlane)
        # Ten seconds on an idle machine; this one may be running another worker's planes as well.
        assert plane.readiness.took < timedelta(seconds=30), plane.readiness
        assert plane.readiness.checks[-1].name == "approved request is signed"


async def test_a_client_certificate_makes_its_user(hub_plane: KubePlane) -> None:
    """Any identity of the contract can be played in a test."""
    user, groups = "system:open-cluster-management:c1:a1", {"system:open-cluster-management:c1"}
    kubeconfig = await hub_plane.kubeconfig_for(user, groups=tuple(groups))
    assert await who(kubeconfig) == (201, user, groups | {"system:authenticated"})


async def test_planes_serve_the_client_of_towline(
    hub_plane: KubePlane, spoke_plane: KubePlane
) -> None:
    """Our own parser reads their kubeconfigs, and their servers say which release they are."""
    for plane in (hub_plane, spoke_plane):
        async with admin_client(plane) as admin:
            assert (await admin.whoami()).username == "towline-sandbox-admin"
            assert await admin.server_version() == plane.version


async def test_the_administrator_may_do_everything(hub_plane: KubePlane) -> None:
    """Tests prepare the world as this user."""
    status, _, groups = await who(hub_plane.admin_kubeconfig())
    assert status == 201
    assert "system:masters" in groups


async def test_a_bootstrap_token_makes_a_bootstrapper(hub_plane: KubePlane) -> None:
    """With the group that the hub's own bootstrap role is bound to, unless told otherwise."""
    _, user, groups = await who(await hub_plane.bootstrap_kubeconfig())
    assert user.startswith("system:bootstrap:")
    assert {"system:bootstrappers", BOOTSTRAP_GROUP} <= groups
    other = await hub_plane.bootstrap_kubeconfig(groups=("system:bootstrappers:other",))
    _, _, groups = await who(other)
    assert "system:bootstrappers:other" in groups
    assert BOOTSTRAP_GROUP not in groups


async def test_an_expired_bootstrap_token_is_refused(hub_plane: KubePlane) -> None:
    """Agents that were installed too late have to say so, so tests need the case."""
    expired = await hub_plane.bootstrap_kubeconfig(lifetime=timedelta(seconds=-1))
    assert (await who(expired))[0] == 401


async def test_a_token_that_lets_nobody_in_is_not_handed_out(
    hub_plane: KubePlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its agent would be refused, and its user would look for the fault there."""
    monkeypatch.setattr(kube_plane, "_HEEDED", timedelta(seconds=0.2))
    monkeypatch.setattr(bootstrap_tokens, "TOKEN_SECRET_TYPE", "Opaque")
    with pytest.raises(PlaneError, match=r"after 0\.2 s still lets nobody in by it.*invalid"):
        await hub_plane.bootstrap_kubeconfig()


async def test_an_expired_client_certificate_is_refused(hub_plane: KubePlane) -> None:
    """The other half of the same story."""
    kubeconfig = await hub_plane.kubeconfig_for("late", lifetime=timedelta(seconds=1))
    await until(lambda: _is_refused(kubeconfig), what=lambda: "the certificate to expire")


async def _is_refused(kubeconfig: str) -> bool:
    return (await who(kubeconfig))[0] == 401


async def test_whoever_shows_nothing_is_nobody(hub_plane: KubePlane) -> None:
    """Anonymous callers may ask for the version and nothing else, as on real clusters."""
    admin = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test")
    anonymous = replace(admin, client_certificate_pem=None, client_key_pem=None)
    async with raw_api(anonymous) as api:
        assert (await api.call("GET", "/version")).status == 200
        assert (await api.call("GET", "/api/v1/namespaces")).status == 403
    assert (await who(replace(anonymous, token="abcdef.0123456789abcdef")))[0] == 401


async def test_another_planes_credentials_are_worth_nothing(
    hub_plane: KubePlane, spoke_plane: KubePlane
) -> None:
    """Each plane has authorities of its own; a mix-up must not go unnoticed."""
    hub = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test")
    spoke = parse_kubeconfig(spoke_plane.admin_kubeconfig(), source="test")
    mixed = replace(
        spoke,
        client_certificate_pem=hub.client_certificate_pem,
        client_key_pem=hub.client_key_pem,
    )
    assert (await who(mixed))[0] == 401


async def test_permissions_are_checked(hub_plane: KubePlane, cluster_name: str) -> None:
    """Who was granted nothing may do nothing; who was granted something, that."""
    kubeconfig = await hub_plane.kubeconfig_for(f"{cluster_name}-user")
    namespaces = "/api/v1/namespaces"
    async with raw_api(kubeconfig) as user, raw_api(hub_plane.admin_kubeconfig()) as admin:
        assert (await user.call("GET", namespaces)).status == 403
        role: KubeObject = {
            "metadata": {"name": cluster_name},
            "rules": [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}],
        }
        binding: KubeObject = {
            "metadata": {"name": cluster_name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": cluster_name,
            },
            "subjects": [{"kind": "User", "name": f"{cluster_name}-user"}],
        }
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        assert (await admin.call("POST", f"{rbac}/clusterroles", role)).status == 201
        assert (await admin.call("POST", f"{rbac}/clusterrolebindings", binding)).status == 201

        async def may_list() -> bool:
            return (await user.call("GET", namespaces)).status == 200

        await until(may_list, what=lambda: "the grant to be seen")
        new: KubeObject = {"metadata": {"name": cluster_name}}
        assert (await user.call("POST", namespaces, new)).status == 403


async def test_an_approved_request_becomes_a_working_credential(
    hub_plane: KubePlane, cluster_name: str
) -> None:
    """Request, approval, signing, use: what everything in towline comes down to."""
    user = f"system:open-cluster-management:{cluster_name}:agent"
    async with raw_api(hub_plane.admin_kubeconfig()) as admin:
        subject = Subject(user, frozenset({"system:open-cluster-management:managed-clusters"}))
        certificate, key = await sign(admin, cluster_name, subject=subject)
    connection = replace(
        parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test"),
        client_certificate_pem=certificate,
        client_key_pem=key,
    )
    _, seen, groups = await who(connection)
    assert seen == user
    assert "system:open-cluster-management:managed-clusters" in groups


async def test_what_belongs_to_a_deleted_owner_goes(
    hub_plane: KubePlane, cluster_name: str
) -> None:
    """Cleaning up after clusters and add-ons is left to the garbage collector."""
    maps = "/api/v1/namespaces/default/configmaps"
    async with raw_api(hub_plane.admin_kubeconfig()) as admin:
        owner = await admin.call("POST", maps, {"metadata": {"name": cluster_name}})
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": cluster_name,
            "uid": owner.body["metadata"]["uid"],
        }
        owned = f"{cluster_name}-owned"
        metadata = {"name": owned, "ownerReferences": [reference]}
        assert (await admin.call("POST", maps, {"metadata": metadata})).status == 201
        assert (await admin.call("DELETE", f"{maps}/{cluster_name}")).status == 200

        async def gone() -> bool:
            return (await admin.call("GET", f"{maps}/{owned}")).status == 404

        await until(gone, what=lambda: "the owned object to go")


async def test_a_deleted_namespace_goes_with_what_is_in_it(
    hub_plane: KubePlane, cluster_name: str
) -> None:
    """A cluster's namespace on the hub is removed with the cluster."""
    namespace = f"/api/v1/namespaces/{cluster_name}"
    async with raw_api(hub_plane.admin_kubeconfig()) as admin:
        await admin.call("POST", "/api/v1/namespaces", {"metadata": {"name": cluster_name}})
        created = await admin.call(
            "POST", f"{namespace}/configmaps", {"metadata": {"name": "content"}}
        )
        assert created.status == 201
        assert (await admin.call("DELETE", namespace)).status == 200

        async def gone() -> bool:
            return (await admin.call("GET", namespace)).status == 404

        await until(gone, what=lambda: "the namespace to go")


async def test_service_accounts_get_working_tokens(
    spoke_plane: KubePlane, cluster_name: str
) -> None:
    """Agents run in pods with such tokens; here they are asked for by hand."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    async with raw_api(spoke_plane.admin_kubeconfig()) as admin:
        await admin.call("POST", accounts, {"metadata": {"name": cluster_name}})
        answer = await admin.call("POST", f"{accounts}/{cluster_name}/token", {"spec": {}})
    connection = replace(
        parse_kubeconfig(spoke_plane.admin_kubeconfig(), source="test"),
        client_certificate_pem=None,
        client_key_pem=None,
        token=answer.body["status"]["token"],
    )
    _, user, _ = await who(connection)
    assert user == f"system:serviceaccount:default:{cluster_name}"


async def test_logs_can_be_looked_at_while_it_runs(hub_plane: KubePlane) -> None:
    """The first question when a test of something else fails."""
    assert "Serving securely" in hub_plane.logs("kube-apiserver", lines=1000)


async def test_a_plane_notes_nothing_unless_asked(hub_plane: KubePlane) -> None:
    """An empty answer would be taken for calls that were not made."""
    with pytest.raises(PlaneError, match="notes no requests; make it with KubePlane"):
        hub_plane.audit_events()


async def test_a_plane_that_does_not_run_says_so() -> None:
    """A forgotten `async with` is the commonest mistake with such objects."""
    plane = KubePlane("forgotten")
    with pytest.raises(PlaneError, match="plane 'forgotten' is not running; enter it"):
        plane.admin_kubeconfig()
