"""What running the hub on its cluster takes, as Kubernetes objects.

Pure: settings of the installation in, objects out. Roles and CRDs come from the code that needs
them, so that what is deployed cannot fall behind what runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from towline_api import names
from towline_api.crds import service_conversion
from towline_api.errors import ConfigError
from towline_api.rbac_subjects import service_account_subject
from towline_api.resources import SERVICE_ACCOUNTS, KubeObject
from towline_hub.crd_installation import hub_crds
from towline_hub.deploying.deployment import (
    APP,
    METRICS_PORT,
    SERVICE_ACCOUNT,
    WEBHOOK_PORT,
    app_labels,
    deployment,
)
from towline_hub.deploying.installed_settings import InstalledSettings, check_settings
from towline_hub.permissions import addons_only_permissions, hub_permissions
from towline_hub.settings import HubSettings
from towline_hub.webhook.address import SERVICE as WEBHOOK_SERVICE
from towline_hub.webhook.settings import PATH
from towline_kube.deploying.manifest_command import IMAGE_NAME
from towline_kube.deploying.restricted_pods import restricted_namespace

METRICS_SERVICE = f"{APP}-metrics"
DEPLOYMENT_FILE = "deployment.yaml"
_DNS_PORT = 53
_API_SERVER_PORTS = (443, 6443)
"""The Service `kubernetes` and what usually stands behind it; a network policy sees the latter."""


@dataclass(frozen=True, slots=True)
class HubInstallation:
    """How a hub is installed.

    Args:
        namespace: Where it runs.
        image: Container image, best with its digest (`...@sha256:...`).
        replicas: How many run; one works, the others stand by.
        settings: Lines of its settings file beside those that a cluster needs; keyed like flags.
        crds: Whether the CRDs belong to it; not where another program installed them.

    Raises:
        ConfigError: A hub could not start with these settings.
    """

    namespace: str = names.HUB_NAMESPACE
    image: str = f"{IMAGE_NAME}:latest"
    replicas: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)
    crds: bool = True

    def __post_init__(self) -> None:
        problem = self._read().problem
        if problem is not None:
            raise ConfigError(problem)

    @property
    def hub_settings(self) -> HubSettings:
        """The settings as the hub will read them."""
        return self._read().settings

    def _read(self) -> InstalledSettings:
        values = hub_settings_file(self)
        return check_settings(values, where="the settings file", namespace=self.namespace)


def hub_settings_file(installation: HubInstallation) -> dict[str, Any]:
    """Return what the hub's settings file holds: what running in pods takes, the operator's lines.

    Those go first: an operator may, for one, listen on `[::]` where pods have no other addresses.
    """
    return {
        "log-format": "json",
        "leader-election": True,
        "listen": f"0.0.0.0:{METRICS_PORT}",
        **installation.settings,
    }


def hub_manifests(installation: HubInstallation) -> dict[str, list[KubeObject]]:
    """Return every object of an installed hub, by the file it belongs in, in order of applying.

    The settings' ConfigMap is not among them: see `manifests_of`.
    """
    namespace, settings = installation.namespace, installation.hub_settings
    subject = service_account_subject(SERVICE_ACCOUNT, namespace=namespace)
    crds = {} if settings.addons_only or not installation.crds else {"crds.yaml": _crds(settings)}
    return {
        "namespace.yaml": [hub_namespace(namespace)],
        **crds,
        "service-account.yaml": [_service_account(namespace)],
        "rbac.yaml": shipped_permissions(subject, settings),
        DEPLOYMENT_FILE: [
            deployment(
                namespace=namespace, image=installation.image, replicas=installation.replicas
            )
        ],
        "services.yaml": [_metrics_service(namespace), _webhook_service(namespace)],
        "pod-disruption-budget.yaml": [_disruption_budget(namespace)],
        "network-policy.yaml": [_network_policy(namespace)],
    }


def _crds(settings: HubSettings) -> list[KubeObject]:
    """Return the CRDs as they are before the hub has filled in the webhook's authority.

    Everything else of them is there from the start, so that applying them again changes nothing
    that the hub wrote.
    """
    if not settings.webhook:
        return hub_crds()
    conversion = service_conversion(WEBHOOK_SERVICE, namespace=settings.namespace, path=PATH)
    return hub_crds(conversion=conversion)


def shipped_permissions(subject: KubeObject, settings: HubSettings) -> list[KubeObject]:
    """Return the roles and bindings of a hub with these settings.

    Args:
        subject: Who runs the hub.
        settings: What it is told; some settings need rights that others do without.
    """
    if settings.addons_only:
        return addons_only_permissions(
            subject,
            addons=settings.addons,
            declarations=settings.addon_declarations,
            namespace=settings.namespace,
            signers=settings.signers,
            approve_signers=settings.approve_signers,
        )
    return hub_permissions(
        subject,
        installs_crds=settings.install_crds,
        namespace=settings.namespace,
        signers=settings.signers,
        approve_signers=settings.approve_signers,
        declarations=settings.addon_declarations,
        # In pods replicas share the webhook's certificates, and elsewhere if they are behind a URL.
        shares_webhook_certificates=settings.webhook
        and (subject["kind"] == SERVICE_ACCOUNTS.kind or settings.webhook_url is not None),
    )


def hub_namespace(name: str) -> KubeObject:
    """Return the hub's namespace, in which only pods without privileges may run."""
    return restricted_namespace(name, labels=app_labels())


def _service_account(namespace: str) -> KubeObject:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(SERVICE_ACCOUNT, namespace),
        # The Deployment mounts it where it is needed; nobody else gets it by accident.
        "automountServiceAccountToken": False,
    }


def _metrics_service(namespace: str) -> KubeObject:
    service = _service(METRICS_SERVICE, namespace, port=METRICS_PORT, target="metrics")
    service["metadata"]["labels"]["app.kubernetes.io/component"] = "metrics"
    # Each replica has figures of its own.
    service["spec"]["clusterIP"] = "None"
    return service


def _webhook_service(namespace: str) -> KubeObject:
    return _service(WEBHOOK_SERVICE, namespace, port=443, target="webhook")


def _service(name: str, namespace: str, *, port: int, target: str) -> KubeObject:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, namespace),
        "spec": {
            "selector": _selector(),
            "ports": [{"name": target, "port": port, "protocol": "TCP", "targetPort": target}],
        },
    }


def _disruption_budget(namespace: str) -> KubeObject:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(APP, namespace),
        # Not minAvailable: with one replica that would keep its node from ever being drained.
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector()}},
    }


def _network_policy(namespace: str) -> KubeObject:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(APP, namespace),
        "spec": {
            "podSelector": {"matchLabels": _selector()},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                # The API server asks from the network of its node, which no selector can name.
                {"ports": [_port(WEBHOOK_PORT)]},
                {"from": [{"namespaceSelector": {}}], "ports": [_port(METRICS_PORT)]},
            ],
            "egress": [
                {"ports": [_port(_DNS_PORT, "UDP"), _port(_DNS_PORT)]},
                {"ports": [_port(number) for number in _API_SERVER_PORTS]},
            ],
        },
    }


def _port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"port": number, "protocol": protocol}


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "labels": app_labels()}


def _selector() -> dict[str, str]:
    return {"app.kubernetes.io/name": APP}
