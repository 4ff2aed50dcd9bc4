"""Certificates are replaced in time, and never before an API server can know their authority."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from towline_api.errors import ConfigError
from towline_hub.webhook.certificate_secret import format_secret, is_ours, parse_secret
from towline_hub.webhook.serving_certificate import (
    Certificates,
    Lifetimes,
    ServerNames,
    make_certificates,
    next_certificates,
    next_look,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ServerNames(dns=("hook.ns.svc",))
LIFETIMES = Lifetimes.of_leaf(30 * DAY)


def made(at: datetime = START, names: ServerNames = NAMES) -> Certificates:
    return make_certificates(names, lifetimes=LIFETIMES, now=at)


def after(held: Certificates, at: datetime, *, known_for: timedelta | None = None) -> Certificates:
    return next_certificates(held, NAMES, lifetimes=LIFETIMES, known_for=known_for, now=at)


def verifies(held: Certificates, trusted_pem: bytes, *, at: datetime) -> bool:
    """Return whether who trusts these authorities believes the certificate, strictly."""
    verifier = (
        PolicyBuilder()
        .store(Store(x509.load_pem_x509_certificates(trusted_pem)))
        .time(at)
        .build_server_verifier(x509.DNSName("hook.ns.svc"))
    )
    try:
        verifier.verify(held.leaf, [])
    except VerificationError:
        return False
    return True


def test_an_api_server_believes_what_is_made() -> None:
    """And nobody else's."""
    held = made()
    assert verifies(held, held.trusted_pem, at=START)
    assert verifies(held, held.trusted_pem, at=START - timedelta(minutes=4)), "a clock behind ours"
    assert not verifies(held, made().trusted_pem, at=START)
    assert not verifies(held, held.trusted_pem, at=START + 31 * DAY)


def test_nothing_is_made_before_its_time() -> None:
    """The very same object: nobody has to compare certificates."""
    held = made()
    assert after(held, START + 19 * DAY, known_for=19 * DAY) is held
    pause = next_look(held, lifetimes=LIFETIMES, known_for=None, now=START)
    assert timedelta(days=19) < pause <= timedelta(days=20)


def test_a_certificate_is_replaced_after_two_thirds_of_its_life() -> None:
    """By one of the same authority, which API servers know."""
    held = made()
    new = after(held, START + 21 * DAY)
    assert new.certificate_pem != held.certificate_pem
    assert new.key_pem != held.key_pem
    assert new.trusted_pem == held.trusted_pem
    assert verifies(new, held.trusted_pem, at=START + 21 * DAY)


def test_an_authority_is_known_before_it_signs() -> None:
    """Known means by API servers, for long enough, and not only made."""
    held = made()
    due = START + 241 * DAY
    announced = after(held, due)
    assert announced.following is not None
    assert announced.certificate_pem == held.certificate_pem
    assert announced.signing is held.signing
    assert len(x509.load_pem_x509_certificates(announced.trusted_pem)) == 2
    for known_for in (None, timedelta(), LIFETIMES.overlap - timedelta(seconds=1)):
        waiting = after(announced, due, known_for=known_for)
        assert waiting.signing is held.signing, known_for
    switched = after(announced, due, known_for=LIFETIMES.overlap)
    assert switched.signing is announced.following
    assert switched.following is None
    # Whoever has not heard of the switch yet believes it already, and the former stays known.
    assert verifies(switched, announced.trusted_pem, at=due)
    assert held.signing.certificate in x509.load_pem_x509_certificates(switched.trusted_pem)
    assert verifies(held, switched.trusted_pem, at=START)


def test_a_former_authority_is_forgotten_when_it_ends() -> None:
    """The bundle must not grow for ever."""
    held = made()
    due = START + 241 * DAY
    switched = after(after(held, due), due, known_for=LIFETIMES.overlap)
    late = after(switched, START + 361 * DAY)
    assert late.former == ()
    pause = next_look(switched, lifetimes=LIFETIMES, known_for=None, now=START + 359 * DAY)
    assert pause <= DAY


def test_a_hub_that_was_away_too_long_begins_anew() -> None:
    """With everything expired there is nothing to overlap with."""
    held = made()
    late = START + 400 * DAY
    new = after(held, late)
    assert new.signing is not held.signing
    assert verifies(new, new.trusted_pem, at=late)


def test_other_names_take_another_certificate() -> None:
    """The hub's address was changed."""
    held = made(names=ServerNames(ip=("127.0.0.1",)))
    new = after(held, START)
    assert new.certificate_pem != held.certificate_pem
    assert new.signing is held.signing
    assert after(new, START) is new


def test_years_of_rotation_show_nothing_that_is_not_believed() -> None:
    """Whoever knows the bundle of a day ago believes what is shown today."""
    held, known_since, now = made(), START, START
    before = held.trusted_pem
    authorities = {held.signing.certificate_pem}
    for _ in range(800):
        now += DAY
        new = after(held, now, known_for=now - known_since)
        if new.trusted_pem != held.trusted_pem:
            known_since = now
        assert verifies(new, before, at=now)
        assert new.leaf.not_valid_after_utc - now > 5 * DAY
        before, held = held.trusted_pem, new
        authorities.add(held.signing.certificate_pem)
        assert len(x509.load_pem_x509_certificates(held.trusted_pem)) <= 3
    assert len(authorities) >= 4


def test_the_secret_holds_everything() -> None:
    """Another replica goes on where this one ended."""
    due = START + 241 * DAY
    announced = after(made(), due)
    switched = after(announced, due, known_for=LIFETIMES.overlap)
    for held in (made(), announced, switched):
        secret = format_secret(held, namespace="ns", resource_version="7")
        assert is_ours(secret)
        found = parse_secret(secret)
        assert found.trusted_pem == held.trusted_pem
        assert (found.certificate_pem, found.key_pem) == (held.certificate_pem, held.key_pem)
        assert (found.following is None) is (held.following is None)
        assert format_secret(found, namespace="ns", resource_version="7") == secret


@pytest.mark.parametrize("key", ["tls.crt", "tls.key", "ca.crt", "ca.key"])
@pytest.mark.parametrize("value", [None, "", "!", "aGVsbG8="])
def test_a_secret_that_cannot_be_used_says_where(key: str, value: str | None) -> None:
    """And never shows what stands there."""
    secret = format_secret(made(), namespace="ns", resource_version=None)
    if value is None:
        del secret["data"][key]
    else:
        secret["data"][key] = value
    with pytest.raises(ConfigError, match=r"secrets ns/towline-hub-webhook, keys? ") as caught:
        parse_secret(secret)
    assert "PRIVATE" not in str(caught.value)


def test_a_key_of_another_certificate_is_noticed() -> None:
    """A server that shows them ends every handshake."""
    secret = format_secret(made(), namespace="ns", resource_version=None)
    other = format_secret(made(), namespace="ns", resource_version=None)
    secret["data"]["tls.key"] = other["data"]["tls.key"]
    with pytest.raises(ConfigError, match="does not belong"):
        parse_secret(secret)


def test_keys_are_never_shown() -> None:
    """Not in a log that prints the value."""
    held = made()
    assert "PRIVATE" not in repr(held)
    assert repr(held.key_pem) not in repr(held)
