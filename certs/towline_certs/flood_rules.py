"""The rules for an identity that asks more than anybody needs."""

from towline_certs.approval import Ignore, Reason
from towline_certs.approval_case import Case, quote


def too_many_pending(case: Case) -> Ignore | None:
    """Only the first few undecided requests of an identity are looked at."""
    context = case.context
    if context.operator_accepts or context.traffic.older_pending < context.limits.waiting_line:
        return None
    return Ignore(
        Reason.TOO_MANY_PENDING,
        f"{quote(case.request.username)} has {context.limits.waiting_line} or more older undecided "
        "requests for the same; this one is looked at once enough of them are decided or deleted: "
        "find out why they wait, and why the agent keeps asking",
    )


def too_many_per_hour(case: Case) -> Ignore | None:
    """Whoever used up its hour waits for the next; a certificate lives for longer than that."""
    context = case.context
    if context.operator_accepts:
        return None
    until = context.traffic.full_until(limits=context.limits, now=context.now)
    if until is None:
        return None
    return Ignore(
        Reason.TOO_MANY_PER_HOUR,
        f"{quote(case.request.username)} has had {context.limits.max_per_hour} requests for the "
        "same decided within an hour, the most that is allowed; this one is looked at later: find "
        "out why the agent keeps asking",
        until=until,
    )
