"""How a signer stands, as somebody who looks at its Secret and its bundle can tell. Pure.

For people who ask why nothing is signed. The hub itself goes by `readiness`, which this asks too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from towline_api.errors import ConfigError
from towline_api.resources import CONFIG_MAPS, SECRETS, KubeObject
from towline_certs.authority import Authority
from towline_certs.authority_chain import strictness_problem
from towline_hub.looking import Unseen
from towline_hub.signers.authority_secret import is_managed, parse_authorities
from towline_hub.signers.bundle import Anchor, Entry
from towline_hub.signers.bundle_object import published_entries
from towline_hub.signers.readiness import NotReady, Obstacle, readiness
from towline_hub.signers.settings import SignerSettings
from towline_hub.spans import rough

_A_HUB = "a hub at work does so at once: check that one runs, leads, and has its rights"


class Outlook(StrEnum):
    """How a signer stands."""

    SIGNS = "signs"
    SOON_TROUBLE = "soon-trouble"
    """It signs, and somebody has something to do."""
    WAITS = "waits"
    """It will sign by itself, after a while."""
    STUCK = "stuck"
    """It signs nothing until somebody does something."""
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class SignerOutlook:
    """What was made of a signer.

    Args:
        signer: Its name.
        outlook: How it stands.
        found: What was found, in a sentence.
        fix: What to do, in a sentence; None where there is nothing to do.
    """

    signer: str
    outlook: Outlook
    found: str
    fix: str | None = None


def signer_outlook(
    settings: SignerSettings,
    *,
    namespace: str,
    secret: KubeObject | Unseen | None,
    bundle: KubeObject | Unseen | None,
    now: datetime,
) -> SignerOutlook:
    """Return how a signer stands.

    Args:
        settings: Of the signer.
        namespace: Where its Secret and its bundle are.
        secret: The Secret; None if there is none.
        bundle: The ConfigMap with the bundle; None if there is none.
        now: The present.
    """
    name, where = settings.signer_name, SECRETS.describe(settings.secret, namespace=namespace)

    def stuck(found: str, *, fix: str) -> SignerOutlook:
        return SignerOutlook(name, Outlook.STUCK, found, fix)

    for seen in (secret, bundle):
        if isinstance(seen, Unseen):
            return SignerOutlook(name, Outlook.UNSEEN, f"cannot look: {seen.why}")
    if not isinstance(secret, dict):
        if settings.managed:
            return stuck(f"{where} does not exist, which the hub makes", fix=_A_HUB)
        return stuck(
            f"{where} does not exist", fix="put the authority there, as tls.crt and tls.key"
        )
    if settings.managed and not is_managed(secret):
        return stuck(
            f"{where} was made by somebody else, and the signer's authority is to be managed",
            fix="set `managed: false` to use the authority in it, or delete it to have one made",
        )
    try:
        authority = parse_authorities(secret).signing
    except ConfigError as error:
        return stuck(str(error), fix="put a usable authority there; the hub looks again at once")
    entries = published_entries(bundle if isinstance(bundle, dict) else None)
    ready = readiness(
        authority, entry=_entry_of(authority, entries), settings=settings, where=where, now=now
    )
    if isinstance(ready, NotReady) and ready.reason is not Obstacle.NOT_PUBLISHED_YET:
        return stuck(ready.message, fix="replace the authority; the hub looks again at once")
    if bundle is None:
        published = CONFIG_MAPS.describe(settings.bundle, namespace=namespace)
        return stuck(f"{published} does not exist, which the hub publishes", fix=_A_HUB)
    if isinstance(ready, NotReady):
        return SignerOutlook(name, Outlook.WAITS, ready.message, "wait; requests wait with it")
    return _signing(settings, authority, where=where, count=len(entries), now=now)


def _signing(
    settings: SignerSettings, authority: Authority, *, where: str, count: int, now: datetime
) -> SignerOutlook:
    name, left = settings.signer_name, authority.validity.not_after - now
    if left < settings.lifetime:
        return SignerOutlook(
            name,
            Outlook.SOON_TROUBLE,
            f"the authority in {where} ends in {rough(left)}, and so does every certificate",
            "the hub should have made another: look at the log of the one that leads"
            if settings.managed
            else "replace it, or announce the next one in ca.crt first, so that nobody waits",
        )
    for certificate in (authority.certificate, *authority.issuers):
        problem = strictness_problem(certificate)
        if problem is not None:
            subject = certificate.subject.rfc4514_string()
            return SignerOutlook(
                name,
                Outlook.SOON_TROUBLE,
                f"strict verifiers, Python's since 3.13 among them, accept nothing by {subject} in "
                f"{where}: {problem}",
                "make the authority anew, with the extension",
            )
    return SignerOutlook(
        name,
        Outlook.SIGNS,
        f"{authority.certificate.subject.rfc4514_string()} signs, valid for {rough(left)}; "
        f"{settings.bundle} publishes {count} {'authority' if count == 1 else 'authorities'}",
    )


def _entry_of(authority: Authority, entries: Iterable[Entry]) -> Entry | None:
    fingerprint = Anchor.of(authority.anchor).fingerprint
    return next((entry for entry in entries if entry.anchor.fingerprint == fingerprint), None)
