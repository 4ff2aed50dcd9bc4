"""Several admissions, one after the other: the first refusal ends it."""

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.verbs.writing import Admission


def chain(*admissions: Admission) -> Admission:
    """Return an admission that asks each of these in turn."""

    async def admit(call: Call, new: KubeObject | None, old: KubeObject | None) -> None:
        for ask in admissions:
            await ask(call, new, old)

    return admit
