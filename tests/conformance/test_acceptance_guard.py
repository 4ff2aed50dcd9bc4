"""The hub's own ValidatingAdmissionPolicy: acceptance of a cluster takes a right of its own."""

from conformance.api import Answer, Api
from conformance.callers import Callers
from conformance.crds import install, widget_crd, widgets
from conformance.objects import rule, user_subject
from conformance.rights import grant_everywhere
from support.waiting import until
from towline_api.resources import KubeObject
from towline_hub.clusters.acceptance_guard import POLICIES, POLICY_BINDINGS, acceptance_guard


async def test_the_hubs_own_guard(api: Api, callers: Callers, name: str) -> None:
    """Acceptance of a cluster takes the right `managedclusters/accept`: the expressions of the hub.

    Its rules name ManagedClusters; here they stand for Widgets of the test.
    """
    schema: KubeObject = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"hubAcceptsClient": {"type": "boolean"}}}
        },
    }
    crd = widget_crd(name, scope="Cluster")
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    await install(api, crd)
    resource = widgets(name, namespaced=False)
    guard, bound = acceptance_guard()
    for made in (guard, bound):
        made["metadata"] = {"name": name}
    guard["spec"]["matchConstraints"]["resourceRules"][0] |= {
        "apiGroups": [resource.group],
        "resources": [resource.plural],
    }
    bound["spec"]["policyName"] = name
    (await api.post(POLICIES.path(), guard)).ok(201)
    (await api.post(POLICY_BINDINGS.path(), bound)).ok(201)
    writes = rule(resource.group, resource.plural, "create", "get", "patch")
    accepts = rule(
        "register.open-cluster-management.io",
        "managedclusters/accept",
        "update",
        resource_names=["mine"],
    )
    await grant_everywhere(api, name, writes, accepts, to=user_subject(name))
    user = await callers.user(name)
    cluster: KubeObject = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": "yours"},
        "spec": {"hubAcceptsClient": True},
    }
    seen: list[Answer] = []

    async def guarded() -> bool:
        seen.append(await user.post(resource.path(), cluster, dryRun="All"))
        return "ValidatingAdmissionPolicy" in seen[-1].text

    await until(guarded, what=lambda: seen[-1].text)
    assert (seen[-1].status, seen[-1].body["reason"]) == (403, "Forbidden")
    cluster["spec"] = {"hubAcceptsClient": False}
    (await user.post(resource.path(), cluster)).ok(201)
    accept = {"spec": {"hubAcceptsClient": True}}
    assert (await user.patch(resource.path(name="yours"), accept)).status == 403
    cluster["metadata"] = {"name": "mine"}
    (await user.post(resource.path(), cluster)).ok(201)
    assert (await user.patch(resource.path(name="mine"), accept)).ok()["spec"] == accept["spec"]
    (await api.patch(resource.path(name="yours"), accept)).ok()
