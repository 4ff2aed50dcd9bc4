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

KINDS = sorted(good_requests())
COUNTS = {
    "subject": 2500,
    "extensions": 2000,
    "key": 1000,
    "bytes": 2500,
    "object": 2500,
    "world": 2000,
    "several": 4000,
}
"""How many of each family: in proportion to how often they leave a request that is not good."""
SHARE = {"renewal-ed25519": 0.4, "addon-p384": 0.1}
"""Of kinds that differ from others in the key alone, and cost more to sign."""
PARTS = 2
"""So that processes share the work, and none is long at it."""
SHOWN = 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_requests_are_approved(kind):
    """Without this, the rest would prove nothing."""
    good = good_requests()[kind]
    assert by_the_policy(good, good.csr())
    assert is_entitled(good.csr(), good.context)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_what_is_entitled_is_approved(
    kind: str,
    family: str,
    part: int,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """The promise of the policy; and no request, however odd, makes it raise."""
    times = request.config.getoption("--mutants")
    seed = request.config.getoption("--mutants-seed")
    count = int(times * COUNTS[family] * SHARE.get(kind, 1))
    numbers = range(part, count, PARTS)
    tally = try_mutants(kind, family, numbers=numbers, seed=seed)
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


def test_the_second_opinion_would_notice(monkeypatch):
    """A policy that forgot one of its rules is found out."""
    from towline_certs import policy, request_rules

    weaker = tuple(
        rule for rule in policy.ADDON_RULES if rule is not request_rules.usages_not_allowed
    )
    monkeypatch.setattr(policy, "ADDON_RULES", weaker)
    tally = try_mutants("addon", "object", numbers=range(300), seed=7)
    assert any("approved, and not entitled" in finding for finding in tally.findings)
