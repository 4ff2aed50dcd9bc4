"""Lines of waiting requests, kept change by change, are what one would count from scratch."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from support.approvers import RememberingServer
from support.csrs import NOW, csr_object
from support.fake_client import FakeEvent
from towline_api.names import CLUSTER_NAME_LABEL
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import format_time
from towline_certs import FloodLimits, SigningRequest
from towline_hub.approval.request_lines import RequestLines
from towline_kube.cache import Cache

LIMITS = FloodLimits(max_pending=3, max_per_hour=5)


def _request(name: str, *, user: str, cluster: str, second: int, decided: int | None) -> KubeObject:
    conditions = []
    if decided is not None:
        when = format_time(NOW + timedelta(seconds=decided))
        conditions.append({"type": "Approved", "status": "True", "lastUpdateTime": when})
    obj = csr_object(b"x", username=user, cluster=cluster, conditions=conditions)
    obj["metadata"]["name"] = name
    obj["metadata"]["creationTimestamp"] = format_time(NOW + timedelta(seconds=second))
    return obj


def _identity(obj: KubeObject) -> tuple[str, str]:
    return obj["spec"]["username"], obj["metadata"]["labels"][CLUSTER_NAME_LABEL]


def _pending(objects: dict[str, KubeObject], identity: tuple[str, str]) -> list[str]:
    same = [
        (obj["metadata"]["creationTimestamp"], name)
        for name, obj in objects.items()
        if _identity(obj) == identity and not obj["status"]
    ]
    return [name for _, name in sorted(same)]


@pytest.mark.parametrize("seed", range(20))
def test_any_history_leaves_the_lines_as_counted_from_scratch(seed: int) -> None:
    """And whoever moved into the part of a line that is looked at was woken."""
    rng = Random(seed)
    server: Any = RememberingServer()
    cache = Cache(server, CERTIFICATE_SIGNING_REQUESTS)
    woken: set[str] = set()
    lines = RequestLines(cache, limits=LIMITS, wake=woken.add)
    objects: dict[str, KubeObject] = {}
    for version in range(300):
        name = f"r{rng.randrange(30)}"
        before = {
            identity: _pending(objects, identity)[: LIMITS.waiting_line]
            for identity in {_identity(obj) for obj in objects.values()}
        }
        woken.clear()
        if name in objects and rng.random() < 0.3:
            event = FakeEvent("DELETED", objects.pop(name))
        else:
            obj = objects.get(name) or _request(
                name,
                user=rng.choice(["a", "b"]),
                cluster=rng.choice(["c1", "c2"]),
                second=rng.randrange(5),
                decided=None,
            )
            if name in objects and not obj["status"]:
                obj = _request(
                    name,
                    user=obj["spec"]["username"],
                    cluster=_identity(obj)[1],
                    second=0,
                    decided=version,
                ) | {"metadata": obj["metadata"]}
            obj["metadata"] = {
                **obj["metadata"],
                "uid": f"{name}-{obj['spec']['username']}",
                "resourceVersion": str(version),
            }
            objects[name] = obj
            event = FakeEvent("MODIFIED", obj)
        cache._take_event(event)
        for identity in {_identity(obj) for obj in objects.values()}:
            front = _pending(objects, identity)[: LIMITS.waiting_line]
            if identity in before and name not in front:
                assert set(front) - set(before[identity]) <= woken
    for name, obj in objects.items():
        traffic = lines.traffic(SigningRequest.from_csr(obj))
        line = _pending(objects, _identity(obj))
        if name in line:
            assert traffic.older_pending == line.index(name)
        decided = sorted(
            SigningRequest.from_csr(each).decided_at or NOW
            for each in objects.values()
            if _identity(each) == _identity(obj) and each["status"]
        )
        assert list(traffic.decided) == decided[-LIMITS.max_per_hour :]
    for cluster in ("c1", "c2"):
        expected = {
            name
            for user in ("a", "b")
            for name in _pending(objects, (user, cluster))[: LIMITS.waiting_line]
        }
        assert set(lines.in_line(cluster)) == expected
    for name in list(objects):
        cache._take_event(FakeEvent("DELETED", objects.pop(name)))
    assert not lines._entries
    assert not lines._lines
    assert not lines._of_cluster
