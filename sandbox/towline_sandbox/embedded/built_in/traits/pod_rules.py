"""The rules of Pods and of templates for them that people run into."""

from collections.abc import Iterator, Sequence

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_label, port_name
from towline_sandbox.embedded.built_in.quantities import parse_quantity
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.wording import (
    duplicate,
    forbidden_field,
    invalid_value,
    not_found_value,
    required,
    unsupported,
)

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_FIELDS = frozenset(
    {
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    }
)
_LARGEST_DEADLINE = 2**31 - 1
_PORT_RANGE = "must be between 1 and 65535, inclusive"


def check_pod_spec(where: str, spec: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with a Pod's spec that stands at this path."""
    volumes = spec.get("volumes") or ()
    yield from _check_volumes(f"{where}.volumes", volumes)
    mountable = {volume.get("name") for volume in volumes}
    if not spec.get("containers"):
        yield required(f"{where}.containers")
    for field in ("containers", "initContainers"):
        yield from _check_containers(f"{where}.{field}", spec.get(field) or (), mountable)
    if spec["restartPolicy"] not in _RESTART_POLICIES:
        yield unsupported(f"{where}.restartPolicy", spec["restartPolicy"], _RESTART_POLICIES)
    if spec["dnsPolicy"] not in _DNS_POLICIES:
        yield unsupported(f"{where}.dnsPolicy", spec["dnsPolicy"], _DNS_POLICIES)
    yield from _check_identity(where, spec)
    for index, container in enumerate(spec.get("containers") or ()):
        image = container.get("image", "")
        if image != image.strip():
            told = "must not have leading or trailing whitespace"
            yield invalid_value(f"{where}.containers[{index}].image", image, told)


def _check_identity(where: str, spec: KubeObject) -> Iterator[Cause]:
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _LARGEST_DEADLINE:
        told = f"must be between 1 and {_LARGEST_DEADLINE}, inclusive"
        yield invalid_value(f"{where}.activeDeadlineSeconds", deadline, told)
    for field in ("hostname", "subdomain"):
        name = spec.get(field, "")
        for problem in dns_label(name) if name else ():
            yield invalid_value(f"{where}.{field}", name, problem)


def _check_volumes(where: str, volumes: Sequence[KubeObject]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        here, name = f"{where}[{index}]", volume.get("name", "")
        kinds = [field for field in volume if field != "name"]
        for extra in kinds[1:]:
            told = "may not specify more than 1 volume type"
            yield forbidden_field(f"{here}.{extra}", told)
        yield from _check_name(f"{here}.name", name, seen)
        seen.add(name)


def _check_name(where: str, name: str, seen: set[str]) -> Iterator[Cause]:
    problems = dns_label(name) if name else ()
    if not name:
        yield required(where)
    for problem in problems:
        yield invalid_value(where, name, problem)
    if name in seen and not problems:
        yield duplicate(where, name)


def _check_containers(
    where: str, containers: Sequence[KubeObject], mountable: set[str | None]
) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, container in enumerate(containers):
        here, name = f"{where}[{index}]", container.get("name", "")
        yield from _check_name(f"{here}.name", name, set())
        if not container.get("image"):
            yield required(f"{here}.image")
        yield from _check_ports(f"{here}.ports", container.get("ports") or ())
        yield from _check_env(f"{here}.env", container.get("env") or ())
        yield from _check_mounts(
            f"{here}.volumeMounts", container.get("volumeMounts") or (), mountable
        )
        policy = container.get("imagePullPolicy")
        if policy not in _PULL_POLICIES:
            yield unsupported(f"{here}.imagePullPolicy", policy, _PULL_POLICIES)
        yield from _check_resources(f"{here}.resources", container.get("resources") or {})
        if name and name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
    if where.endswith(".containers"):
        yield from _check_host_ports(where, containers)


def _check_host_ports(where: str, containers: Sequence[KubeObject]) -> Iterator[Cause]:
    seen = set()
    for at, container in enumerate(containers):
        for index, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            told = f"{port['protocol']}/{port.get('hostIP', '')}/{port['hostPort']}"
            if told in seen:
                yield duplicate(f"{where}[{at}].ports[{index}].hostPort", told)
            seen.add(told)


def _check_ports(where: str, ports: Sequence[KubeObject]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here, name, number = f"{where}[{index}]", port.get("name", ""), port.get("containerPort", 0)
        problems = port_name(name) if name else ()
        for problem in problems:
            yield invalid_value(f"{here}.name", name, problem)
        if name and not problems and name in seen:
            yield duplicate(f"{here}.name", name)
        seen.add(name)
        if not number:
            yield required(f"{here}.containerPort")
        elif not 1 <= number <= 65535:
            yield invalid_value(f"{here}.containerPort", number, _PORT_RANGE)
        outside = port.get("hostPort") or 1
        if not 1 <= outside <= 65535:
            yield invalid_value(f"{here}.hostPort", outside, _PORT_RANGE)
        if port["protocol"] not in _PROTOCOLS:
            yield unsupported(f"{here}.protocol", port["protocol"], _PROTOCOLS)


def _check_env(where: str, variables: Sequence[KubeObject]) -> Iterator[Cause]:
    for index, variable in enumerate(variables):
        if not variable.get("name"):
            yield required(f"{where}[{index}].name")
        yield from _check_field(f"{where}[{index}].valueFrom", variable.get("valueFrom") or {})
        if "valueFrom" in variable and variable.get("value"):
            told = "may not be specified when `value` is not empty"
            yield invalid_value(f"{where}[{index}].valueFrom", "", told)


def _check_field(where: str, source: KubeObject) -> Iterator[Cause]:
    reference = source.get("fieldRef")
    if reference is None:
        return
    path = reference.get("fieldPath", "")
    if not path:
        yield required(f"{where}.fieldRef.fieldPath")
    elif path.partition("[")[0] not in _FIELDS:
        told = f"error converting fieldPath: field label not supported: {path}"
        yield invalid_value(f"{where}.fieldRef.fieldPath", path, told)


def _check_mounts(
    where: str, mounts: Sequence[KubeObject], mountable: set[str | None]
) -> Iterator[Cause]:
    seen = set()
    for index, mount in enumerate(mounts):
        here, name, path = f"{where}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            yield required(f"{here}.name")
        elif name not in mountable:
            yield not_found_value(f"{here}.name", name)
        if not path:
            yield required(f"{here}.mountPath")
        if path in seen:
            yield invalid_value(f"{here}.mountPath", path, "must be unique")
        seen.add(path)


def _check_resources(where: str, resources: KubeObject) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for resource, amount in sorted(amounts.items()):
            if parse_quantity(amount) < 0:
                told = "must be greater than or equal to 0"
                yield invalid_value(f"{where}.{field}[{resource}]", amount, told)
    for resource, amount in sorted(requests.items()):
        limit = limits.get(resource)
        if limit is not None and parse_quantity(amount) > parse_quantity(limit):
            told = f"must be less than or equal to {resource} limit of {limit}"
            yield invalid_value(f"{where}.requests", amount, told)
