"""Patches and ownership of fields, held against a real API server.

Managers write to objects at random, on the real server. Each write is then carried out by our own
functions, from the object as the server had it, and has to come to what the server made of it.
"""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
import pytest_asyncio

from integration.sandbox.random_writes import (
    SORTS,
    UPDATE,
    WIDGET_DEFINITION,
    WIDGETS,
    Sort,
    Write,
    draw_write,
)
from support.raw_api import RawApi, raw_api
from support.waiting import until
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES, KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure
from towline_sandbox.embedded.patches import apply_patch
from towline_sandbox.embedded.patches.managed_fields import track_update
from towline_sandbox.embedded.patches.media_types import APPLY
from towline_sandbox.embedded.patches.server_side_apply import apply
from towline_sandbox.own_api import Answer
from towline_sandbox.plane import ControlPlane

pytestmark = [
    pytest.mark.planes("kube", because="our own functions are held against it"),
    pytest.mark.timeout(240),
]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OBJECTS, WRITES = 8, 8
SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(hub_plane: ControlPlane) -> AsyncIterator[RawApi]:
    """A real server that knows the custom kind."""
    async with raw_api(hub_plane.admin_kubeconfig()) as api:
        definitions = CUSTOM_RESOURCE_DEFINITIONS.path()
        assert (await api.call("POST", definitions, WIDGET_DEFINITION)).status == 201
        widgets = WIDGETS.path(namespace="default")

        async def is_served() -> bool:
            return (await api.call("GET", widgets)).status == 200

        await until(is_served, what=lambda: "the custom kind is not served")
        yield api
        await api.call("DELETE", f"{definitions}/{WIDGETS.qualified}")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", SORTS)
async def test_writes_come_to_what_a_real_server_makes_of_them(api: RawApi, name: str) -> None:
    """Objects, owners and refusals are the same, whoever writes in whatever form and order."""
    namespace = f"patches-{secrets.token_hex(4)}"
    body = {"metadata": {"name": namespace}}
    assert (await api.call("POST", NAMESPACES.path(), body)).status == 201
    for seed in range(OBJECTS):
        await _follow(api, SORTS[name], namespace, chance=Random(seed))


async def _follow(api: RawApi, sort: Sort, namespace: str, *, chance: Random) -> None:
    """Make writes to one object, and compare after each."""
    name, live, story = f"o-{secrets.token_hex(4)}", None, []
    for _ in range(WRITES):
        write = draw_write(sort, live, name, chance=chance)
        answer = await _send(api, sort, write, live, namespace, name)
        story.append((answer.status, write))
        ours = _carry_out(sort, write, live, answer)
        if answer.status >= 400:
            _compare_refusals(ours, answer, story)
            continue
        assert isinstance(ours, dict), (ours, story)
        theirs = answer.body
        assert _owners(ours) == _owners(theirs), (live, story)
        if write.media_type != UPDATE and not write.subresource:
            assert _found_in(_content(ours, write), _content(theirs, write)) is None, (live, story)
        live = theirs


async def _send(
    api: RawApi, sort: Sort, write: Write, live: KubeObject | None, namespace: str, name: str
) -> Answer:
    creates = live is None and write.media_type == UPDATE
    path = sort.kind.resource.path(
        namespace=namespace,
        name=None if creates else name,
        subresource=write.subresource or None,
    )
    query = {"fieldManager": write.manager}
    if write.media_type == APPLY and write.force:
        query["force"] = "true"
    method = ("POST" if creates else "PUT") if write.media_type == UPDATE else "PATCH"
    return await api.call(
        method, f"{path}?{urlencode(query)}", write.body, content_type=write.media_type
    )


def _carry_out(
    sort: Sort, write: Write, live: KubeObject | None, answer: Answer
) -> KubeObject | ApiFailure:
    """Return what our functions make of a write.

    Of what is not theirs to decide (defaults, what a strategy resets), they get what the server
    came to.
    """
    kind = sort.kind
    try:
        if write.media_type == APPLY:
            return apply(
                live,
                write.body,
                kind=kind,
                manager=write.manager,
                force=write.force,
                subresource=write.subresource,
                now=NOW,
            )
        patched: KubeObject = {}
        if write.media_type != UPDATE:
            assert live is not None
            patched = apply_patch(
                live, orjson.dumps(write.body), media_type=write.media_type, kind=kind
            )
    except ApiFailure as failure:
        return failure
    if answer.status >= 400:
        return patched
    sent = write.body if write.media_type == UPDATE else patched
    metadata = {k: v for k, v in answer.body["metadata"].items() if k != "managedFields"}
    if "managedFields" in sent["metadata"]:
        metadata["managedFields"] = sent["metadata"]["managedFields"]
    tracked = track_update(
        live,
        {**answer.body, "metadata": metadata},
        kind=kind,
        manager=write.manager,
        subresource=write.subresource,
        now=NOW,
    )
    if not patched:
        return tracked
    owners = tracked["metadata"].get("managedFields", [])
    return {**patched, "metadata": {**patched["metadata"], "managedFields": owners}}


def _compare_refusals(ours: KubeObject | ApiFailure, answer: Answer, story: list[Any]) -> None:
    if answer.status == 409 and answer.body["message"].startswith("Apply failed"):
        assert isinstance(ours, ApiFailure), story
        mine, theirs = ours.status(), answer.body
        # Of several managers the server names any one first.
        assert sorted(mine["message"].split("\n")) == sorted(theirs["message"].split("\n")), story
        assert _causes(mine) == _causes(theirs), story
    else:
        assert answer.status in (409, 422), (answer.body, story)  # rules of the kind, not ours


def _causes(status: KubeObject) -> list[tuple[str, str, str]]:
    causes = status["details"]["causes"]
    return sorted((cause["reason"], cause["message"], cause["field"]) for cause in causes)


def _owners(obj: KubeObject) -> list[KubeObject]:
    """Return the entries, of times only whether there is one."""
    entries = obj["metadata"].get("managedFields", [])
    told = [{**entry, "time": "time" in entry} for entry in entries]
    return sorted(told, key=lambda entry: orjson.dumps(entry, option=orjson.OPT_SORT_KEYS))


def _content(obj: KubeObject, write: Write) -> KubeObject:
    metadata = {k: v for k, v in obj["metadata"].items() if k not in SERVERS_OWN}
    found = {**obj, "metadata": metadata}
    found.pop("status", None)
    return found


def _found_in(ours: Any, theirs: Any, path: str = "") -> str | None:
    """Say where a value is not part of another one, which may have defaults on top."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            trouble = _found_in(value, theirs.get(key), f"{path}.{key}")
            if trouble is not None:
                return trouble
        return None
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        found = (_found_in(mine, other, f"{path}[{at}]") for at, (mine, other) in pairs)
        return next((trouble for trouble in found if trouble is not None), None)
    if ours == theirs or (not ours and not theirs):
        return None
    return f"{path}: {ours!r}, not {theirs!r}"
