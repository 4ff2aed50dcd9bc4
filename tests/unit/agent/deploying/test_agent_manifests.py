"""What is deployed on a managed cluster is what the agent's code needs, and nothing beyond."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.pki import Pki
from towline_agent.deploying.deployment import BOOTSTRAP_KUBECONFIG, METRICS_PORT
from towline_agent.deploying.manifest_commands import agent
from towline_agent.deploying.manifests import AgentInstallation, agent_manifests
from towline_agent.settings import AgentSettings
from towline_agent.status.settings import AgentStatusSettings
from towline_api.errors import ConfigError
from towline_api.rbac_subjects import service_account_subject
from towline_api.resources import KubeObject
from towline_kube.deploying.manifest_command import released_image
from towline_kube.deploying.manifest_text import kubectl_stream, kustomize_base
from towline_kube.listen_address import ListenAddress
from towline_kube.settings import load
from towline_sandbox.cli import find_command

DEPLOY = Path(__file__).parents[4] / "deploy" / "agent"
INSTALLATION = AgentInstallation(image=released_image())
AGENT_NAMESPACE = "open-cluster-management-agent"


def objects(kind: str, installation: AgentInstallation = INSTALLATION) -> list[KubeObject]:
    files = agent_manifests(installation).objects.values()
    return [obj for found in files for obj in found if obj["kind"] == kind]


def pod() -> dict[str, Any]:
    (deployment,) = objects("Deployment")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def test_the_committed_base_is_what_the_code_writes() -> None:
    """A role that fell behind the code is an agent that is refused something, far away."""
    written = kustomize_base(agent_manifests(INSTALLATION))
    found = {path.name: path.read_text() for path in (DEPLOY / "base").iterdir()}
    wrong = sorted(
        name for name in written.keys() | found.keys() if written.get(name) != found.get(name)
    )
    assert not wrong, f"deploy/agent/base has fallen behind in {wrong}; run `make manifests`"


def test_only_the_agents_service_account_is_bound_and_nothing_cluster_wide_is_written() -> None:
    """Whoever takes the pod over may look at the cluster, and write where add-ons live."""
    bindings = objects("RoleBinding") + objects("ClusterRoleBinding")
    subject = service_account_subject("towline-agent", namespace=AGENT_NAMESPACE)
    assert len(bindings) == 3
    assert all(binding["subjects"] == [subject] for binding in bindings)
    (role,) = objects("ClusterRole")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_no_credential_is_among_the_objects() -> None:
    """Applying the base once more must not put a placeholder in the place of a working one."""
    assert objects("Secret") == []
    assert "token" not in " ".join(kustomize_base(agent_manifests(INSTALLATION))).lower()


@pytest.mark.parametrize("settings_class", [AgentSettings, AgentStatusSettings])
def test_the_agent_and_its_status_start_with_the_settings_that_are_shipped(
    settings_class: type[AgentSettings],
) -> None:
    """A misspelt setting would keep it from starting; both read the same file in the pod."""
    (container,) = pod()["containers"]
    command = find_command(container["args"])
    assert command is not None
    assert command.words == tuple(container["args"])
    (variable,) = container["env"]
    mounted = Path(variable["value"])
    assert mounted.parent == Path(container["volumeMounts"][0]["mountPath"])
    environment = {variable["name"]: str(DEPLOY / "base" / mounted.name)}
    settings = load(settings_class, [], environment=environment)
    assert settings.bootstrap_kubeconfig == Path(BOOTSTRAP_KUBECONFIG)
    assert settings.listen == ListenAddress("0.0.0.0", METRICS_PORT)
    assert settings.namespace == AGENT_NAMESPACE


def test_probes_service_and_network_policy_speak_of_the_containers_port() -> None:
    """A port that is named wrongly anywhere is an agent that is restarted for ever."""
    (container,) = pod()["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": METRICS_PORT}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    (deployment,) = objects("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    (service,) = objects("Service")
    (policy,) = objects("NetworkPolicy")
    for selector in (service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    assert service["spec"]["ports"][0]["targetPort"] in ports
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] in ports.values()


def test_two_agents_never_run_at_a_time() -> None:
    """Both would ask for the same certificate, and one would store over the other."""
    (deployment,) = objects("Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_settings_that_need_further_roles_bring_them_along() -> None:
    """Namespaces of add-ons, and the Secret's name, are in settings and roles alike."""
    told = {"addon-namespaces": ["a", "b"], "hub_kubeconfig_secret": "own"}
    installation = AgentInstallation(namespace="elsewhere", settings=told)
    assert [obj["metadata"]["name"] for obj in objects("Namespace", installation)] == [
        "elsewhere",
        "a",
        "b",
    ]
    roles = objects("Role", installation)
    assert [role["metadata"]["namespace"] for role in roles] == ["elsewhere", "a", "b"]
    names = {name for rule in roles[0]["rules"] for name in rule.get("resourceNames", ())}
    assert "own" in names
    assert all(name.startswith("own") for name in names)
    stream = kubectl_stream(agent_manifests(installation))
    assert AGENT_NAMESPACE not in stream
    kinds = [obj["kind"] for obj in yaml.safe_load_all(stream)]
    assert kinds.index("Namespace") < kinds.index("ConfigMap") < kinds.index("Deployment")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clustername": "c1"}, "clustername"),
        ({"cluster-name": "Not_A_Name"}, "cluster-name"),
        ({"namespace": "another"}, "namespace: another"),
        (
            {
                "hub-server": "https://hub",
                "hub-ca-data": "AA==",
                "bootstrap-token": "abcdef.0123456789abcdef",
            },
            "hub-ca-data",
        ),
    ],
)
def test_settings_no_agent_can_start_with_are_refused(settings: dict[str, Any], words: str) -> None:
    """Better here than in a pod that restarts for ever."""
    with pytest.raises(ConfigError, match=words):
        AgentInstallation(settings=settings)


def test_a_token_is_kept_out_of_the_config_map() -> None:
    """ConfigMaps are for everybody's eyes."""
    ca_data = base64.b64encode(Pki("hub").ca_pem).decode()
    told = {
        "hub-server": "https://hub.example.com",
        "hub-ca-data": ca_data,
        "bootstrap-token": "abcdef.0123456789abcdef",
    }
    with pytest.raises(ConfigError, match="join-command -o secret") as refused:
        AgentInstallation(settings=told)
    assert "0123456789abcdef" not in str(refused.value)


def test_the_command_prints_or_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One for a pipe into kubectl, one for a repository of manifests."""
    settings = tmp_path / "agent.yaml"
    settings.write_text("cluster_name: from-the-file\nlog-level: debug\n")
    assert agent(["--settings", str(settings), "--cluster-name", "c1", "--image", "i:1"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    (config,) = [obj for obj in printed if obj["kind"] == "ConfigMap"]
    told = yaml.safe_load(config["data"]["agent.yaml"])
    assert (told["cluster-name"], told["log-level"]) == ("c1", "debug")
    (deployment,) = [obj for obj in printed if obj["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "i:1"
    assert agent(["--folder", str(tmp_path / "base")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "base" / "kustomization.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--namespace", "Not_A_Name"], "namespace"),
        (["--settings", "/no/such/file"], "cannot read"),
        (["--folder", "/proc/none"], "cannot write"),
        (["--cluster-name", "Not_A_Name"], "cluster-name"),
    ],
)
def test_what_cannot_be_installed_is_refused_in_a_line(
    arguments: Sequence[str], words: str
) -> None:
    """Never a traceback for bad input."""
    with pytest.raises(ConfigError, match=words):
        agent(arguments)
