"""Nothing is approved but what its requester is entitled to, however a good request is bent.

Good requests of every kind are bent in every field, over a hundred thousand times, and each verdict
is compared with a second opinion that shares no code with the policy. They have to agree both ways:
a policy that approved nothing would pass for safe otherwise.

For a long look: `pytest tests/unit/certs/test_hostile_requests.py --mutants 10 --timeout 0 -n 2`.
"""

from collections.abc import Callable

import pytest

from support.mutants.campaign import FAMILIES, by_the_policy, mutant, try_mutants
from support.mutants.count import MUTANTS_PROPERTY
from support.mutants.entitlement import is_entitled
from support.mutants.good_requests import good_requests
from towline_certs import policy

KINDS = sorted(good_requests())
COUNTS = {
    "subject": 1600,
    "extensions": 1300,
    "key": 700,
    "bytes": 1800,
    "object": 2500,
    "world": 2000,
    "several": 2400,
}
"""How many of each family: most of those that are signed once for all, which cost least."""
SHARE = {"renewal-ed25519": 0.4, "addon-p384": 0.1}
"""Of kinds that differ from others in the key alone, and cost more to sign."""
SHOWN = 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_requests_are_approved(kind):
    """Without this, the rest would prove nothing."""
    good = good_requests()[kind]
    assert by_the_policy(good, good.csr())
    assert is_entitled(good.csr(), good.context)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_what_is_entitled_is_approved(
    kind: str,
    family: str,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """The promise of the policy; and no request, however odd, makes it raise."""
    times = request.config.getoption("--mutants")
    seed = request.config.getoption("--mutants-seed")
    count = int(times * COUNTS[family] * SHARE.get(kind, 1))
    tally = try_mutants(kind, family, numbers=range(count), seed=seed)
    record_property(
        MUTANTS_PROPERTY,
        {
            "by": "the policy",
            "tried": tally.tried,
            "entitled": tally.entitled,
            "findings": len(tally.findings),
        },
    )
    assert not tally.findings, "\n".join(
        [f"{len(tally.findings)} of {count}", *tally.findings[:SHOWN]]
    )
    # Every family leaves some requests good and makes most of them bad; else it tests little.
    assert 0 < tally.entitled < 0.9 * tally.tried


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mutant_can_be_had_again_by_its_number(family):
    """Who reads of a finding has to be able to look at it."""
    for number in range(20):
        (first, done), (second, again) = (mutant("addon", family, number, seed=7) for _ in range(2))
        assert done == again
        assert first.context == second.context
        assert first.labels == second.labels
        assert first.rdns == second.rdns


NOTICED_BY = {
    "already_decided": ("renewal", "object"),
    "for_another_signer": ("renewal", "object"),
    "too_many_pending": ("renewal", "world"),
    "too_many_per_hour": ("bound-bootstrap", "world"),
    "unlabelled_for_another": ("addon", "several"),
    "labels_are_no_names": ("custom-signer", "object"),
    "request_unreadable": ("renewal", "bytes"),
    "possession_not_proven": ("renewal", "key"),
    "subject_not_plain": ("renewal", "subject"),
    "key_not_allowed": ("renewal", "key"),
    "usages_not_allowed": ("renewal", "object"),
    "asks_for_authority": ("renewal", "extensions"),
    "extensions_not_allowed": ("addon", "extensions"),
    "lifetime_out_of_bounds": ("renewal", "object"),
    "names_another_cluster": ("custom-signer", "subject"),
    "subject_is_no_cluster_identity": ("renewal", "subject"),
    "names_on_a_cluster_request": ("renewal", "extensions"),
    "asked_by_an_agent_of_another": ("operator", "object"),
    "bound_to_another": ("renewal", "object"),
    "older_than_removal": ("bound-bootstrap", "world"),
    "cluster_is_deleting": ("bootstrap", "world"),
    "cluster_is_manual": ("renewal", "world"),
    "renewal": ("renewal", "subject"),
    "operator_accepted": ("operator", "subject"),
    "bootstrap_by_a_stranger": ("bootstrap", "object"),
    "bootstrap_of_a_known_cluster": ("bootstrap", "world"),
    "bootstrap": ("bootstrap", "subject"),
    "asked_by_somebody_else": ("addon", "object"),
    "subject_is_no_addon_identity": ("addon", "subject"),
    "names_of_an_addon_request": ("addon", "extensions"),
    "cluster_is_not_there": ("addon", "world"),
    "addon_is_not_there": ("addon", "world"),
    "older_than_addon": ("addon", "world"),
    "not_registered": ("addon", "world"),
    "addon_is_manual": ("addon", "world"),
    "registered": ("addon", "subject"),
}
"""Which mutants notice first that a rule is missing."""
ONLY_WORDS = {"nothing_of_ours"}
"""A rule without which other rules would refuse as well, for a reason that is not the point."""


def test_no_rule_is_left_out_of_this():
    """A new rule has to be missed by somebody, too."""
    rules = {rule.__name__ for rule in (*policy.CLUSTER_RULES, *policy.ADDON_RULES)}
    assert rules == NOTICED_BY.keys() | ONLY_WORDS


@pytest.mark.parametrize("name", NOTICED_BY)
def test_a_policy_that_forgot_a_rule_is_found_out(name, monkeypatch):
    """The mutants and the second opinion together are sharp enough to miss every single rule."""
    for table in ("CLUSTER_RULES", "ADDON_RULES"):
        kept = tuple(rule for rule in getattr(policy, table) if rule.__name__ != name)
        monkeypatch.setattr(policy, table, kept)
    kind, family = NOTICED_BY[name]
    for start in range(0, 600, 30):
        if try_mutants(kind, family, numbers=range(start, start + 30), seed=7).findings:
            return
    pytest.fail(f"600 mutants do not notice that {name} is missing")
