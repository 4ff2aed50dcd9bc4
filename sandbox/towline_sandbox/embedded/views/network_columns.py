"""What `kubectl get` shows of services, what stands behind them, and how traffic is let through."""

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.kinds import Column
from towline_sandbox.embedded.views.cells import (
    AGE,
    NAME,
    NONE,
    UNSET,
    cell,
    comma_separated,
    find,
    first_few,
    labels,
    selector,
    text,
)


def _service_port(port: KubeObject) -> str:
    outside = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{outside}/{port.get('protocol', '')}"


def _load_balancer(each: KubeObject) -> str:
    ingress = find(each, "status", "loadBalancer", "ingress", default=())
    return comma_separated(
        sorted({found.get("ip") or found.get("hostname") or "" for found in ingress} - {""})
    )


def _external_address(service: KubeObject) -> str:
    external = comma_separated(find(service, "spec", "externalIPs", default=()))
    match find(service, "spec", "type"):
        case "ClusterIP" | "NodePort":
            return external or NONE
        case "LoadBalancer":
            return comma_separated(filter(None, (_load_balancer(service), external))) or "<pending>"
        case "ExternalName":
            return str(find(service, "spec", "externalName", default=""))
    return "<unknown>"


SERVICES = (
    NAME,
    text("Type", "spec", "type"),
    text("Cluster-IP", "spec", "clusterIPs", 0, missing=NONE),
    cell("External-IP", _external_address),
    cell(
        "Port(s)",
        lambda each: comma_separated(
            map(_service_port, find(each, "spec", "ports", default=())), missing=NONE
        ),
    ),
    AGE,
    cell("Selector", lambda each: labels(find(each, "spec", "selector")), wide=True),
)


ENDPOINT_SLICES = (
    NAME,
    text("AddressType", "addressType"),
    cell(
        "Ports",
        lambda each: first_few(
            [
                str(port.get("port") or port.get("name") or "*")
                for port in find(each, "ports", default=())
            ],
            missing=UNSET,
        ),
    ),
    cell(
        "Endpoints",
        lambda each: first_few(
            [
                address
                for endpoint in find(each, "endpoints", default=())
                for address in find(endpoint, "addresses", default=())
            ],
            missing=UNSET,
        ),
    ),
    AGE,
)


_HOSTS_SHOWN = 3


def _hosts(ingress: KubeObject) -> str:
    rules = find(ingress, "spec", "rules", default=())
    hosts: list[str] = []
    more = False
    for rule in rules:
        more = more or len(hosts) == _HOSTS_SHOWN
        if rule.get("host") and not more:
            hosts.append(rule["host"])
    if more:
        # Rules without a host are counted too, though they would show nothing.
        return f"{comma_separated(hosts)} + {len(rules) - _HOSTS_SHOWN} more..."
    return comma_separated(hosts, missing="*")


INGRESSES = (
    NAME,
    text("Class", "spec", "ingressClassName", missing=NONE),
    cell("Hosts", _hosts),
    cell("Address", _load_balancer),
    cell("Ports", lambda each: "80, 443" if find(each, "spec", "tls") else "80"),
    AGE,
)


NETWORK_POLICIES = (
    NAME,
    cell("Pod-Selector", lambda each: selector(find(each, "spec", "podSelector"))),
    AGE,
)


def _available(heading: str, field: str) -> Column:
    return cell(heading, lambda each: str(find(each, "spec", field, default="N/A")))


POD_DISRUPTION_BUDGETS = (
    NAME,
    _available("Min Available", "minAvailable"),
    _available("Max Unavailable", "maxUnavailable"),
    cell(
        "Allowed Disruptions",
        lambda each: find(each, "status", "disruptionsAllowed", default=0),
        type_="integer",
    ),
    AGE,
)
