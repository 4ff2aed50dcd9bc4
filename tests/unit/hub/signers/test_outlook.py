"""What somebody who looks at a signer from outside is told, and what to do about it."""

import base64
from datetime import timedelta
from functools import cache

import pytest

from support.csrs import NOW
from towline_api.addons import (
    CustomSignerRegistration,
    KubeClientRegistration,
    ManagedClusterAddon,
    SubjectSpec,
)
from towline_api.resources import KubeObject
from towline_certs import Authority, create_authority, format_key
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.doctor.findings import Verdict
from towline_hub.doctor.signer_checks import signer_checks
from towline_hub.explain.links import LinkState
from towline_hub.explain.signer_links import addon_signer_links, signer_link
from towline_hub.looking import Unseen
from towline_hub.signers.authority_secret import managed_secret
from towline_hub.signers.bundle import Anchor, Entry
from towline_hub.signers.bundle_object import bundle_object
from towline_hub.signers.outlook import Outlook, SignerOutlook, signer_outlook
from towline_hub.signers.settings import SignerSettings

SIGNER, OTHER = "example.com/signer", "example.com/other"
DAY = timedelta(days=1)
SETTINGS = SignerSettings(signer_name=SIGNER, secret="authority", lifetime=DAY)
MANAGED = SETTINGS.model_copy(update={"managed": True})


@cache
def authority(days: int = 30, *, begun: int = 1) -> Authority:
    return create_authority("ca", now=NOW, lifetime=days * DAY, backdate=begun * DAY)


def secret(held: Authority, **data: bytes) -> KubeObject:
    plain = {"tls.crt": held.certificate_pem, "tls.key": format_key(held.key), **data}
    return {
        "metadata": {"name": "authority", "namespace": "hub"},
        "data": {key: base64.b64encode(value).decode() for key, value in plain.items()},
    }


def bundle(held: Authority, *, signs_in: timedelta = -DAY) -> KubeObject:
    entry = Entry(Anchor.of(held.anchor), NOW + signs_in, longest=DAY)
    return bundle_object("authority-bundle", namespace="hub", entries=[entry])


GOOD, SHORT = authority(), authority(0, begun=1)
ENDING = create_authority("ca", now=NOW, lifetime=timedelta(hours=3), backdate=DAY)
KEY = format_key(GOOD.key).decode().splitlines()[1]


@pytest.mark.parametrize(
    ("settings", "secret_", "bundle_", "outlook", "text"),
    [
        pytest.param(SETTINGS, secret(GOOD), bundle(GOOD), Outlook.SIGNS, "CN=ca signs", id="well"),
        pytest.param(
            MANAGED,
            managed_secret(MANAGED, namespace="hub", signing=GOOD),
            bundle(GOOD),
            Outlook.SIGNS,
            "publishes 1 authority",
            id="managed",
        ),
        pytest.param(
            SETTINGS, None, None, Outlook.STUCK, "secrets hub/authority does not exist", id="none"
        ),
        pytest.param(MANAGED, None, None, Outlook.STUCK, "which the hub makes", id="not-made"),
        pytest.param(
            MANAGED, secret(GOOD), bundle(GOOD), Outlook.STUCK, "by somebody else", id="foreign"
        ),
        pytest.param(
            SETTINGS,
            secret(GOOD, **{"tls.key": b"nonsense"}),
            bundle(GOOD),
            Outlook.STUCK,
            "tls.key",
            id="broken",
        ),
        pytest.param(
            SETTINGS, secret(SHORT), bundle(SHORT), Outlook.STUCK, "is valid from", id="ended"
        ),
        pytest.param(
            SETTINGS, secret(ENDING), bundle(ENDING), Outlook.SOON_TROUBLE, "ends in 3h", id="ends"
        ),
        pytest.param(
            SETTINGS, secret(GOOD), None, Outlook.STUCK, "which the hub publishes", id="no-bundle"
        ),
        pytest.param(
            SETTINGS,
            secret(GOOD),
            bundle(GOOD, signs_in=timedelta(minutes=5)),
            Outlook.WAITS,
            "holds a new authority",
            id="new",
        ),
        pytest.param(
            SETTINGS, Unseen("that takes a right"), None, Outlook.UNSEEN, "a right", id="unseen"
        ),
        pytest.param(
            SETTINGS, secret(GOOD), Unseen("that too"), Outlook.UNSEEN, "that too", id="half-seen"
        ),
    ],
)
def test_a_signer_is_found_as_it_stands(
    settings: SignerSettings,
    secret_: KubeObject | Unseen | None,
    bundle_: KubeObject | Unseen | None,
    outlook: Outlook,
    text: str,
) -> None:
    """Whatever keeps it from signing is named with its place, and never with what is in there."""
    found = signer_outlook(settings, namespace="hub", secret=secret_, bundle=bundle_, now=NOW)
    assert (found.outlook, found.signer) == (outlook, SIGNER)
    assert text in found.found
    assert (found.fix is None) == (outlook in {Outlook.SIGNS, Outlook.UNSEEN})
    assert KEY not in f"{found}"


def outlook_of(outlook: Outlook) -> SignerOutlook:
    return SignerOutlook(SIGNER, outlook, "found", "fix")


@pytest.mark.parametrize(
    ("outlook", "verdict", "state"),
    [
        (Outlook.SIGNS, Verdict.OK, LinkState.HOLDS),
        (Outlook.SOON_TROUBLE, Verdict.WARN, LinkState.HOLDS),
        (Outlook.WAITS, Verdict.WARN, LinkState.BROKEN),
        (Outlook.STUCK, Verdict.FAIL, LinkState.BROKEN),
        (Outlook.UNSEEN, Verdict.UNSEEN, LinkState.UNKNOWN),
    ],
)
def test_doctor_and_explain_say_the_same(
    outlook: Outlook, verdict: Verdict, state: LinkState
) -> None:
    """Each in its own words for how bad that is: what works breaks no chain."""
    declared = [AddonDeclaration("hello", custom_signers=(CustomSigner(SIGNER),))]
    (finding,) = signer_checks([outlook_of(outlook)], declarations=declared, approved={SIGNER})
    assert finding.verdict is verdict
    assert signer_link(outlook_of(outlook)).state is state


def test_doctor_sees_signers_and_declarations_that_do_not_go_together() -> None:
    """A signer nobody is declared for, and a declaration nobody approves for."""
    declared = [AddonDeclaration("hello", custom_signers=(CustomSigner(OTHER),))]
    well = [outlook_of(Outlook.SIGNS)]
    found = signer_checks(well, declarations=declared, approved={SIGNER})
    assert [(item.check, item.verdict) for item in found] == [
        (f"signer {SIGNER}", Verdict.OK),
        (f"signer {SIGNER}", Verdict.WARN),
        (f"signer {OTHER}", Verdict.FAIL),
    ]
    assert "hello" in found[2].found
    assert len(signer_checks(well, declarations=declared, approved={SIGNER, OTHER})) == 2


@pytest.mark.parametrize(
    ("declared", "registered", "outlooks", "approved", "state", "text"),
    [
        pytest.param(True, True, True, True, LinkState.HOLDS, "found", id="well"),
        pytest.param(True, False, True, True, LinkState.HOLDS, "found", id="about-to-be"),
        pytest.param(False, True, True, True, LinkState.BROKEN, "not declared", id="undeclared"),
        pytest.param(False, True, False, True, LinkState.HOLDS, "else signs", id="others"),
        pytest.param(False, True, False, False, LinkState.UNKNOWN, "not in the", id="unknown"),
    ],
)
def test_an_addons_signers_are_links_of_its_chain(
    declared: bool, registered: bool, outlooks: bool, approved: bool, state: LinkState, text: str
) -> None:
    """Its certificate comes from there, whoever registered it."""
    registrations = [KubeClientRegistration(SubjectSpec())]
    custom = CustomSignerRegistration(SIGNER, SubjectSpec("u"))
    addon = ManagedClusterAddon(
        "hello", "c1", registrations=(*registrations, *((custom,) if registered else ()))
    )
    (link,) = addon_signer_links(
        addon,
        declaration=AddonDeclaration(
            "hello", custom_signers=(CustomSigner(SIGNER),) if declared else ()
        ),
        outlooks={SIGNER: outlook_of(Outlook.SIGNS)} if outlooks else {},
        approved={SIGNER} if approved else set(),
    )
    assert (link.state, link.name) == (state, f"signer {SIGNER}")
    assert text in link.found


def test_an_addon_without_custom_signers_has_no_such_link() -> None:
    """Most have none."""
    addon = ManagedClusterAddon("hello", "c1", registrations=())
    assert not list(addon_signer_links(addon, declaration=None, outlooks={}, approved=()))
