"""Who has a say in a write besides the rules of its kind."""

from collections.abc import Awaitable, Callable

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call

Admission = Callable[[Call, KubeObject | None, KubeObject | None], Awaitable[None]]
"""Refuses a write by raising, or changes the new object in place. Gets the call, the new object
(None if one goes) and the stored one (None if one comes)."""


async def let_pass(_call: Call, _new: KubeObject | None, _old: KubeObject | None) -> None:
    """Have nothing against a write; an Admission."""


def chain(*admissions: Admission) -> Admission:
    """Return an admission that asks each of these in turn; the first refusal ends it."""

    async def admit(call: Call, new: KubeObject | None, old: KubeObject | None) -> None:
        for ask in admissions:
            await ask(call, new, old)

    return admit
