"""Several who have a say in a write."""

from types import SimpleNamespace
from typing import Any

import pytest

from towline_sandbox.embedded.model.admissions import Admission, chain
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request

CALL: Any = SimpleNamespace()


def noting(asked: list[str], name: str, *, refuses: bool = False) -> Admission:
    async def admit(*_about: object) -> None:
        asked.append(name)
        if refuses:
            raise bad_request(name)

    return admit


async def test_all_are_asked_in_order() -> None:
    """Whoever changes an object comes before whoever judges it."""
    asked: list[str] = []
    await chain(noting(asked, "first"), noting(asked, "second"))(CALL, {}, None)
    assert asked == ["first", "second"]


async def test_the_first_refusal_ends_it() -> None:
    """Nobody is asked about what is refused already."""
    asked: list[str] = []
    admit = chain(noting(asked, "first", refuses=True), noting(asked, "second"))
    with pytest.raises(ApiFailure, match="first"):
        await admit(CALL, {}, None)
    assert asked == ["first"]
