"""ClusterRoles that gather the rules of others, and keep doing so while the others change."""

from conformance.api import Api
from conformance.objects import role, rule
from support.waiting import until
from towline_api.resources import CLUSTER_ROLES, KubeObject

PODS, NODES = rule("", "pods", "get"), rule("", "nodes", "list")
PATH = CLUSTER_ROLES.path()


def labelled(name: str, *rules: KubeObject, **labels: str) -> KubeObject:
    """Return a ClusterRole that others gather by its labels."""
    made = role("ClusterRole", name, *rules)
    return {**made, "metadata": {**made["metadata"], "labels": labels}}


def gathering(name: str, **labels: str) -> KubeObject:
    """Return a ClusterRole that gathers by labels."""
    selectors = [{"matchLabels": labels}]
    return {
        **role("ClusterRole", name),
        "aggregationRule": {"clusterRoleSelectors": selectors},
    }


async def becomes(api: Api, name: str, rules: list[KubeObject]) -> None:
    """Wait until a ClusterRole has these rules."""
    seen: list[object] = []

    async def check() -> bool:
        found = (await api.get(f"{PATH}/{name}")).ok()
        seen[:] = found.get("rules") or []
        return seen == rules

    await until(check, what=lambda: seen)


async def test_what_is_gathered_follows_the_roles_it_comes_from(api: Api, name: str) -> None:
    """A rule, a label, a deletion: operators add to `view` what their own kinds need."""
    (await api.post(PATH, labelled(f"{name}-a", PODS, part=name))).ok(201)
    (await api.post(PATH, gathering(f"{name}-sum", part=name))).ok(201)
    await becomes(api, f"{name}-sum", [PODS])
    (await api.post(PATH, labelled(f"{name}-b", NODES, part=name))).ok(201)
    await becomes(api, f"{name}-sum", [PODS, NODES])
    (await api.patch(f"{PATH}/{name}-a", {"metadata": {"labels": {"part": "other"}}})).ok()
    await becomes(api, f"{name}-sum", [NODES])
    (await api.patch(f"{PATH}/{name}-a", {"metadata": {"labels": {"part": name}}})).ok()
    await becomes(api, f"{name}-sum", [PODS, NODES])
    (await api.delete(f"{PATH}/{name}-b")).ok()
    await becomes(api, f"{name}-sum", [PODS])


async def test_who_begins_to_gather_finds_what_is_there(api: Api, name: str) -> None:
    """An aggregation rule may be added to a role that had none, and changed."""
    (await api.post(PATH, labelled(f"{name}-a", PODS, part=name))).ok(201)
    (await api.post(PATH, labelled(f"{name}-b", NODES, other=name))).ok(201)
    (await api.post(PATH, role("ClusterRole", f"{name}-sum"))).ok(201)
    for labels, rules in (({"part": name}, [PODS]), ({"other": name}, [NODES])):
        rule_of = gathering("", **labels)["aggregationRule"]
        (await api.patch(f"{PATH}/{name}-sum", {"aggregationRule": rule_of})).ok()
        await becomes(api, f"{name}-sum", rules)
