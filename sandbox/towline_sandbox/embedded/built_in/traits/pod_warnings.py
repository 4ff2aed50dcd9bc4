"""What is allowed in Pods and templates for them, and most probably a mistake."""

from collections.abc import Iterable, Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.traits.composing import at
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.kinds import Warn

_CONTAINERS = ("initContainers", "containers")


def warn_of_template(path: str) -> Warn:
    """Return what warns of the Pod spec at this path (`spec.template.spec`) when it changes."""

    def warn(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterable[str]:
        generation = new["metadata"].get("generation")
        if old is not None and old["metadata"].get("generation") == generation:
            return ()
        return pod_warnings(path, at(new, path) or {})

    return warn


def warn_of_new_pod(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterable[str]:
    """Warn of a Pod when it is made; later it can hardly change."""
    return pod_warnings("spec", new["spec"]) if old is None else ()


def pod_warnings(where: str, spec: KubeObject) -> Iterator[str]:
    """Name what somebody who wrote the spec at this path should look at again."""
    containers = [
        (f"{where}.{field}[{index}]", container)
        for field in _CONTAINERS
        for index, container in enumerate(spec.get(field) or ())
    ]
    for here, container in containers:
        yield from _hidden_variables(f"{here}.env", container.get("env") or ())
    ports = [
        (f"{here}.ports[{index}]", port)
        for here, container in containers
        for index, port in enumerate(container.get("ports") or ())
    ]
    for later, (here, port) in enumerate(ports):
        for there, earlier in ports[:later]:
            if word := _clash(port, earlier):
                yield f"{here}: {word} port definition with {there}"
    yield from _names_of_several(ports)


def _hidden_variables(where: str, variables: Iterable[KubeObject]) -> Iterator[str]:
    seen = set()
    for index, variable in enumerate(variables):
        name = variable["name"]
        # One that is made from the one before it is meant.
        if name in seen and f"$({name})" not in variable.get("value", ""):
            yield (
                f'{where}[{index}]: hides previous definition of "{name}", which may be dropped '
                "when using apply"
            )
        seen.add(name)


def _names_of_several(ports: Iterable[tuple[str, KubeObject]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for here, port in ports:
        name = port.get("name")
        if name and (there := first.setdefault(name, here)) != here:
            yield (
                f'{here}: duplicate port name "{name}" with {there}, services and probes that '
                f"select ports by name will use {there}"
            )


def _clash(port: KubeObject, other: KubeObject) -> str:
    """Return how two ports are in each other's way; empty if they are not."""
    if any(port.get(field) != other.get(field) for field in ("containerPort", "protocol")):
        return ""
    outside, address = port.get("hostPort", 0), port.get("hostIP", "")
    other_outside, other_address = other.get("hostPort", 0), other.get("hostIP", "")
    if outside != other_outside:
        return "" if outside and other_outside else "overlapping"
    if address == other_address:
        return "duplicate"
    return "" if address and other_address else "dangerously ambiguous"
