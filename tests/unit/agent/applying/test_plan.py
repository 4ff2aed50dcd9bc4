"""The plan brings a cluster to what is wanted and never touches what is not ours."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_agent.applying.ownership import Claim, Owner
from towline_agent.applying.plan import Conflict, Manifest, Plan, Target, plan
from towline_api.metadata import ObjectKey
from towline_api.resources import CONFIG_MAPS, KubeObject

OWNER = Owner("c1", "helloworld")
OTHER = Owner("c1", "other")
ELSEWHERE = Owner("c2", "helloworld")
Live = dict[Target, KubeObject]


def contains(desired: object, live: object) -> bool:
    """Stand in for the server's comparison: every field wanted is there."""
    if isinstance(desired, dict) and isinstance(live, dict):
        return all(key in live and contains(value, live[key]) for key, value in desired.items())
    return desired == live


def plain(name: str, value: str) -> KubeObject:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "addons"},
        "data": {"value": value},
    }


def manifest(name: str, value: str = "1", *, owner: Owner = OWNER, source: str = "") -> Manifest:
    source = source or f"configmaps c1/{name}"
    return Manifest(CONFIG_MAPS, owner.stamp(plain(name, value), source=source), source)


def stored(obj: KubeObject, *, deleting: bool = False) -> KubeObject:
    live = deepcopy(obj)
    live["metadata"].update(uid=f"uid-{live['metadata']['name']}", resourceVersion="7")
    if deleting:
        live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return live


def target(name: str) -> Target:
    return Target(CONFIG_MAPS, ObjectKey(name, "addons"))


def live_of(*objects: KubeObject) -> Live:
    return {target(obj["metadata"]["name"]): obj for obj in objects}


def planned(desired: list[Manifest], live: Live, keep: frozenset[Target] = frozenset()) -> Plan:
    return plan(desired, live, OWNER, is_applied=contains, keep=keep)


def test_what_is_missing_is_created() -> None:
    """A new configuration starts on an empty cluster."""
    result = planned([manifest("a")], {})
    assert [(apply.manifest.target, apply.over) for apply in result.applies] == [
        (target("a"), None)
    ]
    assert not result.is_settled


def test_what_is_as_wanted_is_left_alone() -> None:
    """At rest the agent writes nothing."""
    result = planned([manifest("a")], live_of(stored(manifest("a").body)))
    assert result == Plan(unchanged=(target("a"),))
    assert result.is_settled


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(manifest("a", "2").body, id="changed-on-the-hub"),
        pytest.param({**manifest("a").body, "data": {"value": "x"}}, id="edited-on-the-spoke"),
        pytest.param({**manifest("a").body, "data": {}}, id="key-removed-on-the-spoke"),
    ],
)
def test_drift_is_put_right_over_the_object_as_judged(live: KubeObject) -> None:
    """The write must fail if the object changed after we looked at it."""
    judged = stored(live)
    (apply,) = planned([manifest("a")], live_of(judged)).applies
    assert apply.over == judged


def test_what_is_no_longer_wanted_is_pruned_as_judged() -> None:
    """UID and version go along: an object made anew in between must survive."""
    (prune,) = planned([], live_of(stored(manifest("a").body))).prunes
    assert (prune.target, prune.uid, prune.resource_version) == (target("a"), "uid-a", "7")


def test_what_cannot_be_told_just_now_is_kept() -> None:
    """Bad configuration on the hub leaves the last good one in force."""
    live = live_of(stored(manifest("a").body), stored(manifest("b").body))
    result = planned([], live, keep=frozenset({target("a")}))
    assert [prune.target for prune in result.prunes] == [target("b")]


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(plain("a", "1"), id="without-our-labels"),
        pytest.param(manifest("a", owner=ELSEWHERE).body, id="another-hub's-agent"),
        pytest.param(manifest("a", owner=OTHER, source="configmaps c1/x").body, id="other-source"),
    ],
)
def test_a_foreign_object_is_neither_overwritten_nor_pruned(foreign: KubeObject) -> None:
    """Somebody made it for a reason; it is reported with what to do about it."""
    live = live_of(stored(foreign))
    (conflict,) = planned([manifest("a", "2")], live).conflicts
    assert conflict.target == target("a")
    assert "remove it, or rename" in conflict.reason
    assert planned([], live).is_settled


def test_two_add_ons_share_what_comes_from_one_source() -> None:
    """An unlabelled ConfigMap goes to every add-on, and all of them may live in one namespace."""
    others = stored(manifest("a", owner=OTHER).body)
    assert planned([manifest("a")], live_of(others)).is_settled
    assert planned([], live_of(others)).is_settled, "only the add-on named on it may prune it"
    (apply,) = planned([manifest("a", "2")], live_of(others)).applies
    assert apply.over == others, "when the other's agent lags or is gone, ours takes over"


def test_an_object_being_deleted_is_waited_for() -> None:
    """Writing to it would come to nothing, and deleting it twice is noise."""
    live = live_of(stored(manifest("a").body, deleting=True))
    result = planned([manifest("a")], live)
    assert result.waiting == (target("a"),)
    assert not result.is_settled
    assert planned([], live).is_settled


def test_of_two_that_want_one_place_the_first_gets_it() -> None:
    """Taking turns would never end; the second is told who is in its way."""
    first, second = manifest("a", source="x"), manifest("a", source="y")
    result = planned([first, second], {})
    assert [apply.manifest for apply in result.applies] == [first]
    assert result.conflicts == (
        Conflict(target("a"), "y", "x is already applied there; rename one of the two on the hub"),
    )


# Property tests: any cluster, any wish

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["1", "2"])
OWNERS = st.sampled_from([OWNER, OTHER, ELSEWHERE])


@st.composite
def lives(draw: st.DrawFn) -> Live:
    """Any mix of our objects, others' and plain ones, some of them edited, moved or going."""
    objects: list[KubeObject] = []
    for name in draw(st.sets(NAMES)):
        if draw(st.booleans()):
            source = draw(st.sampled_from(["", "configmaps c1/renamed"]))
            body = manifest(name, draw(VALUES), owner=draw(OWNERS), source=source).body
            if draw(st.booleans()):
                body["data"]["value"] = "edited"
            if draw(st.booleans()):
                body["metadata"].pop(draw(st.sampled_from(["labels", "annotations"])))
        else:
            body = plain(name, draw(VALUES))
        objects.append(stored(body, deleting=draw(st.integers(0, 4)) == 0))
    return live_of(*objects)


DESIRED = st.dictionaries(NAMES, VALUES).map(
    lambda wishes: [manifest(name, value) for name, value in wishes.items()]
)


def carried_out(result: Plan, live: Live) -> Live:
    """Return the cluster after the plan, as a server would leave it."""
    after = dict(live)
    for apply in result.applies:
        before = apply.over or {"metadata": {}}
        body = deepcopy(apply.manifest.body)
        body["metadata"] = {**before["metadata"], **body["metadata"]}
        after[apply.manifest.target] = stored(body)
    for prune in result.prunes:
        assert after[prune.target]["metadata"]["uid"] == prune.uid
        del after[prune.target]
    return after


@given(DESIRED, lives(), st.sets(NAMES.map(target)))
def test_nothing_that_is_not_ours_is_ever_touched(
    desired: list[Manifest], live: Live, keep: set[Target]
) -> None:
    """The promise to whoever shares the cluster with us."""
    result = planned(desired, live, frozenset(keep))
    after = carried_out(result, live)
    sources = {wish.target: wish.source for wish in desired}
    for where, obj in live.items():
        if OWNER.claim(obj, source=sources.get(where)) is Claim.FOREIGN:
            assert after[where] == obj
    for prune in result.prunes:
        assert OWNER.claim(live[prune.target]) is Claim.OURS
        assert prune.target not in keep


@given(DESIRED, lives(), st.sets(NAMES.map(target)))
def test_a_plan_carried_out_leaves_nothing_to_do(
    desired: list[Manifest], live: Live, keep: set[Target]
) -> None:
    """Level-triggered: the second look finds the world as wanted, conflicts apart."""
    first = planned(desired, live, frozenset(keep))
    second = planned(desired, carried_out(first, live), frozenset(keep))
    assert second.applies == ()
    assert second.prunes == ()
    assert second.conflicts == first.conflicts


@given(DESIRED, lives())
def test_every_wish_ends_in_exactly_one_way(desired: list[Manifest], live: Live) -> None:
    """No wish is lost, none is answered twice."""
    result = planned(desired, live)
    ways = [
        *(apply.manifest.target for apply in result.applies),
        *(conflict.target for conflict in result.conflicts),
        *result.unchanged,
        *result.waiting,
    ]
    assert sorted(map(str, ways)) == sorted(str(wish.target) for wish in desired)
