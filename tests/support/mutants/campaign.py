"""Trying mutants of good requests on the policy, and telling which one went wrong."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from support.mutants.byte_mutations import BYTE_MUTATIONS
from support.mutants.drafts import Draft, Mutation
from support.mutants.entitlement import is_entitled
from support.mutants.extension_mutations import EXTENSION_MUTATIONS
from support.mutants.good_requests import good_requests
from support.mutants.key_mutations import KEY_MUTATIONS
from support.mutants.object_mutations import OBJECT_MUTATIONS
from support.mutants.subject_mutations import SUBJECT_MUTATIONS
from support.mutants.world_mutations import WORLD_MUTATIONS
from towline_certs import Approve, OpenedRequest, SigningRequest, decide

_BENDING = (*SUBJECT_MUTATIONS, *EXTENSION_MUTATIONS, *KEY_MUTATIONS, *BYTE_MUTATIONS)
_AROUND = (*OBJECT_MUTATIONS, *WORLD_MUTATIONS)

FAMILIES: Mapping[str, tuple[Mutation, ...]] = {
    "subject": SUBJECT_MUTATIONS,
    "extensions": EXTENSION_MUTATIONS,
    "key": KEY_MUTATIONS,
    "bytes": BYTE_MUTATIONS,
    "object": OBJECT_MUTATIONS,
    "world": WORLD_MUTATIONS,
    "several": (*_BENDING, *_AROUND, *_AROUND),
}
"""Kinds of mutation; of `several`, two or three at once."""

DEFAULT_SEED = 20_260_601

_LONGEST_MESSAGE = 1000

Judge = Callable[[Draft, dict[str, Any]], bool]
"""Returns whether a request was approved."""


@dataclass(slots=True)
class Tally:
    """How a series of mutants went."""

    tried: int = 0
    entitled: int = 0
    findings: list[str] = field(default_factory=list)
    entitled_by: Counter[str] = field(default_factory=Counter)
    """How often a mutation left a request that its requester is entitled to."""


def mutant(kind: str, family: str, number: int, *, seed: int) -> tuple[Draft, tuple[str, ...]]:
    """Return a mutant by its number, the same each time, and what was done to it.

    Args:
        kind: Which good request it comes from.
        family: Which mutations.
        number: Its number. Each mutation of the family comes round in turn.
        seed: Chance; another one gives other mutants of the same numbers.
    """
    rng = Random(f"{seed}/{kind}/{family}/{number}")
    draft = good_requests()[kind].copy()
    choice = FAMILIES[family]
    chosen = [choice[number % len(choice)]]
    if family == "several":
        chosen += [rng.choice(choice) for _ in range(rng.choice([1, 1, 2]))]
    for mutation in chosen:
        mutation(rng, draft)
        draft.is_bent = draft.is_bent or mutation in _BENDING
    return draft, tuple(mutation.__name__ for mutation in chosen)


def by_the_policy(draft: Draft, csr: dict[str, Any]) -> bool:
    """Return whether the policy approves a draft's request."""
    opened = OpenedRequest(SigningRequest.from_csr(csr))
    if opened.request.request_pem is not None:
        # The same bytes as of many another draft; reading them once is enough.
        opened.__dict__["_read"] = _reading(opened.request.request_pem)
    decision = decide(opened, draft.context)
    check_told(decision.message)
    return isinstance(decision, Approve)


def check_told(message: str) -> None:
    """Raise unless a message is one line that a person can read and a log can hold."""
    if not message or len(message) > _LONGEST_MESSAGE or not message.isprintable():
        raise AssertionError(f"not told in one line of decent length: {message[:200]!r}")


def try_mutants(
    kind: str,
    family: str,
    *,
    numbers: Iterable[int],
    seed: int,
    judge: Judge = by_the_policy,
) -> Tally:
    """Try mutants, and compare each verdict with the second opinion.

    What goes wrong is a finding, and the rest is tried all the same; an exception is one as well.
    """
    tally = Tally()
    for number in numbers:
        draft, done = mutant(kind, family, number, seed=seed)
        name = f"--mutants-seed={seed}: mutant({kind!r}, {family!r}, {number}): {', '.join(done)}"
        csr = draft.csr()
        tally.tried += 1
        try:
            approved = judge(draft, csr)
        except Exception as error:  # noqa: BLE001 - a finding like others
            tally.findings.append(f"{name}: raised {type(error).__name__}: {error}")
            continue
        entitled = is_entitled(csr, draft.context)
        if entitled:
            tally.entitled += 1
            tally.entitled_by.update(done)
        if approved != entitled:
            what = "approved, and not entitled" if approved else "entitled, and not approved"
            tally.findings.append(f"{name}: {what}")
    return tally


@lru_cache(maxsize=8192)
def _reading(pem: bytes) -> object:
    opened = OpenedRequest(
        SigningRequest(name="x", signer_name="", usages=(), username="", request_pem=pem)
    )
    return opened.parsed, opened.problem
