"""Objects and patches drawn at random, of the kinds that histories are made of."""

import copy
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from conformance.api import PatchType
from conformance.objects import CONFIG_MAPS, DEPLOYMENTS, deployment
from towline_api.resources import LEASES, SECRETS, KubeObject, Resource

NAMES = ("one", "two")
MANAGERS = ("ann", "bob", "eve")
SELECTOR = "tier=front"

Drawn = st.SearchStrategy[KubeObject]


def some(**fields: st.SearchStrategy[Any]) -> Drawn:
    """Return objects with some of these fields."""
    return st.fixed_dictionaries({}, optional=dict(fields))


def of(*values: Any) -> st.SearchStrategy[Any]:
    """Return copies of these values."""
    return st.sampled_from(values).map(copy.deepcopy)


# Never empty: of custom objects the real server stores an empty map of labels or annotations that
# it does not show, and the next write, though it changes nothing else, takes that away.
METADATA = some(
    labels=st.dictionaries(of("tier", "app"), of("front", "back"), min_size=1, max_size=2),
    annotations=st.dictionaries(of("note", "a.example/b"), of("x", "y"), min_size=1, max_size=2),
    finalizers=st.lists(of("example.com/a", "example.com/b"), max_size=2, unique=True),
)

_WORDS = of("x", "y", "")
_CONTAINER: dict[str, st.SearchStrategy[Any]] = {
    "env": st.lists(
        st.fixed_dictionaries({"name": of("A", "B"), "value": _WORDS}),
        max_size=2,
        unique_by=lambda item: item["name"],
    ),
    "ports": of([{"containerPort": 80}], [{"containerPort": 80, "name": "web"}], []),
    "args": st.lists(of("-v", "-q"), max_size=2),
}
_STATUS_CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {"type": of("Available", "Progressing"), "status": of("True", "False")},
        optional={"reason": of("Because")},
    ),
    max_size=2,
    unique_by=lambda item: item["type"],
)


@dataclass(frozen=True, slots=True, repr=False)
class DrawnKind:
    """A kind whose objects are drawn.

    Args:
        resource: Where they are served.
        contents: All but their type and metadata.
        sample: A content that is good enough to be stored.
        statuses: What is written to their status; None if they have no such subresource.
    """

    resource: Resource
    contents: Drawn
    sample: KubeObject = field(default_factory=dict)
    statuses: Drawn | None = None

    def __repr__(self) -> str:
        """Name the kind: that is all that a failing history has to say of it."""
        return f"<{self.resource.plural}>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(repr(self))  # Hypothesis would take dataclasses apart

    def wrap(self, name: str, metadata: KubeObject, content: KubeObject) -> KubeObject:
        """Return an object."""
        return {
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
            "metadata": {**metadata, "name": name},
            **copy.deepcopy(content),
        }


def mostly(good: Drawn, other: Drawn) -> Drawn:
    """Return the good ones three times out of four: what is refused leads nowhere."""
    return st.integers(0, 3).flatmap(lambda drawn: other if drawn == 3 else good)


def _deployments() -> Drawn:
    def spec(containers: st.SearchStrategy[Any], labels: Drawn, *, replicas: Any) -> Drawn:
        pod = st.fixed_dictionaries(
            {"containers": containers},
            optional={"nodeSelector": of({}, {"a": "b"}), "restartPolicy": of("Always")},
        )
        return st.fixed_dictionaries(
            {
                "template": st.fixed_dictionaries({"metadata": labels, "spec": pod}),
                "selector": of({"matchLabels": {"app": "x"}}),
            },
            optional={
                "replicas": replicas,
                "paused": st.booleans(),
                "strategy": of({"type": "Recreate"}, {"type": "RollingUpdate"}, {}),
                "minReadySeconds": of(0, 5),
            },
        )

    labels = of({"labels": {"app": "x"}}, {"labels": {"app": "x", "b": "c"}})
    good = st.lists(
        st.fixed_dictionaries(
            {"name": of("main", "side"), "image": of("app:1", "app:2")}, optional=_CONTAINER
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda item: item["name"],
    )
    other = st.lists(
        st.fixed_dictionaries({"name": of("main", "side")}, optional=_CONTAINER), max_size=2
    )
    return mostly(
        st.fixed_dictionaries({"spec": spec(good, labels, replicas=of(0, 1, 3))}),
        st.fixed_dictionaries({"spec": spec(other, labels | of({}), replicas=of(0, -1))}),
    )


def _widgets() -> Drawn:
    part = st.fixed_dictionaries({"name": of("a", "b")}, optional={"count": of(1, 2)})
    good = {
        "color": of("red", "green"),
        "tag": of("abc", "d"),
        "tags": st.lists(of("a", "b"), max_size=2, unique=True),
        "parts": st.lists(part, max_size=2, unique_by=lambda item: item["name"]),
        "free": of({}, {"any": [1, {"thing": None}]}),
        "port": of(80, "web"),
        "notes": st.dictionaries(of("k", "l"), _WORDS, max_size=2),
    }
    other = {
        **good,
        "size": of(1, 0),
        "color": of("red", "blue"),
        "tag": of("abc", "no-tag"),
        "tags": st.lists(of("a", "b"), max_size=2),
        "parts": st.lists(part, max_size=2),
        "fixed": of("one", "other"),
        "unknown": of(1),
    }
    return mostly(
        st.fixed_dictionaries({"spec": st.fixed_dictionaries({"size": of(1, 2)}, optional=good)}),
        some(spec=some(**other), unknown=of("x")),
    )


def kinds(widgets: Resource) -> tuple[DrawnKind, ...]:
    """Return all kinds, with Widgets wherever they are served."""
    data = st.dictionaries(of("a", "b", "c"), _WORDS, max_size=3)
    return (
        DrawnKind(
            CONFIG_MAPS,
            some(data=data, binaryData=of({"d": "eA=="}, {}), immutable=of(True, False)),
        ),
        DrawnKind(
            SECRETS,
            some(
                data=st.dictionaries(of("a", "b"), of("eA==", "eQ==", ""), max_size=2),
                stringData=st.dictionaries(of("a", "c"), _WORDS, max_size=2),
                type=of("Opaque", "example.com/own"),
                immutable=of(False),
            ),
        ),
        DrawnKind(
            LEASES,
            some(
                spec=some(
                    holderIdentity=_WORDS,
                    leaseDurationSeconds=of(15, 30, 0),
                    leaseTransitions=of(0, 1),
                    renewTime=of("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:01.500000Z"),
                )
            ),
        ),
        DrawnKind(
            DEPLOYMENTS,
            _deployments(),
            sample={"spec": deployment("x")["spec"]},
            statuses=some(
                replicas=of(0, 2),
                readyReplicas=of(1, 9),
                observedGeneration=of(1),
                conditions=_STATUS_CONDITIONS,
            ),
        ),
        DrawnKind(
            widgets,
            _widgets(),
            sample={"spec": {"size": 1}},
            statuses=some(phase=of("a", "b"), count=of(1, 2), unknown=of(1)),
        ),
    )


@dataclass(frozen=True, slots=True)
class DrawnPatch:
    """A patch.

    Args:
        kind: How it is written.
        body: The patch.
    """

    kind: PatchType
    body: Any


_NULLS = st.recursive(
    st.none(),
    lambda inner: st.dictionaries(
        of("data", "spec", "metadata", "labels", "annotations", "finalizers", "a", "replicas"),
        inner,
        max_size=2,
    ),
    max_leaves=3,
)

_JSON_PATHS = (
    "/metadata/labels",
    "/metadata/labels/tier",
    "/metadata/annotations/note",
    "/metadata/finalizers",
    "/metadata/finalizers/0",
    "/metadata/finalizers/-",
    "/metadata/generation",
    "/metadata/name",
    "/data",
    "/data/a",
    "/data/b",
    "/spec",
    "/spec/replicas",
    "/spec/size",
    "/spec/tags/-",
    "/spec/holderIdentity",
    "/spec/template/spec/containers/0/image",
    "/spec/template/spec/containers/-",
    "/status",
    "/immutable",
)


def _operation(drawn: tuple[str, str, str, Any]) -> KubeObject:
    op, path, source, value = drawn
    if op in ("add", "replace", "test"):
        return {"op": op, "path": path, "value": value}
    if op in ("move", "copy"):
        return {"op": op, "path": path, "from": source}
    return {"op": op, "path": path}


_OPERATIONS = st.lists(
    st.tuples(
        of("add", "add", "replace", "remove", "test", "copy", "move"),
        of(*_JSON_PATHS),
        of(*_JSON_PATHS),
        of("x", "front", 1, None, {}, {"a": "b"}, ["example.com/a"], {"name": "new", "image": "i"}),
    ).map(_operation),
    min_size=1,
    max_size=3,
)


def _with_metadata(drawn: tuple[KubeObject, KubeObject]) -> KubeObject:
    content, metadata = drawn
    return {**content, "metadata": metadata} if metadata else dict(content)


_DIRECTIVES = of(
    {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, {"name": "new"}]}}}},
    {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}},
    {"metadata": {"$setElementOrder/finalizers": ["example.com/b", "example.com/a"]}},
    {"metadata": {"labels": {"$patch": "replace", "only": "this"}}},
    {"data": {"$patch": "delete"}},
    {"spec": {"$retainKeys": ["template", "selector", "strategy"], "strategy": None}},
)


def patches(kind: DrawnKind) -> st.SearchStrategy[DrawnPatch]:
    """Return patches of objects of this kind: whole contents, single fields, and nonsense."""
    contents = st.tuples(kind.contents, METADATA).map(_with_metadata)
    return st.one_of(
        st.builds(DrawnPatch, st.just(PatchType.MERGE), contents),
        st.builds(DrawnPatch, st.just(PatchType.MERGE), _NULLS.filter(lambda n: n is not None)),
        st.builds(DrawnPatch, st.just(PatchType.JSON), _OPERATIONS),
        st.builds(DrawnPatch, st.just(PatchType.STRATEGIC), contents | _DIRECTIVES),
    )
