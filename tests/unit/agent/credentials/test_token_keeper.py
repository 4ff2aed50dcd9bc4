"""Keeping a token: asked for in time, stored before use, kept while no other can be had."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NoReturn, cast

from support.clock import FakeClock
from support.tasks import background
from towline_agent.channel.hub_channel import HubChannel
from towline_agent.credentials.secret_store import SecretStore
from towline_agent.credentials.service_account_tokens import ServiceAccountToken, TokenOrder
from towline_agent.credentials.stored import Stored, StoredCredential
from towline_agent.credentials.token_keeper import TokenKeeper
from towline_api.metadata import ObjectKey
from towline_kube.errors import Forbidden

HUB = "https://hub.example.com"
LIFETIME = timedelta(hours=10)


class World:
    """A hub that issues tokens, a Secret, and whoever uses the token."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.uid: str | None = "u1"
        self.stored: StoredCredential | None = None
        self.refuses: Forbidden | None = None
        self.asked: list[dict[str, Any]] = []
        self.used: list[ServiceAccountToken] = []
        self.on_change: Callable[[], None] = lambda: None
        self.beside = {"kubeconfig": b"one"}
        self.connection = SimpleNamespace(server=HUB)
        self.description = "secret ns/hello-hub-kubeconfig"

    # The hub

    async def wait_ready(self, *, timeout: timedelta) -> "World":
        """Be the channel."""
        assert timeout
        return self

    async def create(self, resource: Any, body: dict[str, Any], *, subresource: str) -> Any:
        """Be the API server."""
        assert (resource.plural, subresource) == ("serviceaccounts", "token")
        self.asked.append(body)
        if self.refuses is not None:
            raise self.refuses
        return {"status": {"token": self.issue(f"t{len(self.asked)}")}}

    def issue(self, name: str, *, uid: str | None = None) -> str:
        """Return a token as of now."""
        now = self.clock.now()
        claims = {
            "jti": name,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "kubernetes.io": {"serviceaccount": {"uid": uid or self.uid}},
        }
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        return f"e30.{payload}.c2ln"

    # The Secret

    async def read(self) -> Stored:
        """Be the store."""
        return Stored(credential=self.stored, progress=None)

    async def write_credential(self, credential: StoredCredential) -> None:
        """Be the store."""
        self.stored = credential

    async def watch(self, on_change: Callable[[], None]) -> NoReturn:
        """Be the store."""
        self.on_change = on_change
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def lose_secret(self) -> None:
        """Have somebody delete it."""
        self.stored = None
        self.on_change()
        await self.clock.settle()

    # Who uses it

    def use(self, token: ServiceAccountToken) -> None:
        """Note a token; it has to be stored by now."""
        assert self.stored is not None
        assert self.stored.files["token"] == token.text.encode()
        self.used.append(token)

    @asynccontextmanager
    async def keeper(self) -> AsyncIterator[TokenKeeper]:
        """Run a keeper until the block ends."""
        keeper = TokenKeeper(
            TokenOrder(ObjectKey("hello-agent", "c1"), LIFETIME),
            store=cast("SecretStore", self),
            channel=cast("HubChannel", self),
            find_uid=lambda: self.uid,
            beside=lambda: self.beside,
            on_token=self.use,
            on_status=lambda: None,
            clock=self.clock,
        )
        async with background(keeper.run(), name="keep-token"):
            await self.clock.settle()
            yield keeper


async def test_the_first_token_is_asked_for_once_the_account_is_there() -> None:
    """Before the hub names the account, asking would only be refused."""
    world = World()
    world.uid = None
    async with world.keeper() as keeper:
        await world.clock.advance(timedelta(minutes=20))
        assert world.asked == []
        assert keeper.report() is None
        world.uid = "u1"
        keeper.look_again()
        await world.clock.settle()
        (asked,) = world.asked
        assert asked["metadata"] == {"name": "hello-agent", "namespace": "c1"}
        assert asked["spec"] == {"expirationSeconds": 36000}
        assert world.stored is not None
        assert set(world.stored.files) == {"kubeconfig", "token"}
        assert world.stored.hub == HUB


async def test_the_next_is_asked_for_when_a_fifth_is_left() -> None:
    """And not before: at rest, nothing is asked of the hub."""
    world = World()
    async with world.keeper():
        await world.clock.advance(timedelta(hours=7, minutes=59))
        assert len(world.asked) == 1
        await world.clock.advance(timedelta(minutes=2))
        assert len(world.asked) == 2
        assert [token.issued_at for token in world.used][1] > world.used[0].issued_at


async def test_a_stored_token_serves_after_a_restart() -> None:
    """A restart of many agents is no flood of requests."""
    world = World()
    async with world.keeper():
        pass
    async with world.keeper():
        await world.clock.advance(timedelta(hours=1))
        assert len(world.asked) == 1
        assert len(world.used) == 2


async def test_a_token_of_another_account_or_hub_is_replaced() -> None:
    """What opens nothing is not put into use."""
    for uid, hub in (("u0", HUB), ("u1", "https://former.example.com")):
        world = World()
        files = {"token": world.issue("old", uid=uid).encode()}
        world.stored = StoredCredential(files=files, hub=hub)
        async with world.keeper():
            assert len(world.asked) == 1
            assert [token.uid for token in world.used] == ["u1"]


async def test_a_renewed_account_is_noticed_at_once() -> None:
    """Its old tokens are dead, whatever their dates say."""
    world = World()
    async with world.keeper() as keeper:
        world.uid = "u2"
        keeper.look_again()
        await world.clock.settle()
        assert [token.uid for token in world.used] == ["u1", "u2"]


async def test_the_present_token_is_kept_while_the_next_is_refused() -> None:
    """The hub is told after a few attempts, and again once it is over."""
    world = World()
    async with world.keeper() as keeper:
        world.refuses = Forbidden("the hub says no")
        await world.clock.advance(timedelta(hours=8, minutes=1))
        assert len(world.used) == 1
        report = keeper.report()
        assert report is not None
        assert (report.status, report.reason) == ("False", "TokenCreationFailed")
        assert "the hub says no" in report.message
        assert keeper.token is not None
        world.refuses = None
        await world.clock.advance(timedelta(minutes=5))
        assert len(world.used) == 2
        report = keeper.report()
        assert report is not None
        assert report.status == "True"


async def test_what_stands_beside_the_token_is_kept_up_to_date() -> None:
    """The hub's address or CA may change while the token stays."""
    world = World()
    async with world.keeper() as keeper:
        world.beside = {"kubeconfig": b"two"}
        keeper.look_again()
        await world.clock.settle()
        assert world.stored is not None
        assert world.stored.files["kubeconfig"] == b"two"
        assert len(world.asked) == 1


async def test_a_deleted_secret_is_written_anew() -> None:
    """Somebody tidied up too much; the add-on's pods wait for it."""
    world = World()
    async with world.keeper():
        await world.lose_secret()
        assert world.stored is not None
        assert len(world.asked) == 2
