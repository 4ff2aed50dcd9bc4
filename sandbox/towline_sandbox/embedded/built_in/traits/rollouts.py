"""How Deployments and DaemonSets exchange their Pods: the rules of rolling updates."""

import re
from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import invalid_value, required

_PERCENT = re.compile(r"[0-9]+%")
_NO_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)
_NOT_NEGATIVE = "must be greater than or equal to 0"

Amount = int | str
"""So many, or such a part of all."""


def check_deployment_rollout(where: str, rollout: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with `rollingUpdate` of a Deployment."""
    unavailable, surge = rollout["maxUnavailable"], rollout["maxSurge"]
    yield from _check_amount(f"{where}.maxUnavailable", unavailable)
    yield from _check_amount(f"{where}.maxSurge", surge)
    if not _number(unavailable) and not _number(surge):
        told = "may not be 0 when `maxSurge` is 0"
        yield invalid_value(f"{where}.maxUnavailable", unavailable, told)
    yield from _check_part(f"{where}.maxUnavailable", unavailable)


def check_daemon_rollout(where: str, rollout: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with `rollingUpdate` of a DaemonSet."""
    amounts = {field: rollout[field] for field in ("maxUnavailable", "maxSurge")}
    for check in (_check_amount, _check_part):
        for field, amount in amounts.items():
            yield from check(f"{where}.{field}", amount)
    is_unavailable, surges = map(_number, amounts.values())
    if is_unavailable and surges:
        told = "may not be set when maxUnavailable is non-zero"
        yield invalid_value(f"{where}.maxSurge", amounts["maxSurge"], told)
    elif not is_unavailable and not surges:
        yield required(f"{where}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def check_deployment_times(spec: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with the numbers of a Deployment that are no Pods."""
    ready, progress = spec.get("minReadySeconds", 0), spec["progressDeadlineSeconds"]
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        if spec.get(field, 0) < 0:
            yield invalid_value(f"spec.{field}", spec[field], _NOT_NEGATIVE)
    if progress <= ready:
        told = "must be greater than minReadySeconds"
        yield invalid_value("spec.progressDeadlineSeconds", progress, told)


def _check_amount(where: str, amount: Amount) -> Iterator[Cause]:
    if isinstance(amount, int):
        if amount < 0:
            yield invalid_value(where, amount, _NOT_NEGATIVE)
    elif not _PERCENT.fullmatch(amount):
        yield invalid_value(where, amount, _NO_PERCENT)


def _check_part(where: str, amount: Amount) -> Iterator[Cause]:
    if isinstance(amount, str) and _number(amount) > 100:
        yield invalid_value(where, amount, "must not be greater than 100%")


def _number(amount: Amount) -> int:
    if isinstance(amount, int):
        return amount
    return int(amount[:-1]) if _PERCENT.fullmatch(amount) else 0
