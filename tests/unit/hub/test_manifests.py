"""What is deployed is what the code needs, and nothing beyond."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from towline_api.errors import ConfigError
from towline_api.rbac_subjects import service_account_subject
from towline_api.resources import KubeObject
from towline_hub.deploying.deployment import METRICS_PORT, WEBHOOK_PORT, hub_arguments
from towline_hub.deploying.manifest_commands import hub
from towline_hub.deploying.manifest_files import manifests_of
from towline_hub.deploying.manifests import (
    HubInstallation,
    hub_manifests,
    shipped_permissions,
)
from towline_hub.settings import HubSettings
from towline_hub.webhook.address import SERVICE as WEBHOOK_SERVICE
from towline_kube.deploying.manifest_command import released_image
from towline_kube.deploying.manifest_text import kubectl_stream, kustomize_base
from towline_kube.settings import load
from towline_sandbox.cli import find_command

DEPLOY = Path(__file__).parents[3] / "deploy" / "hub"
INSTALLATION = HubInstallation(image=released_image())
SIGNERS = {"signers": [{"signer-name": "example.com/own", "secret": "own-ca"}]}


def objects(installation: HubInstallation = INSTALLATION) -> Iterator[KubeObject]:
    for found in hub_manifests(installation).values():
        yield from found


def only(kind: str) -> list[KubeObject]:
    return [obj for obj in objects() if obj["kind"] == kind]


def test_the_committed_base_is_what_the_code_writes() -> None:
    """A role that fell behind the code is found at three in the morning."""
    written = kustomize_base(manifests_of(INSTALLATION))
    found = {path.name: path.read_text() for path in (DEPLOY / "base").iterdir()}
    wrong = sorted(
        name for name in written.keys() | found.keys() if written.get(name) != found.get(name)
    )
    assert not wrong, f"deploy/hub/base has fallen behind in {wrong}; run `make manifests`"


@pytest.mark.parametrize("settings", [{}, SIGNERS, {"install-crds": True}], ids=str)
def test_no_rule_that_is_shipped_holds_a_wildcard(settings: dict[str, Any]) -> None:
    """A star is the whole cluster to whoever breaks in."""
    rules = [
        rule for obj in objects(HubInstallation(settings=settings)) for rule in obj.get("rules", ())
    ]
    assert len(rules) > 10
    for rule in rules:
        assert "nonResourceURLs" not in rule
        assert not any("*" in value for values in rule.values() for value in values), rule


@pytest.mark.parametrize("settings", [{}, SIGNERS, {"install-crds": True}], ids=str)
def test_no_secret_is_read_but_by_name_in_the_hubs_own_namespace(settings: dict[str, Any]) -> None:
    """One right to list Secrets is every password of the cluster."""
    for obj in objects(HubInstallation(settings=settings)):
        for rule in obj.get("rules", ()):
            if "secrets" in rule["resources"] and set(rule["verbs"]) - {"create"}:
                assert obj["kind"] == "Role", obj["metadata"]
                assert rule["resourceNames"]


def test_only_the_hubs_service_account_is_bound() -> None:
    """A group in a binding is more people than meant."""
    bindings = [obj for obj in objects() if "roleRef" in obj]
    subject = service_account_subject("towline-hub", namespace="open-cluster-management-hub")
    assert bindings
    assert all(binding["subjects"] == [subject] for binding in bindings)


@pytest.mark.parametrize("folder", ["base", "overlays/auto-approve"])
def test_a_hub_starts_with_the_settings_that_are_shipped(folder: str) -> None:
    """A misspelt setting would keep every replica from starting."""
    command = find_command(hub_arguments())
    assert command is not None
    arguments = hub_arguments(folder=str(DEPLOY / folder))[len(command.words) :]
    settings = load(HubSettings, arguments, environment={})
    assert settings.log_format == "json"
    assert bool(settings.auto_approve_groups) is (folder != "base")


def test_the_auto_approving_overlay_differs_from_the_base_in_nothing_else() -> None:
    """It replaces the whole file, so what the base says is in it again."""
    base, overlay = (
        yaml.safe_load((DEPLOY / folder / "hub.yaml").read_text())
        for folder in ("base", "overlays/auto-approve")
    )
    assert {key: value for key, value in overlay.items() if key != "auto-approve-groups"} == base


def test_services_probes_and_the_network_policy_speak_of_the_containers_ports() -> None:
    """A port that is named wrongly anywhere is a hub nobody reaches."""
    (deployment,) = only("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"metrics": METRICS_PORT, "webhook": WEBHOOK_PORT}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for service in only("Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    (policy,) = only("NetworkPolicy")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    opened = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert opened == set(ports.values())
    (budget,) = only("PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_webhook_is_where_the_crds_say() -> None:
    """The API server asks that Service, at the usual port."""
    (service,) = [obj for obj in only("Service") if obj["metadata"]["name"] == WEBHOOK_SERVICE]
    asked = {
        (
            conversion["webhook"]["clientConfig"]["service"]["name"],
            conversion["webhook"]["clientConfig"]["service"]["namespace"],
            conversion["webhook"]["clientConfig"]["service"]["port"],
        )
        for crd in only("CustomResourceDefinition")
        if (conversion := crd["spec"].get("conversion")) is not None
    }
    where = service["metadata"]["name"], service["metadata"]["namespace"]
    assert asked == {(*where, service["spec"]["ports"][0]["port"])}


def test_crds_of_another_program_are_left_to_it() -> None:
    """Two programs that apply the same CRD take it from each other."""
    for installation in (
        HubInstallation(crds=False),
        HubInstallation(settings={"addons-only": True, "addons": ["hello"]}),
    ):
        kinds = {obj["kind"] for obj in objects(installation)}
        assert "CustomResourceDefinition" not in kinds
        assert "Deployment" in kinds


def test_a_hub_without_a_webhook_promises_none() -> None:
    """A CRD that names a webhook nobody serves cannot be read in every version."""
    crds = [
        obj
        for obj in objects(HubInstallation(settings={"webhook": False}))
        if obj["kind"] == "CustomResourceDefinition"
    ]
    assert crds
    assert not any((crd["spec"].get("conversion") or {}).get("webhook") for crd in crds)


def test_the_prometheus_overlay_selects_the_metrics_service() -> None:
    """A selector that matches nothing is no error anywhere."""
    monitor = yaml.safe_load((DEPLOY / "overlays/prometheus/service-monitor.yaml").read_text())
    wanted = monitor["spec"]["selector"]["matchLabels"]
    selected = [
        obj for obj in only("Service") if wanted.items() <= obj["metadata"]["labels"].items()
    ]
    assert [obj["metadata"]["name"] for obj in selected] == ["towline-hub-metrics"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in selected[0]["spec"]["ports"]}
    assert monitor["metadata"]["namespace"] == selected[0]["metadata"]["namespace"]


def test_settings_that_need_further_roles_bring_them_along() -> None:
    """A hub that plays a signer reads its Secret, and only such a hub does."""
    names = {
        obj["metadata"]["name"]
        for obj in objects(HubInstallation(settings=SIGNERS))
        if "rules" in obj
    } - {obj["metadata"]["name"] for obj in objects() if "rules" in obj}
    assert names
    subject = service_account_subject("towline-hub", namespace="hub")
    alone = HubSettings(addons_only=True, addons=("hello",), namespace="hub")
    held = [
        resource
        for role in shipped_permissions(subject, alone)
        for rule in role.get("rules", ())
        if set(rule["verbs"]) - {"get", "list", "watch"}
        for resource in rule["resources"]
    ]
    assert "managedclusters" not in held
    assert "namespaces" not in held


def test_settings_no_hub_can_start_with_are_refused() -> None:
    """Better here than in a pod that restarts for ever."""
    with pytest.raises(ConfigError, match="auto-aprove"):
        HubInstallation(settings={"auto-aprove": ["x"]})


def test_another_namespace_is_in_every_object_that_has_one() -> None:
    """Half a hub in the default namespace helps nobody."""
    installation = HubInstallation(namespace="elsewhere", image="example.com/hub:1")
    stream = kubectl_stream(manifests_of(installation))
    assert "open-cluster-management-hub" not in re.sub(r"description: \|[^\n]*", "", stream)
    found = list(yaml.safe_load_all(stream))
    kinds = [obj["kind"] for obj in found]
    assert kinds.index("ConfigMap") < kinds.index("Deployment")
    (deployment,) = [obj for obj in found if obj["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "example.com/hub:1"


def test_the_command_prints_or_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One for a pipe into kubectl, one for a repository of manifests."""
    settings = tmp_path / "hub.yaml"
    settings.write_text("max-certificate-lifetime: 720h\n")
    assert hub(["--settings", str(settings), "--namespace", "hub"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    (config,) = [obj for obj in printed if obj["kind"] == "ConfigMap"]
    assert "max-certificate-lifetime: 720h" in config["data"]["hub.yaml"]
    assert hub(["--folder", str(tmp_path / "base")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "base" / "kustomization.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--namespace", "Not_A_Name"], "namespace"),
        (["--settings", "/no/such/file"], "cannot read"),
        (["--folder", "/proc/none"], "cannot write"),
        (["--replicas", "0"], "replicas"),
    ],
)
def test_what_cannot_be_installed_is_refused_in_a_line(arguments: list[str], words: str) -> None:
    """Never a traceback for bad input."""
    with pytest.raises(ConfigError, match=words):
        hub(arguments)
