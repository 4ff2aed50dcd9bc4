"""The authorities of all signers: read, published, and if managed, made and rotated.

One pass looks at one signer. What it writes is bound to the versions that it was concluded from, so
of several hubs one wins and the others look again.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from towline_api.errors import ConfigError
from towline_api.metadata import resource_version_of
from towline_api.resources import CONFIG_MAPS, SECRETS
from towline_certs.authority import Authority, create_authority
from towline_hub.object_writer import holds
from towline_hub.own_writes import FreshView
from towline_hub.signers.authority_secret import Authorities, authority_name, managed_secret
from towline_hub.signers.bundle import Anchor, Entry, next_change, plan_bundle
from towline_hub.signers.bundle_object import bundle_object
from towline_hub.signers.news import SignerNews
from towline_hub.signers.readiness import (
    NotReady,
    Obstacle,
    Readiness,
    Ready,
    readiness,
    validity_problem,
)
from towline_hub.signers.rotation import RotationPlan, Step, plan_rotation
from towline_hub.signers.settings import SignerSettings
from towline_hub.signers.station import SignerStation
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import Result
from towline_kube.errors import Conflict
from towline_kube.events import EventRecorder
from towline_kube.store import Change

log = logging.getLogger(__name__)

BACKDATE = timedelta(minutes=5)
"""How far before the present certificates begin, for peers whose clocks are behind."""
_FIRST_READING = timedelta(seconds=5)
_UNREAD_RECHECK = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(hours=1)
"""A pass with nothing to do costs no call, and notices that somebody has set the clock."""


class SignerAuthorities:
    """Reconciles the authority of one signer at a time, by the signer's name.

    Args:
        client: Whom to ask.
        signers: What the operator chose.
        namespace: The hub's own.
        events: Tells what is wrong, on the Secret.
        on_ready: Called with a signer's name whenever it was found to be able to sign.
        on_end: Called with a signer's name and when its authority ends; None if it has none.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        signers: Iterable[SignerSettings],
        namespace: str,
        events: EventRecorder,
        on_ready: Callable[[str], None],
        on_end: Callable[[str, datetime | None], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._news = SignerNews(events)
        self._on_ready = on_ready
        self._on_end = on_end
        self._clock = clock
        self._stations = {
            settings.signer_name: SignerStation(client, settings, namespace=namespace, clock=clock)
            for settings in signers
        }

    @property
    def caches(self) -> Iterator[Cache]:
        """What somebody has to run."""
        for station in self._stations.values():
            yield station.secrets
            yield station.bundles

    def watch_with(self, enqueue: Callable[[str], None]) -> None:
        """Have a function called with a signer's name when its Secret or bundle has changed."""
        for name, station in self._stations.items():
            for cache in (station.secrets, station.bundles):
                cache.on_change(_enqueuing(enqueue, name))

    def settings_of(self, signer: str) -> SignerSettings | None:
        """Return the settings of a signer; None if this hub does not play it."""
        station = self._stations.get(signer)
        return None if station is None else station.settings

    def find(self, signer: str) -> Readiness:
        """Return whether a signer can sign now, judged by what was read last."""
        station = self._stations[signer]
        problem = station.reading_problem
        if problem is not None:
            return NotReady(Obstacle.NOT_READ, problem)
        if not station.is_up_to_date:
            return NotReady(Obstacle.NOT_READ, f"{station.where} has just changed")
        if isinstance(station.state, Ready):
            expired = validity_problem(
                station.state.authority, where=station.where, now=self._clock.now()
            )
            return expired or station.state
        return station.state

    async def reconcile(self, signer: str) -> Result:
        """Bring one signer's Secret and bundle to what they should be, and see whether it signs."""
        station = self._stations[signer]
        await station.wait_synced(limit=_FIRST_READING)
        problem = station.reading_problem
        if problem is not None:
            station.state = NotReady(Obstacle.NOT_READ, problem)
            return Result(look_again_in=_UNREAD_RECHECK)
        now = self._clock.now()
        moments: list[datetime | None] = []
        try:
            authorities = station.authorities()
            if station.settings.managed:
                plan = await self._rotate(station, authorities, now=now)
                moments.append(plan.look_again_at)
                authorities = station.authorities()
        except ConfigError as error:
            self._on_end(signer, None)
            await self._publish(station, None, now=now)
            await self._conclude(station, NotReady(Obstacle.UNUSABLE, str(error)))
            return Result(look_again_in=_LONGEST_PAUSE)
        entries = await self._publish(station, authorities, now=now)
        moments.append(next_change(entries, now=now))
        if authorities is None:
            self._on_end(signer, None)
            missing = f"{station.where} does not exist; put the authority there as tls.crt, tls.key"
            await self._conclude(station, NotReady(Obstacle.MISSING, missing))
        else:
            signing = authorities.signing
            validity = signing.validity
            self._on_end(signer, validity.not_after)
            moments += [validity.not_before, validity.not_after]
            entry = _entry_of(signing, entries)
            await self._conclude(
                station,
                readiness(
                    signing, entry=entry, settings=station.settings, where=station.where, now=now
                ),
            )
            await self._news.warn(station, signing, now=now)
        pauses = [moment - now for moment in moments if moment is not None and moment > now]
        return Result(look_again_in=min([*pauses, _LONGEST_PAUSE]))

    async def _rotate(
        self, station: SignerStation, authorities: Authorities | None, *, now: datetime
    ) -> RotationPlan:
        settings = station.settings
        following = None if authorities is None else authorities.following
        published = None if following is None else _entry_of(following, station.entries().values())
        plan = plan_rotation(
            current=None if authorities is None else authorities.signing.validity,
            following=None if following is None else following.validity,
            following_signs_from=None if published is None else published.signs_from,
            lifetime=settings.lifetime,
            overlap=settings.overlap,
            now=now,
        )
        match plan.step, authorities:
            case Step.MAKE, _:
                await self._store(station, signing=self._new(settings, now=now))
            case Step.ANNOUNCE, Authorities(signing=signing):
                await self._store(station, signing=signing, following=self._new(settings, now=now))
            case Step.SWITCH, Authorities(following=Authority() as successor):
                await self._store(station, signing=successor)
            case _:
                return plan
        log.info(
            "signer's authority changed",
            extra={"object": station.where, "reason": f"{settings.signer_name}: {plan.step}"},
        )
        return plan

    def _new(self, settings: SignerSettings, *, now: datetime) -> Authority:
        return create_authority(
            authority_name(settings, now=now),
            now=now,
            lifetime=settings.authority_lifetime,
            backdate=BACKDATE,
        )

    async def _store(
        self, station: SignerStation, *, signing: Authority, following: Authority | None = None
    ) -> None:
        live = station.secret
        if live is None:
            await self._make_sure_there_is_none(station.fresh_secrets, station, SECRETS.kind)
        wanted = managed_secret(
            station.settings,
            namespace=station.namespace,
            signing=signing,
            following=following,
            resource_version=None if live is None else resource_version_of(live),
        )
        station.fresh_secrets.remember(await self._client.apply(SECRETS, wanted))

    async def _publish(
        self, station: SignerStation, authorities: Authorities | None, *, now: datetime
    ) -> tuple[Entry, ...]:
        """Bring the bundle to what it should hold; return that."""
        settings = station.settings
        announced = []
        if authorities is not None:
            announced = [Anchor.of(certificate) for certificate in authorities.announced]
            if authorities.following is not None:
                announced.append(Anchor.of(authorities.following.anchor))
        entries = plan_bundle(
            station.entries().values(),
            signing=None if authorities is None else Anchor.of(authorities.signing.anchor),
            announced=announced,
            lifetime=settings.lifetime,
            overlap=settings.overlap,
            now=now,
        )
        live = station.bundle
        # An empty bundle helps nobody, and some readers stumble over one.
        wanted = bundle_object(settings.bundle, namespace=station.namespace, entries=entries)
        if entries and (live is None or not holds(wanted, live)):
            if live is None:
                await self._make_sure_there_is_none(
                    station.fresh_bundles, station, CONFIG_MAPS.kind
                )
            else:
                wanted["metadata"]["resourceVersion"] = resource_version_of(live)
            station.fresh_bundles.remember(await self._client.apply(CONFIG_MAPS, wanted))
            log.info(
                "CA bundle published",
                extra={
                    "object": CONFIG_MAPS.describe(settings.bundle, namespace=station.namespace),
                    "reason": f"{settings.signer_name}: {len(entries)} authorities",
                },
            )
        station.remember(entries)
        return entries

    async def _make_sure_there_is_none(
        self, view: FreshView, station: SignerStation, kind: str
    ) -> None:
        """Make sure that what the watch does not know is not there after all.

        Server-side apply has no way to say "only if there is none", and what would be lost is a key
        that signed, or what is known about former authorities.

        Raises:
            Conflict: It is there.
        """
        settings = station.settings
        name = settings.secret if kind == SECRETS.kind else settings.bundle
        found = await self._client.find(view.resource, name, namespace=station.namespace)
        if found is not None:
            view.remember(found)
            described = view.resource.describe(name, namespace=station.namespace)
            raise Conflict(f"{described} was made by somebody else just now; looking again")

    async def _conclude(self, station: SignerStation, state: Readiness) -> None:
        station.conclude(state)
        await self._news.tell(station, state)
        if isinstance(state, Ready):
            self._on_ready(station.settings.signer_name)


def _enqueuing(enqueue: Callable[[str], None], name: str) -> Callable[[Change], None]:
    def on_change(change: Change) -> None:
        del change
        enqueue(name)

    return on_change


def _entry_of(authority: Authority, entries: Iterable[Entry]) -> Entry | None:
    fingerprint = Anchor.of(authority.anchor).fingerprint
    return next((entry for entry in entries if entry.anchor.fingerprint == fingerprint), None)
