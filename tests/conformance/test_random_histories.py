"""Histories drawn at random: whatever is done, both planes answer, keep and tell the same.

A longer search, which also tries something else each time:
`pytest tests/conformance/test_random_histories.py --hypothesis-profile=long --timeout 0`.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from conformance.api import Answer, Api, PatchType
from conformance.callers import Callers
from conformance.crds import install, widget_crd, widgets
from conformance.drawn_objects import (
    MANAGERS,
    METADATA,
    NAMES,
    SELECTOR,
    DrawnKind,
    kinds,
    of,
    patches,
)
from conformance.furnished import make_namespace
from conformance.planes import Flavor, Plane, find_missing, open_plane
from conformance.twins import MADE, Period, Twin, Twins, assert_same, by_period
from support.planes_plugin import record_plane
from support.waiting import until
from towline_api.resources import KubeObject

CRD = "histories"
KINDS = kinds(widgets(CRD))
_KINDS = st.sampled_from(KINDS)

_EXAMPLES = 15
_STEPS = 25
_UNTOUCHED = ("kube-root-ca.crt",)
_END = "end-of-history"


@pytest.fixture(autouse=True)
def _counted() -> None:
    """Both planes are compared: the test counts for neither."""


@pytest.fixture
def planes(
    flavor: Flavor, request: pytest.FixtureRequest
) -> Iterator[tuple[asyncio.Runner, Api, Api]]:
    """The runner of all calls, and the administrators of both planes: first the real one.

    That is the one of all tests, for it takes long to start; namespaces keep out of its way.
    """
    wanted = request.config.getoption("--plane")
    for each in Flavor:
        missing = find_missing(each)
        if missing is None and wanted and each not in wanted:
            missing = "--plane leaves it out"
        if missing is not None:
            pytest.skip(f"both planes are needed; {each}: {missing}")
    real: Plane = request.getfixturevalue("plane")

    async def open_both(stack: AsyncExitStack) -> list[Api]:
        embedded = await stack.enter_async_context(open_plane(Flavor.EMBEDDED, "histories"))
        record_plane(request.config, embedded.control)
        apis = []
        for plane in (real, embedded):
            apis.append(await Callers(plane, stack).admin())
            await install(apis[-1], widget_crd(CRD))
        return apis

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            first, second = runner.run(open_both(stack))
            yield runner, first, second
        finally:
            runner.run(stack.aclose())


class History(RuleBasedStateMachine):
    """Does the same on both planes, in a namespace of its own."""

    planes: tuple[asyncio.Runner, Api, Api]

    def __init__(self) -> None:
        super().__init__()
        runner, real, embedded = self.planes
        self.twins = Twins(runner, Twin("kube", real), Twin("embedded", embedded))
        self.namespace = f"h-{secrets.token_hex(4)}"
        self.periods: list[Period] = []
        self.seen: dict[str, list[tuple[KubeObject, KubeObject]]] = {}
        self.starts: tuple[int, int] = (0, 0)
        self.has_run = False

    def path(self, kind: DrawnKind, name: str | None = None, *, sub: str | None = None) -> str:
        return kind.resource.path(namespace=self.namespace, name=name, subresource=sub)

    def same(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        **query: object,
    ) -> Answer:
        """Call both planes with the same."""
        return self.same_but(method, path, (body, body), content_type=content_type, **query)

    def same_but(
        self,
        method: str,
        path: str,
        bodies: tuple[object, object],
        *,
        content_type: str = "application/json",
        **query: object,
    ) -> Answer:
        """Call both planes with what means the same to each; remember what they say."""
        answers: list[Answer] = [None, None]  # type: ignore[list-item]

        async def call(twin: Twin) -> Answer:
            side = 0 if twin is self.twins.real else 1
            headers = {"Content-Type": content_type}
            answer = await twin.api.call(method, path, bodies[side], headers=headers, query=query)
            answers[side] = answer
            return answer

        answer = self.twins.same(f"{method} {path} {bodies[0]} {query}", call)
        if answer.status < 300 and answer.body.get("kind") != "Status":
            self.seen.setdefault(path, []).append((answers[0].body, answers[1].body))
        return answer

    @initialize()
    def begin(self) -> None:
        """Make the namespace and put something there."""

        async def make(twin: Twin) -> int:
            await make_namespace(twin.api, self.namespace)
            return await self.revision(twin)

        self.starts = self.twins.each(make)
        for kind in KINDS:  # or most steps would find nothing to change
            self.same("POST", self.path(kind), kind.wrap(NAMES[0], {}, kind.sample))
        self.has_run = True

    async def revision(self, twin: Twin) -> int:
        """Return the version of everything."""
        listed = (await twin.api.get(self.path(KINDS[0]))).ok()
        return int(listed["metadata"]["resourceVersion"])

    @rule(
        kind=_KINDS,
        name=of(*NAMES),
        data=st.data(),
        metadata=METADATA,
        owner=st.none() | st.tuples(_KINDS, of(*NAMES), st.none() | st.booleans()),
        query=of({}, {}, {}, {"dryRun": "All"}, {"fieldValidation": "Strict"}),
    )
    def create(
        self,
        kind: DrawnKind,
        name: str,
        data: st.DataObject,
        metadata: KubeObject,
        owner: tuple[DrawnKind, str, bool | None] | None,
        query: dict[str, str],
    ) -> None:
        """Create an object, perhaps one that belongs to another."""
        body = kind.wrap(name, metadata, data.draw(kind.contents))
        bodies = (body, body)
        if owner is not None:
            bodies = self.owned(body, *owner)
        self.same_but("POST", self.path(kind), bodies, **query)

    def owned(
        self, body: KubeObject, kind: DrawnKind, name: str, is_blocking: bool | None
    ) -> tuple[KubeObject, KubeObject]:
        """Return an object of an owner, for each plane; of none if there is none that stays."""

        async def find(twin: Twin) -> KubeObject:
            return (await twin.api.get(self.path(kind, name))).body

        made = []
        for found in self.twins.each(find):
            if "uid" not in found.get("metadata", {}) or "deletionTimestamp" in found["metadata"]:
                return body, body
            reference = {
                "apiVersion": kind.resource.api_version,
                "kind": kind.resource.kind,
                "name": name,
                "uid": found["metadata"]["uid"],
            }
            if is_blocking is not None:
                reference["blockOwnerDeletion"] = is_blocking
            made.append({**body, "metadata": {**body["metadata"], "ownerReferences": [reference]}})
        return made[0], made[1]

    @rule(kind=_KINDS, data=st.data(), metadata=METADATA)
    def create_unnamed(self, kind: DrawnKind, data: st.DataObject, metadata: KubeObject) -> None:
        """Have the server make up a name."""
        body = kind.wrap("", {**metadata, "generateName": MADE}, data.draw(kind.contents))
        del body["metadata"]["name"]
        self.same("POST", self.path(kind), body)

    @rule(
        kind=_KINDS,
        name=of(*NAMES),
        data=st.data(),
        metadata=METADATA,
        at=of("latest", "oldest", "none", "far"),
        status=st.booleans(),
    )
    def replace(
        self,
        kind: DrawnKind,
        name: str,
        data: st.DataObject,
        metadata: KubeObject,
        at: str,
        status: bool,
    ) -> None:
        """Write a whole object, at the version that is there, an older one, any, or one to come."""
        body = kind.wrap(name, metadata, data.draw(kind.contents))
        if kind.statuses is not None:
            body["status"] = data.draw(kind.statuses)
        sub = "status" if status and kind.statuses is not None else None
        self.same_but("PUT", self.path(kind, name, sub=sub), self.at_version(kind, name, body, at))

    def at_version(
        self, kind: DrawnKind, name: str, body: KubeObject, at: str
    ) -> tuple[KubeObject, KubeObject]:
        """Return an object with a resource version that means the same on both planes."""

        async def read(twin: Twin) -> str:
            metadata = (await twin.api.get(self.path(kind, name))).body.get("metadata", {})
            return str(metadata.get("resourceVersion", "1"))

        match at:
            case "none":
                return body, body
            case "latest":
                versions = self.twins.each(read)
            case "oldest":
                versions = (str(self.starts[0]), str(self.starts[1]))
            case _:
                versions = ("999999999", "999999999")
        first, second = (
            {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
            for version in versions
        )
        return first, second

    @rule(kind=_KINDS, name=of(*NAMES), data=st.data(), status=st.booleans())
    def patch(self, kind: DrawnKind, name: str, data: st.DataObject, status: bool) -> None:
        """Change a part."""
        patch = data.draw(patches(kind))
        sub = "status" if status and kind.statuses is not None else None
        path = self.path(kind, name, sub=sub)
        self.same("PATCH", path, patch.body, content_type=patch.kind)

    @rule(kind=_KINDS, name=of(*NAMES), labels=of({"tier": "front"}, {"tier": "back"}, None))
    def label(self, kind: DrawnKind, name: str, labels: KubeObject | None) -> None:
        """Move an object into or out of a selection."""
        patch = {"metadata": {"labels": labels}}
        self.same("PATCH", self.path(kind, name), patch, content_type=PatchType.MERGE)

    @rule(
        kind=_KINDS,
        name=of(*NAMES),
        data=st.data(),
        metadata=METADATA,
        manager=of(*MANAGERS),
        force=st.booleans(),
    )
    def apply(
        self,
        kind: DrawnKind,
        name: str,
        data: st.DataObject,
        metadata: KubeObject,
        manager: str,
        force: bool,
    ) -> None:
        """Apply as one of several managers."""
        body = kind.wrap(name, metadata, data.draw(kind.contents))
        query = {"fieldManager": manager, "force": force}
        self.same("PATCH", self.path(kind, name), body, content_type=PatchType.APPLY, **query)

    @rule(
        kind=st.sampled_from([kind for kind in KINDS if kind.statuses is not None]),
        name=of(*NAMES),
        data=st.data(),
        way=st.sampled_from([PatchType.MERGE, PatchType.APPLY]),
        manager=of(*MANAGERS),
    )
    def write_status(
        self, kind: DrawnKind, name: str, data: st.DataObject, way: PatchType, manager: str
    ) -> None:
        """Write a status by its subresource, as controllers do."""
        assert kind.statuses is not None
        body: KubeObject = {"status": data.draw(kind.statuses)}
        query: dict[str, object] = {"fieldManager": manager}
        if way is PatchType.APPLY:
            body = kind.wrap(name, {}, body)
            query["force"] = True
        self.same("PATCH", self.path(kind, name, sub="status"), body, content_type=way, **query)

    @rule(
        kind=_KINDS,
        name=of(*NAMES),
        propagation=st.none() | of("Background", "Foreground", "Orphan"),
        at=of(None, None, "latest", "oldest", "uid"),
        is_dry=of(False, False, True),
    )
    def delete(
        self,
        kind: DrawnKind,
        name: str,
        propagation: str | None,
        at: str | None,
        is_dry: bool,
    ) -> None:
        """Delete an object, perhaps only if it is a certain one, and see what goes with it."""
        options: KubeObject = {"dryRun": ["All"]} if is_dry else {}
        if propagation:
            options["propagationPolicy"] = propagation
        bodies = (options, options)
        if at == "uid":
            wrong = {"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}
            bodies = ({**options, **wrong}, {**options, **wrong})
        elif at is not None:
            versions = self.at_version(kind, name, {"metadata": {}}, at)
            bodies = (
                {**options, "preconditions": versions[0]["metadata"]},
                {**options, "preconditions": versions[1]["metadata"]},
            )
        self.end_period(is_ordered=True)
        self.same_but("DELETE", self.path(kind, name), bodies)
        self.settle()

    @rule(kind=_KINDS, selector=of(SELECTOR, "tier!=front,app", "!tier"))
    def delete_selected(self, kind: DrawnKind, selector: str) -> None:
        """Delete whatever is selected."""
        fields = ",".join(f"metadata.name!={name}" for name in _UNTOUCHED)
        query = {"labelSelector": selector, "fieldSelector": fields}
        self.end_period(is_ordered=True)

        async def delete(twin: Twin) -> Answer:
            answer = await twin.api.call("DELETE", self.path(kind), query=query)
            answer.body.get("items", []).sort(key=twin.name_of)
            return answer

        self.twins.same(f"DELETE {self.path(kind)} {query}", delete)
        self.settle()

    @rule(
        kind=_KINDS,
        query=of(
            {},
            {"labelSelector": SELECTOR},
            {"labelSelector": "tier in (front, back),!app"},
            {"fieldSelector": "metadata.name=one"},
            {"limit": 500},
            {"labelSelector": "tier in"},
        ),
    )
    def read(self, kind: DrawnKind, query: dict[str, object]) -> None:
        """List, in ways that may be refused."""

        async def listed(twin: Twin) -> Answer:
            answer = await twin.api.call("GET", self.path(kind), query=query)
            answer.body.get("items", []).sort(key=twin.name_of)
            return answer

        self.twins.same(f"list {kind.resource.plural} {query}", listed)

    def end_period(self, *, is_ordered: bool) -> None:
        """End the present period: what follows is compared for itself."""
        self.periods.append(Period(self.twins.each(self.revision), is_ordered))

    def settle(self) -> None:
        """Let the garbage collectors come to their end, and end the period.

        It has no order: collectors work at several objects at once, and collections are deleted
        by name, of which some are made up.
        """

        async def settled(twin: Twin) -> list[KubeObject]:
            found: list[KubeObject] = []

            async def is_settled() -> bool:
                found[:] = [item for kind in KINDS for item in await self.items(twin, kind)]
                uids = {item["metadata"]["uid"] for item in found}
                return not any(_has_work(item["metadata"], uids) for item in found)

            await until(is_settled, what=lambda: found)
            return found

        real, embedded = self.twins.each(settled)
        assert_same(
            "what is left by the garbage collector",
            [self.twins.real.plain(item) for item in real],
            [self.twins.embedded.plain(item) for item in embedded],
        )
        self.end_period(is_ordered=False)

    async def items(self, twin: Twin, kind: DrawnKind) -> list[KubeObject]:
        """Return what is stored, but for what controllers put there."""
        listed = (await twin.api.get(self.path(kind))).ok()
        kept = [i for i in listed["items"] if i["metadata"]["name"] not in _UNTOUCHED]
        return sorted(kept, key=twin.name_of)

    def teardown(self) -> None:
        """Compare what is stored in the end, and what watches tell of how it came about."""
        if self.has_run:
            for kind in KINDS:
                self.compare_kept(kind)
                end = kind.wrap(_END, {"labels": {"tier": "front"}}, kind.sample)
                self.same("POST", self.path(kind), end)
                self.compare_told(kind, selector=None)
                self.compare_told(kind, selector=SELECTOR)

    def compare_kept(self, kind: DrawnKind) -> None:
        async def items(twin: Twin) -> list[KubeObject]:
            return [twin.plain(item) for item in await self.items(twin, kind)]

        assert_same(f"the {kind.resource.plural} in the end", *self.twins.each(items))

    def compare_told(self, kind: DrawnKind, *, selector: str | None) -> None:
        async def told(twin: Twin) -> list[list[KubeObject]]:
            side = 0 if twin is self.twins.real else 1
            path, since = self.path(kind), self.starts[side]
            events: list[KubeObject] = []
            async with twin.api.watch(path, resourceVersion=since, labelSelector=selector) as watch:
                while not events or events[-1]["object"]["metadata"]["name"] != _END:
                    events.append(await watch.next())
            parts = by_period(events, self.periods, side=side, twin=twin)
            return [[twin.plain(event) for event in part] for part in parts]

        what = f"the history of {kind.resource.plural} with {selector}"
        assert_same(what, *self.twins.each(told))


def _has_work(metadata: KubeObject, uids: set[str]) -> bool:
    """Return whether the garbage collector is not done with an object."""
    if {"orphan", "foregroundDeletion"} & set(metadata.get("finalizers", ())):
        return True
    owners = metadata.get("ownerReferences", ())
    is_marked = "deletionTimestamp" in metadata
    return bool(owners) and not is_marked and not any(o["uid"] in uids for o in owners)


@pytest.mark.planes(Flavor.KUBE, because="an embedded one is beside it")
@pytest.mark.timeout(600)
def test_both_planes_have_the_same_history(
    planes: tuple[asyncio.Runner, Api, Api],
) -> None:
    """Answers, what is stored in the end, and what watches tell, step by step."""
    History.planes = planes
    profile = settings.get_current_profile_name()
    is_long = profile == "long"
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=settings.get_profile(profile).max_examples if is_long else _EXAMPLES,
            stateful_step_count=_STEPS,
            derandomize=not is_long,
            database=None,
            # To shrink what failed takes minutes, and the steps as they were say it as well.
            phases=tuple(Phase) if is_long else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
