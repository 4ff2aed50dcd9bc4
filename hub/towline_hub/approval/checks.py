"""Operators' own checks: Python functions that may turn down what the policy would approve.

A package offers checks as entry points of the group `towline.approval_checks`; the hub uses those
its settings name, and no other. A check is a function, `async` or not, of one `CheckedRequest`. It
returns None to let the request pass, `deny("why")` or `leave_alone("why")`. It can only restrict:
it is asked after the built-in policy has approved, and cannot change what is asked for.

What a check does wrong harms nobody but itself: an exception, a wrong answer or no answer in time
leaves the request alone until a later try.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from towline_api.errors import ConfigError
from towline_certs.approval import Deny, Ignore, Reason
from towline_certs.identities import Subject
from towline_certs.keys import KeyKind

GROUP = "towline.approval_checks"
"""The group of entry points."""

_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """What a check is told about a request that the policy would approve.

    Args:
        name: Name of the CertificateSigningRequest.
        uid: Its UID.
        created: When the API server made it.
        username: Who asks, as the API server knows it.
        groups: The groups of who asks.
        cluster: The cluster it is for.
        addon: The add-on it is for; None for a cluster's own request.
        signer_name: Who is to sign.
        subject: Whom the certificate would name.
        dns_names: Its alternative names.
        usages: What it would be good for, in Kubernetes' words.
        key_kind: Kind of the key.
        lifetime: The lifetime asked for; None leaves it to the signer.
        grounds: Why the policy would approve.
        cluster_labels: Labels of the ManagedCluster; empty if there is none.
        cluster_annotations: Its annotations.
    """

    name: str
    uid: str
    created: datetime | None
    username: str
    groups: tuple[str, ...]
    cluster: str
    addon: str | None
    signer_name: str
    subject: Subject
    dns_names: tuple[str, ...]
    usages: tuple[str, ...]
    key_kind: KeyKind | None
    lifetime: timedelta | None
    grounds: Reason
    cluster_labels: Mapping[str, str]
    cluster_annotations: Mapping[str, str]


Opinion = Deny | Ignore | None
"""What a check returns: nothing against it, no for good, or not now."""

CheckFunction = Callable[[CheckedRequest], Opinion | Awaitable[Opinion]]
"""A check, as its package offers it."""


@dataclass(frozen=True, slots=True)
class ApprovalCheck:
    """A check that the hub uses.

    Args:
        name: Name of its entry point.
        function: What to call.
    """

    name: str
    function: CheckFunction

    @property
    def is_async(self) -> bool:
        """Whether it is awaited in the hub's loop; if not, it runs in a thread of its own."""
        # Of an object with an async `__call__` only its type tells.
        call = getattr(type(self.function), "__call__", None)  # noqa: B004 - not asked whether it is callable
        return inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(call)


def deny(message: str) -> Deny:
    """Return a check's no, which is final for this request: the agent has to ask anew.

    Args:
        message: One sentence for the operator, who reads it on the request; also for who asks.
    """
    return Deny(Reason.DENIED_BY_CHECK, message)


def leave_alone(message: str) -> Ignore:
    """Return a check's not now: a person may approve, or the check itself once something changed.

    Args:
        message: One sentence for the operator: what it waits for.
    """
    return Ignore(Reason.LEFT_ALONE_BY_CHECK, message)


def load_checks(
    wanted: Sequence[str], *, installed: Iterable[EntryPoint] | None = None
) -> tuple[ApprovalCheck, ...]:
    """Return the checks that settings name, in that order.

    Args:
        wanted: Names of entry points.
        installed: What to choose from; by default what is installed beside the hub.

    Raises:
        ConfigError: A name is unknown or stands for several, or what it stands for cannot be loaded
            or called.
    """
    if not wanted:
        return ()
    found: dict[str, list[EntryPoint]] = {}
    for each in entry_points(group=GROUP) if installed is None else installed:
        found.setdefault(each.name, []).append(each)
    return tuple(_load(name, found) for name in wanted)


def named(opinion: Deny | Ignore, *, check: str) -> Deny | Ignore:
    """Return a check's opinion in the policy's words: its own reason, one bounded line."""
    text = "".join(char if char.isprintable() else " " for char in str(opinion.message))
    message = f"check {check!r}: {' '.join(text.split()) or 'gives no reason'}"[:_LONGEST_MESSAGE]
    return deny(message) if isinstance(opinion, Deny) else leave_alone(message)


def _load(name: str, found: Mapping[str, Sequence[EntryPoint]]) -> ApprovalCheck:
    points = {each.value: each for each in found.get(name, ())}
    if not points:
        known = ", ".join(sorted(found)) or "none"
        raise ConfigError(
            f"there is no approval check {name!r}; installed as entry points of {GROUP!r} are: "
            f"{known}"
        )
    if len(points) > 1:
        raise ConfigError(
            f"approval check {name!r} is offered more than once ({', '.join(sorted(points))}); "
            "uninstall all packages but one that do"
        )
    ((value, point),) = points.items()
    try:
        function: Any = point.load()
    except Exception as error:  # whatever a foreign package raises when it is imported
        raise ConfigError(
            f"approval check {name!r} ({value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not callable(function):
        raise ConfigError(
            f"approval check {name!r} ({value}) is a {type(function).__name__}, expected a function"
        )
    return ApprovalCheck(name, function)
