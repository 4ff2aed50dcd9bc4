"""Whom to believe to be the hub, while its authority changes."""

from datetime import UTC, datetime, timedelta

import pytest

from towline_agent.hubs.trust import (
    HubTrust,
    initial_trust,
    with_named,
    with_published,
    without_former,
)
from towline_certs.authority import create_authority

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OLD, NEW, OTHER = (
    create_authority(name, now=NOW, lifetime=timedelta(days=1)).certificate_pem
    for name in ("old", "new", "other")
)


def test_alone_the_named_ones_count() -> None:
    """What a bootstrap kubeconfig says is all there is until something changes."""
    assert initial_trust(OLD) == HubTrust(named=(OLD,))
    assert initial_trust(OLD, kept=OLD, published=b"") == HubTrust(named=(OLD,))


def test_without_a_named_one_nothing_is_added() -> None:
    """The connection says what counts then; a hub cannot begin to narrow or widen it."""
    assert initial_trust(None, kept=OLD, published=NEW).ca_pem is None
    assert with_published(initial_trust(None), OLD + NEW).ca_pem is None
    assert with_named(initial_trust(OLD), None).ca_pem is None


def test_a_new_name_is_trusted_beside_the_old_until_it_is_enough() -> None:
    """An operator may be early or late; who is trusted in between is trusted by both."""
    both = with_named(initial_trust(OLD), NEW)
    assert both == HubTrust(named=(NEW,), former=(OLD,))
    assert both.ca_pem == NEW + OLD
    assert without_former(both) == HubTrust(named=(NEW,))
    # The same after a restart in between.
    assert initial_trust(NEW, kept=OLD) == initial_trust(NEW, kept=both.ca_pem) == both
    # Taken back in between.
    assert with_named(both, OLD) == HubTrust(named=(OLD,), former=(NEW,))


def test_a_published_one_is_trusted_and_kept() -> None:
    """Also by a process that starts with the old kubeconfig, whatever it can read then."""
    both = with_published(initial_trust(OLD), OLD + NEW)
    assert both == HubTrust(named=(OLD,), published=(NEW,))
    assert initial_trust(OLD, kept=both.ca_pem, published=both.published_pem) == both
    assert without_former(both) == both
    # Once it is named as well, it is nothing special.
    assert with_named(both, NEW) == HubTrust(named=(NEW,), former=(OLD,))


def test_a_published_one_that_is_published_no_more_is_given_up_by_and_by() -> None:
    """Rotated twice, the first new one is as old as the first."""
    later = with_published(HubTrust(named=(OLD,), published=(NEW,)), OLD + OTHER)
    assert later == HubTrust(named=(OLD,), published=(OTHER,), former=(NEW,))


@pytest.mark.parametrize("published", [None, b"", OTHER, b"garbage"])
def test_a_bundle_that_knows_none_of_ours_changes_nothing(published: bytes | None) -> None:
    """It is about other servers: a load balancer before the hub has an authority of its own."""
    assert with_published(initial_trust(OLD), published) == initial_trust(OLD)
