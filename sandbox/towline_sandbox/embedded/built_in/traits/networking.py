"""NetworkPolicies, Ingresses and EndpointSlices: nobody acts on them here, their rules hold."""

from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain, port_name
from towline_sandbox.embedded.built_in.traits.composing import check_all, unchanged
from towline_sandbox.embedded.built_in.traits.defaulting import Defaults, Each, set_defaults
from towline_sandbox.embedded.built_in.traits.selectors import check_selector
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import StorageKey, Traits
from towline_sandbox.embedded.model.wording import (
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)

_PORT_RANGE = "must be between 1 and 65535, inclusive"
_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_POLICY_PORTS = Each({"ports": Each({"protocol": "TCP"})})
_NETWORK_POLICY: Defaults = {"spec": {"ingress": _POLICY_PORTS, "egress": _POLICY_PORTS}}
_ENDPOINT_SLICE: Defaults = {"ports": Each({"name": "", "protocol": "TCP"})}
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def _complete_network_policy(policy: KubeObject) -> None:
    set_defaults(policy, _NETWORK_POLICY)
    spec = policy["spec"]
    kinds = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    spec["policyTypes"] = spec.get("policyTypes") or kinds


def _check_network_policy(_call: Call, new: KubeObject, _old: object) -> Iterator[Cause]:
    spec = new["spec"]
    yield from check_selector("spec.podSelector", spec.get("podSelector") or {})
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            where = f"spec.{direction}[{index}]"
            for place, port in enumerate(rule.get("ports") or ()):
                yield from _check_policy_port(f"{where}.ports[{place}]", port)
            for place, peer in enumerate(rule.get(peers) or ()):
                yield from _check_peer(f"{where}.{peers}[{place}]", peer)


def _check_policy_port(where: str, port: KubeObject) -> Iterator[Cause]:
    number, end = port.get("port"), port.get("endPort")
    if port["protocol"] not in _PROTOCOLS:
        yield unsupported(f"{where}.protocol", port["protocol"], _PROTOCOLS)
    match number:
        case None:
            problem = "may not be specified when `port` is not specified"
        case int():
            if not 1 <= number <= 65535:
                yield invalid_value(f"{where}.port", number, _PORT_RANGE)
            problem = (
                "" if end is None or end >= number else ("must be greater than or equal to `port`")
            )
        case _:
            problem = "may not be specified when `port` is non-numeric"
    if end is not None and problem:
        yield invalid_value(f"{where}.endPort", end, problem)
    for told in port_name(number) if isinstance(number, str) else ():
        yield invalid_value(f"{where}.port", number, told)


def _check_peer(where: str, peer: KubeObject) -> Iterator[Cause]:
    for field in ("podSelector", "namespaceSelector"):
        yield from check_selector(f"{where}.{field}", peer.get(field) or {})
    if "ipBlock" in peer and not peer["ipBlock"].get("cidr"):
        yield required(f"{where}.ipBlock.cidr")
    if not peer:
        yield required(where, "must specify a peer")
    elif "ipBlock" in peer and len(peer) > 1:
        yield forbidden_field(where, "may not specify both ipBlock and another peer")


def _check_ingress(call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    spec = new["spec"]
    if call.subresource:
        return
    if not spec.get("rules") and not spec.get("defaultBackend"):
        told = "either `defaultBackend` or `rules` must be specified"
        yield invalid_value("spec", spec.get("rules"), told)
    for index, rule in enumerate(spec.get("rules") or ()):
        http = rule.get("http")
        where = f"spec.rules[{index}].http.paths"
        if http is not None and not http.get("paths"):
            yield required(where)
        for place, path in enumerate((http or {}).get("paths") or ()):
            if not path.get("pathType"):
                yield required(f"{where}[{place}].pathType", "pathType must be specified")


def _complete_slice(endpoints: KubeObject) -> None:
    set_defaults(endpoints, _ENDPOINT_SLICE)


def _check_slice(_call: Call, new: KubeObject, _old: object) -> Iterator[Cause]:
    found = new.get("addressType", "")
    if not found:
        yield required("addressType")
    elif found not in _ADDRESS_TYPES:
        yield unsupported("addressType", found, _ADDRESS_TYPES)
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        if not endpoint.get("addresses"):
            yield required(f"endpoints[{index}].addresses")


TRAITS = {
    StorageKey("discovery.k8s.io", "endpointslices"): Traits(
        complete=_complete_slice,
        check=check_all(_check_slice, unchanged("addressType")),
        check_name=dns_subdomain,
        counts_generation=True,
    ),
    StorageKey("networking.k8s.io", "ingresses"): Traits(
        check=_check_ingress, check_name=dns_subdomain, counts_generation=True
    ),
    StorageKey("networking.k8s.io", "networkpolicies"): Traits(
        complete=_complete_network_policy,
        check=_check_network_policy,
        check_name=dns_subdomain,
        counts_generation=True,
    ),
}
