"""The `scale` subresource: three fields of a custom object as an `autoscaling/v1` Scale."""

from dataclasses import dataclass
from typing import Any

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.model.failures import internal_error, invalid
from towline_sandbox.embedded.model.wording import invalid_value

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom object keeps what a Scale shows.

    Args:
        spec_replicas: Path of the wanted number, for example `.spec.replicas`.
        status_replicas: Path of the number there is.
        selector: Path of the label selector as text; empty if there is none.
    """

    spec_replicas: str
    status_replicas: str
    selector: str = ""

    def scale_of(self, obj: KubeObject, *, is_written: bool = False) -> KubeObject:
        """Return the Scale of an object.

        Args:
            obj: The object.
            is_written: Whether it is about to get a number, and need not have one yet.

        Raises:
            ApiFailure: The object has no wanted number.
        """
        wanted = _at(obj, self.spec_replicas)
        if wanted is None and not is_written:
            raise internal_error(f'the spec replicas field "{self.spec_replicas}" does not exist')
        status: KubeObject = {"replicas": _at(obj, self.status_replicas) or 0}
        selector = _at(obj, self.selector) if self.selector else None
        if selector:
            status["selector"] = selector
        metadata = obj["metadata"]
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {key: metadata[key] for key in _METADATA if key in metadata},
            # Zero is written as nothing, as in Kubernetes' own form of the object.
            "spec": {"replicas": wanted} if wanted else {},
            "status": status,
        }

    def scaled(self, obj: KubeObject, scale: KubeObject, *, resource: Resource) -> KubeObject:
        """Return the object with the number that a Scale wants; the object stays as it is.

        Raises:
            ApiFailure: The number is below zero.
        """
        wanted = (scale.get("spec") or {}).get("replicas") or 0
        if wanted < 0:
            told = "should be a non-negative integer"
            raise invalid(
                resource,
                obj["metadata"].get("name", ""),
                [invalid_value(self.spec_replicas, wanted, told)],
            )
        return _with(obj, _steps(self.spec_replicas), wanted)


def _steps(path: str) -> list[str]:
    return path.removeprefix(".").split(".")


def _at(obj: Any, path: str) -> Any:
    for step in _steps(path):
        if not isinstance(obj, dict) or step not in obj:
            return None
        obj = obj[step]
    return obj


def _with(obj: KubeObject, steps: list[str], value: object) -> KubeObject:
    first, *rest = steps
    below = obj.get(first)
    inner = _with(below if isinstance(below, dict) else {}, rest, value) if rest else value
    return {**obj, first: inner}
