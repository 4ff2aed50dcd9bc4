"""One fact, one value: the codecs know where each API version keeps it."""

import contextlib
import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline_api.addon_codec import AddonCodec, V1Alpha1Codec
from towline_api.addon_codec_v1beta1 import V1Beta1Codec
from towline_api.addons import (
    AddonConfig,
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    CustomSignerRegistration,
    DisplayMeta,
    HashedConfig,
    HealthMode,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    PlacementInstall,
    SubjectSpec,
    SupportedConfig,
)
from towline_api.conversion import convert
from towline_api.errors import WireError
from towline_api.metadata import ObjectKey
from towline_api.resources import KubeObject

ADC = ConfigKind("addon.open-cluster-management.io", "addondeploymentconfigs")
SECRETS_OF_CORE = ConfigKind("", "secrets")

ADDON: KubeObject = {
    "apiVersion": "addon.open-cluster-management.io/v1alpha1",
    "kind": "ManagedClusterAddOn",
    "metadata": {
        "name": "hello",
        "namespace": "c1",
        "uid": "u",
        "annotations": {"addon.open-cluster-management.io/hosting-cluster-name": "c9"},
    },
    "spec": {
        "installNamespace": "hello-ns",
        "configs": [
            {
                "group": "addon.open-cluster-management.io",
                "resource": "addondeploymentconfigs",
                "namespace": "c1",
                "name": "conf",
            },
            {"group": "", "resource": "secrets", "name": "s"},
        ],
    },
    "status": {
        "namespace": "decided-ns",
        "kubeClientDriver": "csr",
        "healthCheck": {"mode": "Customized"},
        "addOnMeta": {"displayName": "Hello", "description": "greets"},
        "supportedConfigs": [
            {"group": "addon.open-cluster-management.io", "resource": "addondeploymentconfigs"}
        ],
        "registrations": [
            {
                "signerName": "kubernetes.io/kube-apiserver-client",
                "subject": {"user": "u1", "groups": ["g1", "g2"]},
            },
            {
                "signerName": "example.com/mine",
                "subject": {"user": "u2", "groups": ["g3"], "organizationUnit": ["ou"]},
            },
        ],
        "configReferences": [
            {
                "group": "addon.open-cluster-management.io",
                "resource": "addondeploymentconfigs",
                "namespace": "c1",
                "name": "conf",
                "lastObservedGeneration": 2,
                "desiredConfig": {"namespace": "c1", "name": "conf", "specHash": "h2"},
                "lastAppliedConfig": {"namespace": "c1", "name": "conf", "specHash": "h1"},
            }
        ],
    },
}
DECODED = ManagedClusterAddon(
    name="hello",
    cluster="c1",
    uid="u",
    configs=(
        AddonConfig(ADC, ObjectKey("conf", "c1")),
        AddonConfig(SECRETS_OF_CORE, ObjectKey("s")),
    ),
    requested_namespace="hello-ns",
    agent_namespace="decided-ns",
    hosting_cluster="c9",
    registrations=(
        KubeClientRegistration(SubjectSpec("u1", ("g1", "g2")), KubeClientDriver.CSR),
        CustomSignerRegistration("example.com/mine", SubjectSpec("u2", ("g3",), ("ou",))),
    ),
    health_mode=HealthMode.CUSTOMIZED,
    supported_configs=(ADC,),
    config_references=(
        ConfigReference(
            ADC,
            HashedConfig(ObjectKey("conf", "c1"), "h2"),
            HashedConfig(ObjectKey("conf", "c1"), "h1"),
            2,
        ),
    ),
    display=DisplayMeta("Hello", "greets"),
)
CLUSTER_MANAGEMENT_ADDON: KubeObject = {
    "apiVersion": "addon.open-cluster-management.io/v1alpha1",
    "kind": "ClusterManagementAddOn",
    "metadata": {"name": "hello", "uid": "u"},
    "spec": {
        "addOnMeta": {"displayName": "Hello"},
        "supportedConfigs": [
            {
                "group": "addon.open-cluster-management.io",
                "resource": "addondeploymentconfigs",
                "defaultConfig": {"namespace": "ocm", "name": "all"},
            },
            {"resource": "secrets"},
        ],
        "installStrategy": {
            "type": "Placements",
            "placements": [
                {
                    "namespace": "ns",
                    "name": "p",
                    "rolloutStrategy": {"type": "All"},
                    "configs": [{"group": "", "resource": "secrets", "name": "s"}],
                }
            ],
        },
    },
    "status": {
        "defaultconfigReferences": [
            {
                "group": "addon.open-cluster-management.io",
                "resource": "addondeploymentconfigs",
                "desiredConfig": {"namespace": "ocm", "name": "all", "specHash": "h"},
            }
        ]
    },
}


@dataclasses.dataclass(frozen=True)
class Version:
    """An API version: its codec, and the same objects written in it."""

    codec: AddonCodec
    addon: KubeObject
    cluster_management_addon: KubeObject

    @property
    def status(self) -> KubeObject:
        """The add-on's whole status, a copy."""
        status: KubeObject = copy.deepcopy(self.addon["status"])
        return status

    def addon_with(self, path: str, value: object) -> KubeObject:
        """Return the add-on with the member at a dotted path replaced."""
        changed = copy.deepcopy(self.addon)
        target: Any = changed
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in parents:
            target = target[part]
        target[last] = value
        return changed


def written_in(version: str, codec: AddonCodec) -> Version:
    api_version = f"addon.open-cluster-management.io/{version}"
    addon, definition = (
        convert(obj, api_version=api_version) for obj in (ADDON, CLUSTER_MANAGEMENT_ADDON)
    )
    return Version(codec, addon, definition)


OLD = written_in("v1alpha1", V1Alpha1Codec())
NEW = written_in("v1beta1", V1Beta1Codec())
each_version = pytest.mark.parametrize("version", [OLD, NEW], ids=["v1alpha1", "v1beta1"])


@each_version
def test_every_part_of_an_addon_is_read(version: Version):
    """The whole vocabulary on one object."""
    assert version.codec.decode_addon(version.addon) == DECODED
    assert DECODED.key == ObjectKey("hello", "c1")


@each_version
def test_a_new_addon_has_no_opinions_yet(version: Version):
    """Nothing is decided until the hub has written the status; readers see what that means."""
    addon = version.codec.decode_addon(
        {"metadata": {"name": "hello", "namespace": "c1"}, "spec": {}}
    )
    assert addon == ManagedClusterAddon("hello", "c1")
    assert addon.install_namespace == "open-cluster-management-agent-addon"
    assert addon.effective_health_mode is HealthMode.LEASE


def test_the_install_namespace_is_the_hubs_then_the_askers_then_the_default():
    """The hub has the last word, since it also ships the manifests."""
    assert DECODED.install_namespace == "decided-ns"
    assert dataclasses.replace(DECODED, agent_namespace=None).install_namespace == "hello-ns"


@each_version
def test_an_addon_on_its_way_out_is_told_apart(version: Version):
    """Its credentials stay until clean-up ends, but nothing new starts."""
    gone = version.addon_with("metadata.deletionTimestamp", "2026-01-31T12:00:00Z")
    assert version.codec.decode_addon(gone).is_being_deleted
    assert not DECODED.is_being_deleted


@each_version
@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("metadata.name", "", "metadata.name"),
        ("metadata.namespace", None, "metadata.namespace"),
        ("spec", "x", "spec"),
        ("spec.configs", {}, "spec.configs"),
        ("spec.configs.1", "x", "spec.configs[1]"),
        ("spec.configs.1", {"resource": "secrets"}, "spec.configs[1].name"),
        ("status.healthCheck.mode", "Guess", "status.healthCheck.mode"),
        (
            "status.configReferences.0.lastObservedGeneration",
            "2",
            "status.configReferences[0].lastObservedGeneration",
        ),
        (
            "status.configReferences.0.lastObservedGeneration",
            True,
            "status.configReferences[0].lastObservedGeneration",
        ),
        (
            "status.configReferences.0.desiredConfig.name",
            None,
            "status.configReferences[0].desiredConfig.name",
        ),
    ],
)
def test_a_malformed_addon_is_a_wire_error_with_the_field(version: Version, path, value, field):
    """Someone has to repair the object, and needs to know where."""
    with pytest.raises(WireError) as caught:
        version.codec.decode_addon(version.addon_with(path, value))
    assert caught.value.field == field
    assert field in str(caught.value)


CLIENT, CUSTOM = "status.registrations.0.kubeClient", "status.registrations.1.customSigner"


@pytest.mark.parametrize(
    ("version", "path", "value"),
    [
        (OLD, "spec.installNamespace", 5),
        (OLD, "status.registrations.0.signerName", ""),
        (OLD, "status.registrations.1.subject", []),
        (OLD, "status.registrations.1.subject.groups", "g"),
        (OLD, "status.registrations.1.subject.organizationUnit", "o"),
        (OLD, "status.kubeClientDriver", "carrier pigeon"),
        (OLD, "status.configReferences.0.desiredConfig.name", None),
        (NEW, "status.registrations.0.type", ""),
        (NEW, "status.registrations.0.type", "carrier pigeon"),
        (NEW, "status.registrations.0.kubeClient", []),
        (NEW, f"{CLIENT}.driver", "carrier pigeon"),
        (NEW, f"{CLIENT}.subject.groups", "g"),
        (NEW, f"{CUSTOM}.signerName", ""),
        (NEW, f"{CUSTOM}.subject", []),
        (NEW, f"{CUSTOM}.subject.organizationUnits", "o"),
    ],
)
def test_so_is_what_only_one_version_has(version: Version, path: str, value: object):
    """The same, where the versions differ."""
    with pytest.raises(WireError) as caught:
        version.codec.decode_addon(version.addon_with(path, value))
    assert caught.value.field == path.replace(".0", "[0]").replace(".1", "[1]")


def test_units_of_a_client_certificate_do_not_count():
    """Its signer takes none."""
    for version, subject in (
        (OLD, "status.registrations.0.subject"),
        (NEW, f"{CLIENT}.subject"),
    ):
        units = {"user": "u1", "organizationUnit": ["o"], "organizationUnits": ["o"]}
        decoded = version.codec.decode_addon(version.addon_with(subject, units))
        assert decoded.registrations[0].subject == SubjectSpec("u1")


def test_an_install_namespace_that_is_none_is_nobodys_wish():
    """In v1beta1 it is an annotation, and what annotations say is checked by nobody."""
    name = "addon.open-cluster-management.io/v1alpha1-install-namespace"
    for text, expected in (("hello-ns", "hello-ns"), ("Not One", None), ("", None)):
        obj = NEW.addon_with("metadata.annotations", {name: text})
        assert NEW.codec.decode_addon(obj).requested_namespace == expected


def test_a_reserved_word_means_no_default():
    """A cluster must not be told to use a configuration of that name."""
    specs = NEW.cluster_management_addon["spec"]["defaultConfigs"]
    assert specs[1]["name"] == "__reserved_no_default__"
    decoded = NEW.codec.decode_cluster_management_addon(NEW.cluster_management_addon)
    assert decoded.supported_configs[1] == SupportedConfig(SECRETS_OF_CORE)


def test_a_reference_that_desires_nothing_is_none():
    """Neither as written in v1beta1 nor as what is stored of it."""
    written = NEW.addon_with("status.configReferences", [{"resource": "secrets"}])
    stored = convert(written, api_version=OLD.addon["apiVersion"])
    assert NEW.codec.decode_addon(written).config_references == ()
    assert OLD.codec.decode_addon(stored).config_references == ()


@each_version
def test_messages_name_the_object(version: Version):
    """A hub holds thousands of add-ons."""
    with pytest.raises(WireError, match="ManagedClusterAddOn c1/hello"):
        version.codec.decode_addon(version.addon_with("spec.configs", {}))


@each_version
def test_an_addons_status_is_encoded_as_it_is_decoded(version: Version):
    """What the hub writes is what the agent reads, byte for byte."""
    status = version.codec.encode_addon_status(
        None,
        registrations=DECODED.registrations,
        agent_namespace=DECODED.agent_namespace,
        health_mode=DECODED.health_mode,
        supported_configs=DECODED.supported_configs,
        config_references=DECODED.config_references,
        display=DECODED.display,
    )
    assert status == version.status


@each_version
def test_parts_not_named_stay_as_they_are(version: Version):
    """Hub and agent write different parts of one status."""
    before = version.status
    assert version.codec.encode_addon_status(before) == version.status
    changed = version.codec.encode_addon_status(before, health_mode=HealthMode.LEASE)
    assert changed == version.status | {"healthCheck": {"mode": "Lease"}}
    assert before == version.status, "the input is not changed"


@each_version
def test_the_agents_driver_survives_the_hubs_registrations(version: Version):
    """The agent declares it, the hub would otherwise make it declare it again on every pass."""
    declared = version.codec.encode_addon_status(
        version.status,
        registrations=[KubeClientRegistration(SubjectSpec("u1"))],
        driver=KubeClientDriver.TOKEN,
    )
    again = version.codec.encode_addon_status(
        declared, registrations=[KubeClientRegistration(SubjectSpec("u2"))]
    )
    decoded = version.codec.decode_addon(version.addon_with("status", again))
    assert decoded.registrations == (
        KubeClientRegistration(SubjectSpec("u2"), KubeClientDriver.TOKEN),
    )


@pytest.mark.parametrize(
    ("version", "registration", "expected"),
    [
        (OLD, {"signerName": "x", "future": 1}, {"signerName": "x", "future": 1}),
        (
            NEW,
            {"type": "kubeClient", "kubeClient": {"future": 2}, "future": 1},
            {"type": "kubeClient", "kubeClient": {"future": 2, "driver": "csr"}, "future": 1},
        ),
        (NEW, {"type": "customSigner", "future": 1}, {"type": "customSigner", "future": 1}),
    ],
)
def test_the_agent_declares_its_driver_without_touching_registrations(
    version: Version, registration, expected
):
    """They belong to the hub."""
    before = {"registrations": [registration]}
    after = version.codec.encode_addon_status(before, driver=KubeClientDriver.CSR)
    assert after["registrations"] == [expected]
    assert after.get("kubeClientDriver") == ("csr" if version is OLD else None)


def test_a_driver_waits_for_something_to_drive():
    """In v1beta1 it has no place before there is a registration."""
    assert NEW.codec.encode_addon_status({}, driver=KubeClientDriver.CSR) == {}


@each_version
def test_members_nobody_here_knows_survive_encoding(version: Version):
    """A newer OCM may have written more."""
    before = version.status
    before["registrations"][1]["future"] = 1
    before["configReferences"][0]["future"] = 2
    before["healthCheck"]["future"] = 3
    before["future"] = 4
    after = version.codec.encode_addon_status(
        before,
        registrations=DECODED.registrations,
        config_references=DECODED.config_references,
        health_mode=DECODED.health_mode,
    )
    assert after == before


@each_version
def test_what_is_withdrawn_goes(version: Version):
    """A reference without an applied state must not inherit an old one."""
    reference = dataclasses.replace(
        DECODED.config_references[0], last_applied=None, last_observed_generation=0
    )
    after = version.codec.encode_addon_status(version.status, config_references=[reference])
    (left,) = after["configReferences"]
    assert left == {
        key: value
        for key, value in version.status["configReferences"][0].items()
        if key not in ("lastAppliedConfig", "lastObservedGeneration")
    }
    assert version.codec.encode_addon_status(after, config_references=[])["configReferences"] == []


def test_an_old_reference_without_a_desired_config_is_understood():
    """Writers from before that field left only the name."""
    old = OLD.addon_with(
        "status", {"configReferences": [{"resource": "secrets", "name": "s", "namespace": "n"}]}
    )
    assert OLD.codec.decode_addon(old).config_references == (
        ConfigReference(SECRETS_OF_CORE, HashedConfig(ObjectKey("s", "n"))),
    )


@pytest.mark.parametrize(
    ("desired", "applied", "expected"),
    [("h", "h", True), ("h", "g", False), ("h", None, False), ("", "", False), ("", None, False)],
)
def test_applied_means_the_very_state_that_is_desired(desired, applied, expected):
    """Two unknown hashes are not equal: nobody has looked yet."""
    key = ObjectKey("s", "n")
    last = None if applied is None else HashedConfig(key, applied)
    assert ConfigReference(ADC, HashedConfig(key, desired), last).is_applied is expected
    other = HashedConfig(ObjectKey("other", "n"), desired)
    assert not ConfigReference(ADC, HashedConfig(key, desired), other).is_applied


@each_version
def test_every_part_of_a_cluster_management_addon_is_read(version: Version):
    """The hub works out every cluster's configuration from it."""
    assert version.codec.decode_cluster_management_addon(version.cluster_management_addon) == (
        ClusterManagementAddon(
            name="hello",
            uid="u",
            display=DisplayMeta("Hello"),
            supported_configs=(
                SupportedConfig(ADC, ObjectKey("all", "ocm")),
                SupportedConfig(SECRETS_OF_CORE),
            ),
            placements=(
                PlacementInstall(
                    ObjectKey("p", "ns"), (AddonConfig(SECRETS_OF_CORE, ObjectKey("s")),)
                ),
            ),
            default_config_references=(
                ConfigReference(ADC, HashedConfig(ObjectKey("all", "ocm"), "h")),
            ),
        )
    )


@each_version
def test_placements_of_a_manual_addon_do_not_count(version: Version):
    """They are left over from before somebody changed the strategy back."""
    manual = copy.deepcopy(version.cluster_management_addon)
    manual["spec"]["installStrategy"]["type"] = "Manual"
    assert version.codec.decode_cluster_management_addon(manual).placements == ()


@each_version
@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, False),
        ({"addon.open-cluster-management.io/lifecycle": "addon-manager"}, False),
        ({"addon.open-cluster-management.io/lifecycle": "self"}, True),
        ({"addon.open-cluster-management.io/lifecycle": "someone"}, True),
    ],
)
def test_an_addon_that_looks_after_itself_is_left_alone(version: Version, annotations, expected):
    """Two writers of one status would never come to rest."""
    obj = {"metadata": {"name": "hello", "annotations": annotations}}
    assert version.codec.decode_cluster_management_addon(obj).is_self_managed is expected


@each_version
def test_default_references_are_encoded_under_their_odd_name(version: Version):
    """v1alpha1 spells it with a lower-case c; the API would drop the other version's spelling."""
    decoded = version.codec.decode_cluster_management_addon(version.cluster_management_addon)
    encoded = version.codec.encode_cluster_management_addon_status(
        {"future": 1}, default_config_references=decoded.default_config_references
    )
    assert encoded == version.cluster_management_addon["status"] | {"future": 1}
    assert version.codec.encode_cluster_management_addon_status(encoded) == encoded


def test_kinds_of_configuration_print_as_kubectl_writes_them():
    """They stand in messages."""
    assert str(ADC) == "addondeploymentconfigs.addon.open-cluster-management.io"
    assert str(SECRETS_OF_CORE) == "secrets"


words = st.text(alphabet="abc:-./", min_size=1, max_size=8)
names = st.text(alphabet="abc:-./", min_size=2, max_size=16)
keys = st.builds(ObjectKey, names, st.none() | names)
hashed = st.builds(HashedConfig, keys, st.just("") | words)
kinds = st.builds(ConfigKind, st.just("") | words, words)
groups = st.lists(words, max_size=3).map(tuple)
registrations = st.lists(
    st.builds(
        KubeClientRegistration,
        st.builds(SubjectSpec, st.just("") | words, groups),
        st.just(KubeClientDriver.CSR),
    )
    | st.builds(
        CustomSignerRegistration,
        words.map("example.com/{}".format),
        st.builds(SubjectSpec, st.just("") | words, groups, groups),
    ),
    max_size=3,
).map(tuple)
references = st.lists(
    st.builds(ConfigReference, kinds, hashed, st.none() | hashed, st.integers(0, 2**62)),
    max_size=3,
).map(tuple)


@each_version
@given(registrations, references, st.lists(kinds, max_size=3).map(tuple))
def test_whatever_is_encoded_decodes_to_the_same(
    version: Version, registrations, references, supported
):
    """Nothing is lost between hub and agent."""
    status = version.codec.encode_addon_status(
        version.status,
        registrations=registrations,
        config_references=references,
        supported_configs=supported,
    )
    decoded = version.codec.decode_addon(version.addon_with("status", status))
    assert decoded.registrations == registrations
    assert decoded.config_references == references
    assert decoded.supported_configs == supported


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                sorted(
                    {
                        *ADDON["spec"],
                        *ADDON["status"],
                        *NEW.status["registrations"][0],
                        "name",
                        "subject",
                    }
                )
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@each_version
@given(st.sampled_from(["spec", "status", "metadata.annotations"]), json_values)
def test_any_json_is_an_addon_or_a_wire_error(version: Version, path, value):
    """Whatever stands on the hub, the agent's loop meets no other exception."""
    with contextlib.suppress(WireError):
        assert version.codec.decode_addon(version.addon_with(path, value)).name == "hello"
