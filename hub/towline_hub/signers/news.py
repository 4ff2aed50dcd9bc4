"""What people are told about a signer: in the log, and as Events on its Secret."""

import logging
from datetime import datetime

from towline_api.resources import SECRETS, KubeObject
from towline_certs.authority import Authority
from towline_certs.authority_chain import strictness_problem
from towline_hub.signers.readiness import NotReady, Obstacle, Readiness, Ready
from towline_hub.signers.station import SignerStation
from towline_kube.events import EventRecorder, EventType

log = logging.getLogger(__name__)


class SignerNews:
    """Tells each thing once, until something else is to tell about the same.

    Args:
        events: Writes the Events.
    """

    def __init__(self, events: EventRecorder) -> None:
        self._events = events
        # By signer, and by what it is about: its state, its end, or its form.
        self._said: dict[tuple[str, str], str] = {}

    async def tell(self, station: SignerStation, state: Readiness) -> None:
        """Tell whether a signer signs, and if not, why not."""
        name = station.settings.signer_name
        match state:
            case Ready(authority=authority):
                text = f"signer {name} signs with {authority.certificate.subject.rfc4514_string()}"
                await self._say(station, "AuthorityReady", text, type=EventType.NORMAL)
            case NotReady(reason=reason, message=message):
                # A rotation that goes as planned is no trouble.
                waits = reason is Obstacle.NOT_PUBLISHED_YET
                await self._say(
                    station,
                    reason.value,
                    f"signer {name} signs nothing: {message}",
                    type=EventType.NORMAL if waits else EventType.WARNING,
                )

    async def warn(self, station: SignerStation, signing: Authority, *, now: datetime) -> None:
        """Tell what will become trouble with the authority that signs."""
        ends = signing.validity.not_after
        if not station.settings.managed and now < ends < now + station.settings.lifetime:
            text = (
                f"the authority in {station.where} ends at {ends:%Y-%m-%dT%H:%M:%SZ}, and so does "
                "every certificate it issues; replace it"
            )
            await self._say(station, "AuthorityEndsSoon", text, type=EventType.WARNING, about="end")
        for certificate in (signing.certificate, *signing.issuers):
            problem = strictness_problem(certificate)
            if problem is not None:
                text = (
                    "strict verifiers, Python's since 3.13 among them, will not accept "
                    f"certificates by the authority in {station.where}, because of "
                    f"{certificate.subject.rfc4514_string()}: {problem}; make it anew"
                )
                await self._say(
                    station, "AuthorityNotStrict", text, type=EventType.WARNING, about="form"
                )
                return

    async def _say(
        self,
        station: SignerStation,
        reason: str,
        text: str,
        *,
        type: EventType,  # noqa: A002 - the field's own word
        about: str = "state",
    ) -> None:
        topic = (station.settings.signer_name, about)
        if self._said.get(topic) == text:
            return
        self._said[topic] = text
        level = logging.WARNING if type is EventType.WARNING else logging.INFO
        log.log(level, "signer looked at", extra={"object": station.where, "reason": text})
        secret: KubeObject = {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {"name": station.settings.secret, "namespace": station.namespace},
        }
        await self._events.record(secret, reason=reason, note=text, action="LookAt", type=type)
