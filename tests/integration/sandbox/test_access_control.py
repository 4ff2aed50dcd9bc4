"""Access control of the embedded plane, held against a real server's.

Both are given the same roles and bindings, made up at random, and asked the same questions.
"""

import asyncio
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from support.kinds import call_for
from support.policies import account, binding, group, put, resource_of, role, rule, url_rule, user
from support.raw_api import RawApi, raw_api
from support.waiting import until
from towline_api.resources import (
    NAMESPACES,
    ROLES,
    SELF_SUBJECT_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    KubeObject,
)
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.embedded.access import (
    Attributes,
    Authorizer,
    EscalationCheck,
    bootstrap_policy,
)
from towline_sandbox.embedded.access.collect_policy import collect, format_policy
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.kube_plane import KubePlane
from towline_sandbox.own_api import OwnApi

pytestmark = pytest.mark.planes("kube", because="the embedded plane is held against it")

SEED = 2026
QUESTIONS = 400
GRANTS = 30

_VERBS = ("get", "list", "watch", "create", "delete", "impersonate", "*")
_GROUPS = ("", "apps", "example.com", "*")
_RESOURCES = (
    "pods", "pods/log", "deployments", "deployments/scale", "*/log", "*/*", "widgets", "*",
)  # fmt: skip
_NAMES = ("a", "b")
_URLS = ("/x", "/x/*", "/x/y*", "/x/*/z", "*")
_PATHS = ("/x", "/x/", "/x/y", "/x/yy/z", "/z", "/")


@dataclass
class _World:
    """Roles and bindings with names that no other test uses.

    Args:
        chance: Makes them up.
        tag: Begins their names.
    """

    chance: random.Random
    tag: str
    roles: list[KubeObject] = field(default_factory=list)
    bindings: list[KubeObject] = field(default_factory=list)

    @property
    def namespaces(self) -> tuple[str, str]:
        """Where it takes place."""
        return f"{self.tag}-n1", f"{self.tag}-n2"

    def users(self) -> Iterator[User]:
        """Return everybody who may hold something."""
        for name in ("u1", "u2", "u3"):
            yield User(f"{self.tag}-{name}", (f"{self.tag}-g1", "system:authenticated"))
        yield User(f"{self.tag}-u4", (f"{self.tag}-g2", f"{self.tag}-g1"))
        yield User(f"system:serviceaccount:{self.namespaces[0]}:sa", ("system:serviceaccounts",))

    def fill(self) -> None:
        """Make up roles, and bindings to some of them."""
        homes: tuple[str | None, ...] = (None, *self.namespaces)
        for number in range(GRANTS):
            home = self.chance.choice(homes)
            rules = [self._rule(urls=home is None) for _ in range(self.chance.randint(1, 3))]
            self.roles.append(role(f"{self.tag}-r{number}", *rules, namespace=home))
        for number in range(GRANTS):
            granted = self.chance.choice(self.roles)
            home = granted["metadata"].get("namespace") or self.chance.choice(homes)
            self.bindings.append(
                binding(
                    f"{self.tag}-b{number}",
                    granted["metadata"]["name"],
                    *(self._subject() for _ in range(self.chance.randint(1, 2))),
                    namespace=home,
                    role_kind=granted["kind"],
                )
            )

    def question(self) -> Attributes:
        """Make up something to ask for."""
        chance = self.chance
        verb = chance.choice(_VERBS[:-1])
        if chance.random() < 0.2:
            return Attributes(verb, path=chance.choice(_PATHS), is_resource=False)
        return Attributes(
            verb,
            group=chance.choice(_GROUPS[:-1]),
            resource=chance.choice(("pods", "deployments", "widgets")),
            subresource=chance.choice(("", "", "log", "scale")),
            namespace=chance.choice(("", *self.namespaces)),
            name=chance.choice(("", *_NAMES, "c")),
        )

    def new_role(self, number: int) -> KubeObject:
        """Make up a role that somebody may want to write."""
        home = self.chance.choice((None, self.namespaces[0]))
        rules = [self._rule(urls=home is None) for _ in range(self.chance.randint(1, 2))]
        return role(f"{self.tag}-new{number}", *rules, namespace=home)

    def _rule(self, *, urls: bool) -> KubeObject:
        if urls and self.chance.random() < 0.2:
            return url_rule(self._some(_VERBS), self._some(_URLS))
        return rule(
            self._some(_VERBS),
            self._some(_RESOURCES),
            groups=self.chance.sample(_GROUPS, self.chance.randint(1, 2)),
            names=self.chance.sample(_NAMES, self.chance.choice((0, 0, 1, 2))),
        )

    def _some(self, values: tuple[str, ...]) -> str:
        return " ".join(self.chance.sample(values, self.chance.randint(1, 2)))

    def _subject(self) -> KubeObject:
        names = [f"{self.tag}-{name}" for name in ("u1", "u2", "g1", "g2")]
        return self.chance.choice(
            [*map(user, names[:2]), *map(group, names[2:]), account("sa", self.namespaces[0])]
        )


def _review(who: User, wanted: Attributes) -> KubeObject:
    asked: KubeObject = {"user": who.name, "groups": list(who.groups)}
    if wanted.is_resource:
        names = ("verb", "group", "resource", "subresource", "namespace", "name")
        asked["resourceAttributes"] = {name: getattr(wanted, name) for name in names}
    else:
        asked["nonResourceAttributes"] = {"verb": wanted.verb, "path": wanted.path}
    return {
        "apiVersion": SUBJECT_ACCESS_REVIEWS.api_version,
        "kind": SUBJECT_ACCESS_REVIEWS.kind,
        "spec": asked,
    }


async def _ask(api: RawApi, who: User, wanted: Attributes) -> KubeObject:
    answer = await api.call("POST", SUBJECT_ACCESS_REVIEWS.path(), _review(who, wanted))
    assert answer.status == 201, answer
    status: KubeObject = answer.body["status"]
    return status


async def _create(api: RawApi, *objects: KubeObject) -> None:
    for obj in objects:
        path = resource_of(obj).path(namespace=obj["metadata"].get("namespace"))
        answer = await api.call("POST", path, obj)
        assert answer.status == 201, answer


async def _all_known(api: RawApi, world: _World) -> None:
    """Wait until the server decides by the last role and binding: it follows its own watches."""
    last = role(f"{world.tag}-last", rule("get", "lasts"))
    await _create(api, last, binding(f"{world.tag}-last", f"{world.tag}-last", user(world.tag)))
    local = binding(
        f"{world.tag}-last", f"{world.tag}-last", user(world.tag), namespace=world.namespaces[1]
    )
    gone = f"{world.tag}-last-local"
    await _create(api, role(gone, rule("get", "firsts"), namespace=world.namespaces[1]))
    local["roleRef"] = {"apiGroup": ROLES.group, "kind": "Role", "name": gone}
    await _create(api, local)

    async def are_known() -> bool:
        who = User(world.tag)
        wide = await _ask(api, who, Attributes("get", resource="lasts"))
        near = Attributes("get", resource="firsts", namespace=world.namespaces[1])
        return bool(wide["allowed"] and (await _ask(api, who, near))["allowed"])

    await until(are_known, what=lambda: "the server does not know the last binding yet")


@pytest.fixture
def world() -> _World:
    """Return roles and bindings, the same in every run but for what their names begin with."""
    made = _World(random.Random(SEED), f"t{secrets.token_hex(4)}")
    made.fill()
    return made


async def test_both_decide_alike_by_the_same_roles_and_bindings(
    hub_plane: KubePlane, world: _World
) -> None:
    """Who may do what on the embedded plane may do it on a real one, and for the same reason."""
    store = put(Store(), *bootstrap_policy.objects(), *world.roles, *world.bindings)
    authorizer = Authorizer(store)
    async with raw_api(hub_plane.admin_kubeconfig()) as api:
        for namespace in world.namespaces:
            await api.call("POST", NAMESPACES.path(), {"metadata": {"name": namespace}})
        await _create(api, *world.roles, *world.bindings)
        await _all_known(api, world)
        everybody = list(world.users())
        questions = [(world.chance.choice(everybody), world.question()) for _ in range(QUESTIONS)]
        answers = await asyncio.gather(*(_ask(api, *question) for question in questions))
    allowed = 0
    for (who, wanted), answer in zip(questions, answers, strict=True):
        decision = authorizer.authorize(who, wanted)
        assert decision.allowed == answer["allowed"], (who, wanted, answer)
        assert answer.get("reason", "") in _possible_reasons(authorizer, who, wanted)
        assert decision.reason in _possible_reasons(authorizer, who, wanted)
        allowed += decision.allowed
    assert QUESTIONS / 10 < allowed < QUESTIONS * 9 / 10, "the questions were no test"


def _possible_reasons(authorizer: Authorizer, who: User, wanted: Attributes) -> set[str]:
    """Return every reason that may be given: which binding is found first is a matter of chance."""
    found = {
        f"RBAC: allowed by {grant.binding.describe(who)}"
        for grant in authorizer.bindings.grants(who, namespace=wanted.namespace)
        if any(each.allows(wanted) for each in grant.rules or ())
    }
    return found or {""}


async def test_both_refuse_the_same_escalations_in_the_same_words(
    hub_plane: KubePlane, world: _World
) -> None:
    """What is missing is listed alike, so that a refusal seen in a test is the one seen in life."""
    writer = role(f"{world.tag}-writer", rule("create", "roles clusterroles", groups=[ROLES.group]))
    writes = binding(f"{world.tag}-writes", f"{world.tag}-writer", user(f"{world.tag}-u1"))
    world.roles.append(writer)
    world.bindings.append(writes)
    store = put(Store(), *bootstrap_policy.objects(), *world.roles, *world.bindings)
    check = EscalationCheck(Authorizer(store))
    kubeconfig = await hub_plane.kubeconfig_for(f"{world.tag}-u1", groups=[f"{world.tag}-g1"])
    async with raw_api(hub_plane.admin_kubeconfig()) as admin, raw_api(kubeconfig) as api:
        for namespace in world.namespaces:
            await admin.call("POST", NAMESPACES.path(), {"metadata": {"name": namespace}})
        await _create(admin, *world.roles, *world.bindings)
        await _all_known(admin, world)
        me = await _who_am_i(api)
        refused = 0
        for number in range(40):
            wanted = world.new_role(number)
            namespace = wanted["metadata"].get("namespace")
            resource = resource_of(wanted)
            answer = await api.call("POST", resource.path(namespace=namespace), wanted)
            call = call_for(resource, "create", me, namespace=namespace)
            refusal = await _refusal_of(check(call, wanted, None))
            if refusal is None:
                assert answer.status == 201, (wanted, answer)
            else:
                assert answer.body == refusal.status()
                refused += 1
        assert refused > 5, "nothing was tried that is an escalation"


async def test_a_role_that_is_gone_is_told_alike(hub_plane: KubePlane, world: _World) -> None:
    """A binding to nothing grants nothing, and whoever is refused learns of it."""
    lost = binding(f"{world.tag}-lost", f"{world.tag}-gone", user(f"{world.tag}-u1"))
    authorizer = Authorizer(put(Store(), lost))
    who, wanted = User(f"{world.tag}-u1"), Attributes("get", resource="pods")
    async with raw_api(hub_plane.admin_kubeconfig()) as api:
        await _create(api, lost)
        for namespace in world.namespaces:
            await api.call("POST", NAMESPACES.path(), {"metadata": {"name": namespace}})
        await _all_known(api, world)
        answer = await _ask(api, who, wanted)
    decision = authorizer.authorize(who, wanted)
    assert answer == {"allowed": decision.allowed, "reason": decision.reason}


async def test_what_a_cluster_starts_with_is_what_the_file_says(hub_plane: KubePlane) -> None:
    """The file is collected from a real server; a new version of Kubernetes may bring another."""
    connection = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test")
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=ssl_context(connection))
    ) as session:
        found = await collect(OwnApi(session, server=connection.server))
    assert format_policy(found) == bootstrap_policy.POLICY_FILE.read_text(encoding="utf-8")


async def _refusal_of(checking: object) -> ApiFailure | None:
    try:
        await checking  # type: ignore[misc]
    except ApiFailure as failure:
        return failure
    return None


async def _who_am_i(api: RawApi) -> User:
    body = {"apiVersion": SELF_SUBJECT_REVIEWS.api_version, "kind": SELF_SUBJECT_REVIEWS.kind}
    answer = await api.call("POST", SELF_SUBJECT_REVIEWS.path(), body)
    info = answer.body["status"]["userInfo"]
    return User(info["username"], tuple(info["groups"]))
