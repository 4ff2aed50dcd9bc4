"""A hub that looks after an authority is killed before and after each thing it writes."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from integration.hub.signing import SECRET
from support.tasks import background
from towline_api.resources import CONFIG_MAPS, NAMESPACES, SECRETS, KubeObject, Resource
from towline_certs.certificates import fingerprint_of, parse_chain
from towline_hub.signers.authorities import SignerAuthorities
from towline_hub.signers.authority_secret import parse_authorities
from towline_hub.signers.readiness import Ready
from towline_hub.signers.settings import SignerSettings
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK
from towline_kube.errors import Conflict
from towline_kube.events import EventRecorder

SIGNER = "example.com/signer"
OVERLAP = timedelta(minutes=10)
SETTINGS = SignerSettings.model_validate(
    {
        "signer-name": SIGNER,
        "secret": SECRET,
        "lifetime": "1h",
        "overlap": OVERLAP,
        "managed": True,
        "authority-lifetime": "30h",
    }
)


class KilledError(Exception):
    """The process ended at this very call."""


class MortalClient:
    """A client whose process is killed at one of its writes.

    Args:
        client: Does the work.
        dies_at: At which write, counted from 1; 0 for none.
        after: Whether that write still takes effect.
    """

    def __init__(self, client: Client, *, dies_at: int, after: bool) -> None:
        self._client = client
        self._dies_at = dies_at
        self._after = after
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def apply(self, resource: Resource, body: KubeObject) -> KubeObject:
        """Apply, or die."""
        self.writes += 1
        if self.writes == self._dies_at and not self._after:
            raise KilledError
        applied = await self._client.apply(resource, body)
        if self.writes == self._dies_at:
            raise KilledError
        return applied


class AheadClock:
    """The machine's clock, set ahead by as much as the test says."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        """Return the present on this clock."""
        return SYSTEM_CLOCK.now() + self.by

    def monotonic(self) -> float:
        """Return the machine's own."""
        return SYSTEM_CLOCK.monotonic() + self.by.total_seconds()

    async def sleep(self, delay: timedelta) -> None:
        """Sleep in real time."""
        await SYSTEM_CLOCK.sleep(delay)


@dataclass
class Life:
    """An authority through its first rotation, and what was seen of it."""

    admin: Client
    client: MortalClient
    namespace: str = field(default_factory=lambda: f"hub-{secrets.token_hex(4)}")
    clock: AheadClock = field(default_factory=AheadClock)
    since: dict[str, datetime] = field(default_factory=dict)
    signed: list[str] = field(default_factory=list)
    deaths: int = 0

    async def look(self) -> None:
        """Be a process that looks until nothing is left to do; and another, if that one dies."""
        while True:
            async with self._process() as authorities:
                try:
                    for _ in range(4):
                        await self._pass(authorities)
                except KilledError:
                    self.deaths += 1
                    continue
                return

    async def _pass(self, authorities: SignerAuthorities) -> None:
        try:
            await authorities.reconcile(SIGNER)
        except Conflict:
            return  # looks again
        published = await self.published()
        for name in published:
            self.since.setdefault(name, self.clock.now())
        state = authorities.find(SIGNER)
        if isinstance(state, Ready):
            name = fingerprint_of(state.authority.certificate)
            assert name in published
            is_first = name == next(iter(self.since))
            assert is_first or self.clock.now() - self.since[name] >= OVERLAP
            if name not in self.signed:
                self.signed.append(name)
        assert set(self.signed) <= published, "whose certificates are valid is not trusted"

    async def published(self) -> set[str]:
        """Return what the bundle holds."""
        found = await self.admin.find(CONFIG_MAPS, f"{SECRET}-bundle", namespace=self.namespace)
        return (
            set()
            if found is None
            else {
                fingerprint_of(each)
                for each in parse_chain(found["data"]["ca-bundle.crt"].encode())
            }
        )

    async def secret(self) -> KubeObject:
        """Return the Secret."""
        return await self.admin.get(SECRETS, SECRET, namespace=self.namespace)

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[SignerAuthorities]:
        authorities = SignerAuthorities(
            self.client,  # type: ignore[arg-type] # it is one, but for its death
            signers=[SETTINGS],
            namespace=self.namespace,
            events=EventRecorder(self.admin, controller="test", instance="test"),
            on_ready=lambda _: None,
            on_end=lambda *_: None,
            clock=self.clock,
        )
        async with AsyncExitStack() as stack:
            for cache in authorities.caches:
                task = background(cache.run(), name=f"watch-{cache.resource.plural}")
                await stack.enter_async_context(task)
            yield authorities


@pytest.mark.planes("embedded", because="thirty lives of an authority take too long elsewhere")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_write_the_rotation_goes_on(admin: Client, after: bool) -> None:
    """And no authority ever signs that is not in the bundle for long enough."""
    for number in range(20):
        life = Life(admin, MortalClient(admin, dies_at=number, after=after))
        await admin.create(NAMESPACES, {"metadata": {"name": life.namespace}})
        await life.look()
        first = parse_authorities(await life.secret()).signing
        life.clock.by = timedelta(hours=21)  # two thirds of its life
        await life.look()
        assert len(await life.published()) == 2
        assert parse_authorities(await life.secret()).following is not None
        life.clock.by += OVERLAP + timedelta(seconds=2)
        await life.look()
        second = parse_authorities(await life.secret())
        assert second.following is None
        assert life.signed == [
            fingerprint_of(first.certificate),
            fingerprint_of(second.signing.certificate),
        ]
        life.clock.by += timedelta(hours=2)
        life.signed.remove(fingerprint_of(first.certificate))  # its certificates have ended
        await life.look()
        assert await life.published() == {fingerprint_of(second.signing.certificate)}
        if number and not life.deaths:
            assert number > 6, "fewer writes than a rotation takes"
            return
    raise AssertionError("it never came to an end")
