"""The figures that the benchmark of joins publishes are counted and added up correctly."""

from datetime import UTC, datetime, timedelta

import pytest

from call_counts import AGENT_TO_HUB, AGENT_TO_SPOKE, HUB_TO_HUB, count, towline_calls
from import_times import parse_import_times
from spread import Spread, spreads
from towline_sandbox.audit import AuditEvent

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
AGENT = "towline-agent/0.1.0"


def event(
    verb: str = "get",
    resource: str = "secrets",
    *,
    user: str = "u",
    agent: str = AGENT,
    status: int = 200,
    after: float = 1,
) -> AuditEvent:
    """Return what an API server noted `after` seconds after the start."""
    return AuditEvent(
        at=START + timedelta(seconds=after),
        user=user,
        user_agent=agent,
        verb=verb,
        resource=resource,
        namespace="",
        name="",
        path=f"/some/path/{resource}?watch=1",
        status=status,
    )


@pytest.mark.parametrize(
    ("verb", "resource", "kind"),
    [
        ("get", "secrets", "reads"),
        ("list", "secrets", "reads"),
        ("watch", "secrets", "watches"),
        ("create", "secrets", "writes"),
        ("update", "leases.coordination.k8s.io", "writes"),
        ("patch", "managedclusters.cluster.open-cluster-management.io/status", "writes"),
        ("delete", "secrets", "writes"),
        ("create", "selfsubjectreviews.authentication.k8s.io", "reads"),
        ("create", "subjectaccessreviews.authorization.k8s.io", "reads"),
    ],
)
def test_a_call_is_a_read_a_write_or_a_watch(verb: str, resource: str, kind: str) -> None:
    """Questions have to be posted, and still leave nothing behind."""
    (call,) = towline_calls([event(verb, resource)], [], since=START)
    assert call.kind == kind


def test_calls_belong_to_who_made_them_and_to_their_server() -> None:
    """The hub is known by its user; the agent, which changes users, by its introduction."""
    on_hub = [
        event(user="towline:hub", agent="towline/0.1.0"),
        event(user="system:bootstrap:abcdef"),
        event(user="system:open-cluster-management:c1:a1"),
        event(user="system:open-cluster-management:cluster:c1:addon:hello:agent:a1"),
        event(user="", status=401),
        event(user="system:kube-controller-manager", agent="kube-controller-manager/v1"),
        event(user="system:bootstrap:abcdef", after=-1),
    ]
    counts = count(towline_calls(on_hub, [event(status=404), event()], since=START))
    assert counts[HUB_TO_HUB].kinds == {"reads": 1}
    assert counts[AGENT_TO_HUB].identities == {
        "bootstrap token": 1,
        "cluster agent": 1,
        "add-on agent": 1,
        "nobody": 1,
    }
    assert counts[AGENT_TO_SPOKE].calls == {"get secrets": 1, "get secrets (404)": 1}


def test_import_times_are_own_times_added_up_by_package() -> None:
    """Cumulative times would count each module once for everybody who imports it."""
    log = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       100 |        100 |   aiohttp.helpers\n"
        '{"level": "info", "message": "agent starts"}\n'
        "import time:       300 |        400 | aiohttp\n"
        "import time:        50 |         50 | json\n"
    )
    times = parse_import_times(log)
    assert times.by_package == {"aiohttp": 0.0004, "(standard library)": 0.00005}
    assert list(times.heaviest) == ["aiohttp", "aiohttp.helpers", "json"]
    assert times.modules == 3
    assert times.seconds == pytest.approx(0.00045)


def test_what_did_not_happen_in_a_join_counts_as_nothing() -> None:
    """A call made in one join of three has the median 0, not 1."""
    found = spreads([{"a": 3, "b": 1}, {"a": 1}, {"a": 2}])
    assert found == {"b": Spread(0, 0, 1), "a": Spread(2, 1, 3)}
    assert found["a"].text(0) == "2  (1-3)"
    assert Spread.of([2, 2]).text(1) == "2.0"
