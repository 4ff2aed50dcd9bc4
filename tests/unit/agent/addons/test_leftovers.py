"""What was made for add-ons is looked for with whatever rights there are, quietly."""

import asyncio
import logging
from typing import Any

import pytest

from support.api_world import FakeServer
from support.fake_client import FakeList
from towline_agent.addons.leftovers import AddonLeftovers
from towline_agent.applying.ownership import Owner
from towline_api.resources import Resource
from towline_kube.errors import Forbidden

OWNER = Owner("c1", "helloworld")


class GuardedServer(FakeServer):
    """A managed cluster that lets us list in some namespaces only; None stands for all at once."""

    def __init__(self, *allowed: str | None) -> None:
        super().__init__()
        self.allowed = set(allowed)
        self.asked: list[tuple[str, str | None]] = []

    async def list(
        self, resource: Resource, *, namespace: str | None = None, **selectors: Any
    ) -> FakeList:
        self.asked.append((resource.plural, namespace))
        await asyncio.sleep(0)
        if namespace not in self.allowed:
            raise Forbidden(f"list {resource.plural} in {namespace}: forbidden")
        return await super().list(resource, namespace=namespace, **selectors)


def leftovers(server: GuardedServer) -> AddonLeftovers:
    return AddonLeftovers(server.client, cluster="c1", namespaces=lambda: ("a", "b"))


async def test_rights_everywhere_are_found_out_once_for_all_add_ons() -> None:
    """At the start many add-ons look at once; a refusal each would be noise in the audit log."""
    server = GuardedServer("a", "b")
    look = leftovers(server)
    await asyncio.gather(*(look.secrets(OWNER) for _ in range(5)), look.addons())
    assert [namespace for _, namespace in server.asked].count(None) == 1


async def test_with_rights_everywhere_one_list_is_enough() -> None:
    """Namespaces nobody told us of are looked at as well."""
    server = GuardedServer(None)
    look = leftovers(server)
    await asyncio.gather(look.secrets(OWNER), look.secrets(OWNER))
    assert server.asked == [("secrets", None)] * 2


async def test_a_namespace_we_may_not_look_at_is_told_once_and_again_when_we_may(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every add-on looks there; the operator needs one line for each kind, and the good news."""
    server = GuardedServer("a")
    look = leftovers(server)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await look.secrets(OWNER)
        (refusal,) = caplog.records
        assert refusal.levelno == logging.WARNING
        assert refusal.__dict__["object"] == "secrets in b"
        server.allowed.add("b")
        for _ in range(3):
            await look.secrets(OWNER)
        _, recovery = caplog.records
        assert recovery.levelno == logging.INFO
        server.allowed.remove("b")
        await look.secrets(OWNER)
        assert caplog.records[2].levelno == logging.WARNING


async def test_what_may_stay_is_not_looked_for() -> None:
    """Of an add-on that stays where it is there is nothing to remove in its own namespace."""
    server = GuardedServer("a", "b")
    await leftovers(server).remove(OWNER, outside="a")
    assert [asked for asked in server.asked if asked[1] is not None] == [
        ("configmaps", "b"),
        ("leases", "b"),
    ]
