"""Services: given an address, and keeping it."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from ipaddress import ip_address, ip_network
from zlib import crc32

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_label
from towline_sandbox.embedded.built_in.traits.composing import selectable
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, Each, Made, set_defaults
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import duplicate, invalid_value, required, unsupported
from towline_sandbox.pki import SERVICE_NETWORK

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_OUTSIDE_TYPES = ("LoadBalancer", "NodePort")
_NO_ADDRESS = "None"
_NETWORK = ip_network(SERVICE_NETWORK)
_NODE_PORTS = range(30000, 32768)
_PORT_RANGE = "must be between 1 and 65535, inclusive"
_SERVICE: Defaults = {
    "sessionAffinity": "None",
    "type": "ClusterIP",
    "ports": Each({"protocol": "TCP"}),
}


def _complete(service: KubeObject) -> None:
    spec = service["spec"]
    set_defaults(spec, _SERVICE)
    for port in spec.get("ports") or ():
        # A port that says nothing else is the same inside.
        port["targetPort"] = port.get("targetPort") or port["port"]
    if spec["sessionAffinity"] == "ClientIP":
        lasting: Defaults = {"clientIP": Made({"timeoutSeconds": 10800})}
        set_defaults(spec, {"sessionAffinityConfig": Made(lasting)})
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in _OUTSIDE_TYPES:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        balancer = (service.get("status") or {}).get("loadBalancer") or {}
        for entry in balancer.get("ingress") or ():
            if entry.get("ip"):
                entry.setdefault("ipMode", "VIP")


def _fill(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    if call.subresource:
        return
    spec = new["spec"]
    before = old["spec"] if old is not None else {}
    if spec["type"] == "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(field, None)
        if spec.get("internalTrafficPolicy") == before.get("internalTrafficPolicy"):
            spec.pop("internalTrafficPolicy", None)
    else:
        _give_address(new, before)
    if spec["type"] in _OUTSIDE_TYPES:
        _give_node_ports(new, before)
    else:
        _take_node_ports(spec, before)


def _give_address(new: KubeObject, before: KubeObject) -> None:
    spec = new["spec"]
    if not spec.get("clusterIP") and before.get("clusterIP"):
        for field in ("clusterIP", "clusterIPs"):
            spec[field] = deepcopy(before[field])
    is_new = not spec.get("clusterIP")
    if is_new:
        # Addresses follow from the name: nobody routes to them, and two alike do no harm here.
        place = 2 + _number_of(new) % (_NETWORK.num_addresses - 3)
        spec["clusterIP"] = str(_NETWORK[place])
    if is_new or "clusterIPs" not in spec:
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif not before:
        spec["clusterIPs"] = [spec["clusterIP"], *spec["clusterIPs"][1:]]
    elif spec["clusterIP"] != before.get("clusterIP") and (
        spec["clusterIPs"] == before.get("clusterIPs")
    ):
        spec["clusterIPs"] = [spec["clusterIP"]]
    anywhere = spec["clusterIP"] == _NO_ADDRESS and not spec.get("selector")
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if anywhere else ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if anywhere else "SingleStack")


def _give_node_ports(new: KubeObject, before: KubeObject) -> None:
    spec = new["spec"]
    if not spec.get("allocateLoadBalancerNodePorts", True):
        return
    known = {
        (port["protocol"], port["port"]): port.get("nodePort") for port in before.get("ports") or ()
    }
    for index, port in enumerate(spec.get("ports") or ()):
        if not port.get("nodePort"):
            fresh = _NODE_PORTS[(_number_of(new) + index) % len(_NODE_PORTS)]
            port["nodePort"] = known.get((port["protocol"], port["port"])) or fresh


def _take_node_ports(spec: KubeObject, before: KubeObject) -> None:
    """Drop what only another type has, where the type changed and the caller said nothing."""
    if before.get("type") in _OUTSIDE_TYPES:
        spec.pop("externalTrafficPolicy", None)
        spec.pop("allocateLoadBalancerNodePorts", None)
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)


def _number_of(service: KubeObject) -> int:
    metadata = service["metadata"]
    return crc32(f"{metadata.get('namespace')}/{metadata.get('name')}".encode())


def _check(call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    if call.subresource:
        return
    spec = new["spec"]
    is_external, is_headless = spec["type"] == "ExternalName", spec.get("clusterIP") == _NO_ADDRESS
    ports = spec.get("ports") or ()
    if not ports and not is_external and not is_headless:
        yield required("spec.ports")
    if is_external and not spec.get("externalName"):
        yield required("spec.externalName")
    yield from _check_ports(ports)
    if spec["sessionAffinity"] not in _AFFINITIES:
        yield unsupported("spec.sessionAffinity", spec["sessionAffinity"], _AFFINITIES)
    if spec["type"] not in _TYPES:
        yield unsupported("spec.type", spec["type"], _TYPES)
    if not is_external:
        yield from _check_addresses(spec, old["spec"] if old is not None else {})


def _check_ports(ports: Sequence[KubeObject]) -> Iterator[Cause]:
    seen_names, seen_ports = set(), set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name", "")
        problems = dns_label(name) if name else ()
        if not name and len(ports) > 1:
            yield required(f"{where}.name")
        for problem in problems:
            yield invalid_value(f"{where}.name", name, problem)
        if name and not problems and name in seen_names:
            yield duplicate(f"{where}.name", name)
        seen_names.add(name)
        if not 1 <= port["port"] <= 65535:
            yield invalid_value(f"{where}.port", port["port"], _PORT_RANGE)
        target = port["targetPort"]
        if isinstance(target, int) and not 1 <= target <= 65535:
            yield invalid_value(f"{where}.targetPort", target, _PORT_RANGE)
    for index, port in enumerate(ports):
        key = (port["protocol"], port["port"])
        if key in seen_ports:
            # Told as the fields are called inside the server.
            told = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            yield duplicate(f"spec.ports[{index}]", told)
        seen_ports.add(key)


def _check_addresses(spec: KubeObject, before: KubeObject) -> Iterator[Cause]:
    address = spec["clusterIP"]
    if before and before.get("clusterIP") not in (None, address):
        yield invalid_value("spec.clusterIPs[0]", spec["clusterIPs"], "may not change once set")
        return
    if address == _NO_ADDRESS:
        return
    try:
        is_ours = ip_address(address) in _NETWORK
    except ValueError:
        told = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield invalid_value("spec.clusterIPs[0]", address, told)
        return
    if not is_ours:
        told = (
            f"failed to allocate IP {address}: the provided IP ({address}) is not in the valid "
            f"range. The range of valid IPs is {_NETWORK}"
        )
        yield invalid_value("spec.clusterIPs", spec["clusterIPs"], told)


TRAITS = {
    StorageKey("", "services"): Traits(
        complete=_complete,
        fill=_fill,
        check=_check,
        check_name=dns_label,
        selectable=selectable("spec.clusterIP", "spec.type"),
        may_create_by_update=True,
    ),
}
