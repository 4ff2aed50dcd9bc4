"""What running the agent on its managed cluster takes, as Kubernetes objects.

Pure: settings of the installation in, objects out. Roles come from the code that needs them, so
that what is deployed cannot fall behind what runs. No credential is among the objects: the
bootstrap Secret is a person's to bring, and to replace without applying everything anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from towline_agent.deploying.deployment import (
    APP,
    BOOTSTRAP_KUBECONFIG,
    METRICS_PORT,
    SERVICE_ACCOUNT,
    SETTINGS_FILE,
    SETTINGS_NAME,
    app_labels,
    deployment,
)
from towline_agent.permissions import agent_permissions
from towline_agent.settings import AgentSettings
from towline_api import names
from towline_api.errors import ConfigError
from towline_api.rbac_subjects import service_account_subject
from towline_api.resources import KubeObject
from towline_kube.deploying.manifest_command import IMAGE_NAME
from towline_kube.deploying.manifest_text import Manifests, SettingsFile
from towline_kube.deploying.restricted_pods import restricted_namespace
from towline_kube.settings import check_file

METRICS_SERVICE = f"{APP}-metrics"
_DEPLOYMENT_FILE = "deployment.yaml"
_SETTINGS_HEAD = (
    "# The agent's settings file. `towline agent run --help` explains every setting; an overlay\n"
    "# that replaces this file rolls the agent out anew.\n"
)


@dataclass(frozen=True, slots=True)
class AgentInstallation:
    """How an agent is installed.

    Args:
        namespace: Where it runs, and where its credential rests.
        image: Container image, best with its digest (`...@sha256:...`).
        settings: Lines of its settings file beside those that a pod needs; keyed like flags.

    Raises:
        ConfigError: An agent could not start with these settings, or they hold a token.
    """

    namespace: str = names.AGENT_NAMESPACE
    image: str = f"{IMAGE_NAME}:latest"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told = self.agent_settings
        if told.bootstrap_token is not None:
            raise ConfigError(
                "the settings file: bootstrap-token: everybody who may read ConfigMaps would read "
                f"it there; put a bootstrap kubeconfig into the Secret {names.BOOTSTRAP_SECRET}, "
                "as `towline join-command -o secret` prints it"
            )
        if told.namespace != self.namespace:
            raise ConfigError(
                f"the settings file: namespace: {told.namespace} is not where the agent is "
                f"installed, {self.namespace}; leave it out"
            )

    @property
    def agent_settings(self) -> AgentSettings:
        """The settings as the agent will read them."""
        return check_file(AgentSettings, agent_settings_file(self), where="the settings file")


def agent_settings_file(installation: AgentInstallation) -> dict[str, Any]:
    """Return what the agent's settings file holds: what running in a pod takes, the operator's.

    Those go first: an operator may, for one, listen on `[::]` where pods have no other addresses.
    """
    told = {str(key).replace("_", "-"): value for key, value in installation.settings.items()}
    return {
        "log-format": "json",
        "listen": f"0.0.0.0:{METRICS_PORT}",
        "namespace": installation.namespace,
        "wait-for-bootstrap": True,
        **({} if told.keys() & _WAYS_TO_THE_HUB else {_BOOTSTRAP: BOOTSTRAP_KUBECONFIG}),
        **told,
    }


_BOOTSTRAP = "bootstrap-kubeconfig"
_WAYS_TO_THE_HUB = {"bootstrap-kubeconfigs", "hub-server", "hub-ca-data", "bootstrap-token"}


def agent_manifests(installation: AgentInstallation) -> Manifests:
    """Return everything that an agent takes in its cluster."""
    namespace, settings = installation.namespace, installation.agent_settings
    return Manifests(
        command="towline manifests agent",
        objects={
            "namespaces.yaml": [
                restricted_namespace(namespace, labels=app_labels()),
                *(_addon_namespace(name) for name in settings.addon_namespaces),
            ],
            "service-account.yaml": [_service_account(namespace)],
            "rbac.yaml": agent_permissions(
                service_account_subject(SERVICE_ACCOUNT, namespace=namespace),
                namespace=namespace,
                secret=settings.hub_kubeconfig_secret,
                addon_namespaces=settings.addon_namespaces,
                # They are here already.
                may_make_namespaces=False,
            ),
            _DEPLOYMENT_FILE: [deployment(namespace=namespace, image=installation.image)],
            "service.yaml": [_metrics_service(namespace)],
            "network-policy.yaml": [_network_policy(namespace)],
        },
        settings=SettingsFile(
            config_map=SETTINGS_NAME,
            namespace=namespace,
            labels=app_labels(),
            name=SETTINGS_FILE,
            head=_SETTINGS_HEAD,
            values=agent_settings_file(installation),
        ),
        workload=_DEPLOYMENT_FILE,
    )


def _addon_namespace(name: str) -> KubeObject:
    # What add-ons' own pods may do there is for whoever installs add-ons to say.
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": app_labels()},
    }


def _service_account(namespace: str) -> KubeObject:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(SERVICE_ACCOUNT, namespace),
        # The Deployment mounts it where it is needed; nobody else gets it by accident.
        "automountServiceAccountToken": False,
    }


def _metrics_service(namespace: str) -> KubeObject:
    port = {"name": "metrics", "port": METRICS_PORT, "protocol": "TCP", "targetPort": "metrics"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(METRICS_SERVICE, namespace),
        "spec": {"clusterIP": "None", "selector": _selector(), "ports": [port]},
    }


def _network_policy(namespace: str) -> KubeObject:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(APP, namespace),
        "spec": {
            "podSelector": {"matchLabels": _selector()},
            # Where it goes out to is not told here: a hub is at any address, port and proxy.
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": {}}],
                    "ports": [{"port": METRICS_PORT, "protocol": "TCP"}],
                }
            ],
        },
    }


def _metadata(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "labels": app_labels()}


def _selector() -> dict[str, str]:
    return {"app.kubernetes.io/name": APP}
