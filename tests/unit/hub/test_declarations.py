"""Add-ons as they are declared: in Python, and in a settings file."""

from pathlib import Path

import pytest

from towline_api.addons import ConfigKind, CustomSignerRegistration, SubjectSpec
from towline_api.errors import ConfigError
from towline_hub import Addon, AddonManager, permission
from towline_hub.addons.declaration_settings import DeclarationSettings
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner, by_name
from towline_hub.settings import HubSettings
from towline_kube.settings import load

EVERYTHING = """
declarations:
- name: helloworld
  display-name: Hello World
  description: Says so.
  agent: speaker
  token-driver: true
  permissions:
  - resources: [configmaps]
    verbs: [get, list, watch]
  - resources: [secrets]
    verbs: [get]
    names: [password]
  - {group: coordination.k8s.io, resources: [leases], verbs: [get], namespace: fleet}
  custom-signers:
  - signer-name: example.com/hello
    user: hello-{cluster}
    groups: [speakers]
    organization-units: ["of-{cluster}"]
    server: true
    dns-names: ["{cluster}.hello.example.com"]
  supported-configs:
  - resource: configmaps
    default-name: words
    default-namespace: fleet
  install-namespace: speakers
  health-mode: Customized
"""


def hello() -> Addon:
    """Return the add-on of `EVERYTHING`, declared in Python."""
    addon = Addon(
        "helloworld",
        display_name="Hello World",
        description="Says so.",
        agent="speaker",
        token_driver=True,
        install_namespace="speakers",
        health_mode="Customized",  # type: ignore[arg-type]
    )
    addon.grants(
        permission.role("configmaps", verbs=["get", "list", "watch"]),
        permission.role("secrets", verbs=["get"], names=["password"]),
    )
    addon.grants(
        permission.role("leases", group="coordination.k8s.io", verbs=["get"], namespace="fleet")
    )
    addon.custom_signer(
        "example.com/hello",
        user="hello-{cluster}",
        groups=["speakers"],
        organization_units=["of-{cluster}"],
        server=True,
        dns_names=["{cluster}.hello.example.com"],
    )
    addon.supports_config("configmaps", default_name="words", default_namespace="fleet")
    return addon


def from_file(folder: Path, text: str) -> HubSettings:
    """Return a hub's settings from a file."""
    path = folder / "hub.yaml"
    path.write_text(text)
    return load(HubSettings, ["--config", str(path)], environment={})


def test_file_and_python_declare_the_same(tmp_path: Path) -> None:
    """Operators need no program for what a developer would write in one."""
    (declared,) = from_file(tmp_path, EVERYTHING).addon_declarations
    assert declared == hello().declaration
    assert DeclarationSettings.of(declared).declaration() == declared


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        pytest.param(
            "declarations: [{name: a}, {name: Bad}]", "[1]", "not an add-on name", id="name"
        ),
        pytest.param(
            "declarations: [{name: a, permissions: [{resources: [secrets], verbs: [get]}]}]",
            "[0.permissions.0]",
            "have to be named",
            id="permission",
        ),
        pytest.param(
            "declarations: [{name: a, custom-signers: [{signer-name: kubernetes.io/kubelet}]}]",
            "[0.custom-signers.0]",
            "a signer of Kubernetes",
            id="signer",
        ),
        pytest.param("declarations: [{name: a}, {name: a}]", "", "declared twice", id="twice"),
        pytest.param(
            "declarations: [{name: a, permisions: []}]", "[0.permisions]", "", id="misspelt"
        ),
        pytest.param("addons-only: true", "", "which add-ons", id="addons-only-of-none"),
        pytest.param(
            "{addons-only: true, addons: [a], install-crds: true}",
            "",
            "touches no CRD",
            id="addons-only-with-crds",
        ),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, place: str, reason: str) -> None:
    """Among many declarations, the operator reads which one, and what is wrong with it."""
    with pytest.raises(ConfigError) as wrong:
        from_file(tmp_path, text)
    assert place in str(wrong.value)
    assert reason in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        pytest.param(("no-domain",), "not the name of a signer", id="no-path"),
        pytest.param(("example.com/A",), "not the name of a signer", id="capitals"),
        pytest.param(("own.k8s.io/a",), "a signer of Kubernetes", id="k8s"),
        pytest.param(
            ("kubernetes.io/kube-apiserver-client",), "a signer of Kubernetes", id="the-hubs"
        ),
        pytest.param(("example.com/a", "{clusters}"), "holds a brace", id="misspelt-placeholder"),
        pytest.param(("example.com/a", "", ("",)), "is empty", id="empty-group"),
    ],
)
def test_a_custom_signer_is_one(signer: tuple[object, ...], reason: str) -> None:
    """A kubelet's signer would make the agent a node."""
    with pytest.raises(ConfigError, match=reason):
        CustomSigner(*signer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["*.example.com", "A.example.com", "", "a b", "{cluster}." + "a" * 200, "10.0.0.1/8"]
)
def test_a_dns_name_of_a_certificate_is_one(name: str) -> None:
    """On every cluster, however long its name; a wildcard would speak for servers of others."""
    with pytest.raises(ConfigError, match="is not a DNS name"):
        CustomSigner("example.com/a", dns_names=(name,))


def test_the_cluster_stands_in_a_subject_where_it_is_asked_for() -> None:
    """Without it, agents of all clusters would be one to whoever reads the certificate."""
    signer = CustomSigner("example.com/a", "u-{cluster}", ("g", "{cluster}"), ("{cluster}-ou",))
    assert signer.registration("c1") == CustomSignerRegistration(
        "example.com/a", SubjectSpec("u-c1", ("g", "c1"), ("c1-ou",))
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"name": "Hello"}, "not an add-on name", id="name"),
        pytest.param({"agent": "a:b"}, "not an agent name", id="agent"),
        pytest.param(
            {"hub_client": False, "token_driver": True},
            "no client of the hub",
            id="tokens-for-none",
        ),
        pytest.param(
            {
                "hub_client": False,
                "permissions": (permission.role("configmaps", verbs=["get"]),),
            },
            "no client of the hub",
            id="rights-for-none",
        ),
        pytest.param(
            {"custom_signers": (CustomSigner("example.com/a"), CustomSigner("example.com/a"))},
            "twice",
            id="signer-twice",
        ),
        pytest.param({"install_namespace": "a.b"}, "name of a namespace", id="namespace"),
        pytest.param(
            {
                "permissions": (
                    permission.role(
                        "managedclusteraddons",
                        group="addon.open-cluster-management.io",
                        verbs=["patch"],
                    ),
                )
            },
            "names=\\['hello'\\]",
            id="power-over-others",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(changes: dict[str, object], reason: str) -> None:
    """Where it is written, not on the hub days later."""
    with pytest.raises(ConfigError, match=reason):
        AddonDeclaration(**{"name": "hello", **changes})  # type: ignore[arg-type]


def test_an_addon_keeps_what_was_right_when_a_wrong_piece_is_refused() -> None:
    """A program that catches the error goes on with what it had."""
    addon = Addon("hello")
    addon.supports_config("configmaps")
    with pytest.raises(ConfigError, match="twice"):
        addon.supports_config("configmaps")
    (supported,) = addon.declaration.supported_configs
    assert supported.kind == ConfigKind("", "configmaps")


def test_two_declarations_of_one_addon_are_refused() -> None:
    """Which of them would count?"""
    with pytest.raises(ConfigError, match="declared twice"):
        by_name([AddonDeclaration("a"), AddonDeclaration("a")])
    with pytest.raises(ConfigError, match="declared twice"):
        AddonManager(Addon("a"), Addon("a"))
    with pytest.raises(ConfigError, match="needs an add-on"):
        AddonManager()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["--nonsense"], "--nonsense", id="unknown-flag"),
        pytest.param(["--startup-limit", "5"], "--startup-limit", id="no-unit"),
        pytest.param(
            ["--min-certificate-lifetime", "2h", "--max-certificate-lifetime", "1h"],
            "longer than",
            id="bounds-the-wrong-way-round",
        ),
    ],
)
def test_a_wrong_flag_ends_an_addons_program_with_one_line(
    arguments: list[str], reason: str
) -> None:
    """A person started it, and has to know what to type instead."""
    with pytest.raises(SystemExit) as ended:
        AddonManager(Addon("hello")).run(arguments)
    assert str(ended.value).startswith("hello: ")
    assert reason in str(ended.value)
    assert "\n" not in str(ended.value)


def test_an_addon_is_called_by_its_name_unless_it_has_a_better_one() -> None:
    """Something has to stand in lists that people read."""
    assert AddonDeclaration("hello").display.display_name == "hello"
    assert AddonDeclaration("hello", display_name="Hello").display.display_name == "Hello"
