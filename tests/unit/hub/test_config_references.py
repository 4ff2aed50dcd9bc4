"""Which configuration an add-on gets, and why some of it cannot be used."""

from typing import Any

import pytest

from towline_api.addons import (
    AddonConfig,
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    HashedConfig,
    ManagedClusterAddon,
    SupportedConfig,
)
from towline_api.metadata import ObjectKey
from towline_hub.addons.config_references import (
    CONFIG_MAP,
    DEPLOYMENT_CONFIG,
    ResolvedConfig,
    WantedConfig,
    effective_configs,
    install_namespace,
    recorded_references,
    refusal,
    resolve,
)

DEFAULT = AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("default", "hub"))
OWN = AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("own", "c1"))
SECOND = AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("second", "c1"))
SHARED_MAP = AddonConfig(CONFIG_MAP, ObjectKey("settings", "hub"))
OWN_MAP = AddonConfig(CONFIG_MAP, ObjectKey("settings", "c1"))

DEFINITION = ClusterManagementAddon(
    "helloworld",
    supported_configs=(
        SupportedConfig(DEPLOYMENT_CONFIG, DEFAULT.key),
        SupportedConfig(CONFIG_MAP, SHARED_MAP.key),
    ),
)


def _addon(*configs: AddonConfig) -> ManagedClusterAddon:
    return ManagedClusterAddon("helloworld", "c1", configs=configs)


def test_defaults_hold_where_nothing_overrides_them() -> None:
    """A fleet is configured in one place."""
    assert effective_configs(_addon(), DEFINITION) == (
        WantedConfig(SHARED_MAP, overrides=False),
        WantedConfig(DEFAULT, overrides=False),
    )


def test_a_supported_kind_without_a_default_asks_for_nothing() -> None:
    """Declaring a kind is not choosing an object."""
    definition = ClusterManagementAddon(
        "helloworld", supported_configs=(SupportedConfig(DEPLOYMENT_CONFIG),)
    )
    assert effective_configs(_addon(), definition) == ()


def test_an_override_replaces_all_defaults_of_its_kind_only() -> None:
    """Replacing the deployment configuration must not drop the ConfigMap."""
    assert effective_configs(_addon(SECOND, OWN, SECOND), DEFINITION) == (
        WantedConfig(SHARED_MAP, overrides=False),
        WantedConfig(SECOND, overrides=True),
        WantedConfig(OWN, overrides=True),
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param(
            AddonConfig(ConfigKind("example.com", "tunings"), ObjectKey("x", "c1")),
            "tunings.example.com c1/x is of a kind this hub does not read",
            id="unknown-kind",
        ),
        pytest.param(
            AddonConfig(CONFIG_MAP, ObjectKey("x", "c1")), "does not support", id="undeclared-kind"
        ),
        pytest.param(
            AddonConfig(DEPLOYMENT_CONFIG, ObjectKey("x")), "has no namespace", id="no-namespace"
        ),
    ],
)
def test_a_reference_that_cannot_work_says_why(config: AddonConfig, words: str) -> None:
    """Whoever wrote the reference reads this in a condition and must know what to do."""
    definition = ClusterManagementAddon(
        "helloworld", supported_configs=(SupportedConfig(DEPLOYMENT_CONFIG),)
    )
    problem = refusal(
        WantedConfig(config, overrides=True), addon=_addon(config), definition=definition
    )
    assert problem is not None
    assert words in problem


def test_an_override_cannot_reach_for_config_maps_of_others() -> None:
    """May write add-ons in c1, may not read the hub's ConfigMaps: the hub is no way round."""
    addon = _addon(SHARED_MAP)
    foreign = refusal(WantedConfig(SHARED_MAP, overrides=True), addon=addon, definition=DEFINITION)
    assert foreign is not None
    assert "put a copy into c1" in foreign
    for allowed in (
        WantedConfig(SHARED_MAP, overrides=False),
        WantedConfig(OWN_MAP, overrides=True),
    ):
        assert refusal(allowed, addon=addon, definition=DEFINITION) is None


def test_a_missing_object_is_named() -> None:
    """`Configured` is False until it appears, and says what to create."""
    resolved = resolve(DEFAULT, None)
    assert resolved.spec_hash == ""
    assert resolved.problem is not None
    assert f"{DEPLOYMENT_CONFIG} hub/default does not exist" in resolved.problem


def test_the_hash_is_the_one_ocm_computes() -> None:
    """An OCM agent compares it with its own."""
    found: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "default", "generation": 3},
        "spec": {"test": 1},
    }
    resolved = resolve(DEFAULT, found)
    assert resolved.spec_hash == "af144391b79b4b07bd7c579980ae9ed42dc8e34f7babebbf3fd08cacb578fba4"
    assert resolved.generation == 3
    assert resolved.problem is None


def test_what_was_applied_is_remembered_for_references_that_stay() -> None:
    """Losing it would make the agent's report look undone after every change."""
    applied = HashedConfig(DEFAULT.key, "old")
    before = [
        ConfigReference(DEPLOYMENT_CONFIG, HashedConfig(DEFAULT.key, "old"), last_applied=applied)
    ]
    stays, comes = recorded_references(
        [
            ResolvedConfig(DEFAULT, spec_hash="new", generation=2),
            ResolvedConfig(OWN, spec_hash="x"),
        ],
        before=before,
    )
    assert stays == ConfigReference(
        DEPLOYMENT_CONFIG,
        HashedConfig(DEFAULT.key, "new"),
        last_applied=applied,
        last_observed_generation=2,
    )
    assert comes.last_applied is None


@pytest.mark.parametrize(
    ("spec", "requested", "expected"),
    [
        pytest.param({"agentInstallNamespace": "from-config"}, "asked", "from-config", id="config"),
        pytest.param({"agentInstallNamespace": ""}, "asked", "asked", id="empty-in-config"),
        pytest.param({}, None, "fallback", id="nobody-says"),
        pytest.param(None, "asked", "asked", id="no-config"),
    ],
)
def test_where_an_agent_is_installed(
    spec: dict[str, Any] | None, requested: str | None, expected: str
) -> None:
    """Configuration wins over the add-on's own wish, which wins over the usual place."""
    configs = (
        [ResolvedConfig(SHARED_MAP, found={}), ResolvedConfig(DEFAULT, found={"spec": spec})]
        if spec is not None
        else []
    )
    assert install_namespace(configs, requested=requested, fallback="fallback") == expected
