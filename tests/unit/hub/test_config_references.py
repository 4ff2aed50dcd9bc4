"""Which configuration an add-on gets, and why some of it cannot be used."""

from typing import Any

import pytest

from towline_hub.config_references import (
    ConfigKey,
    ResolvedConfig,
    WantedConfig,
    effective_configs,
    install_namespace,
    refusal,
    resolve,
)

GROUP, RESOURCE = "addon.open-cluster-management.io", "addondeploymentconfigs"
DEFAULT = ConfigKey(GROUP, RESOURCE, "hub", "default")
OWN = ConfigKey(GROUP, RESOURCE, "c1", "own")
SECOND = ConfigKey(GROUP, RESOURCE, "c1", "second")
CONFIG_MAP = ConfigKey("", "configmaps", "hub", "settings")
SUPPORTED = {DEFAULT.kind, CONFIG_MAP.kind}


def test_defaults_hold_where_nothing_overrides_them() -> None:
    """A fleet is configured in one place."""
    wanted = effective_configs(defaults=[DEFAULT, CONFIG_MAP], overrides=[])
    assert wanted == (
        WantedConfig(CONFIG_MAP, overrides=False),
        WantedConfig(DEFAULT, overrides=False),
    )


def test_an_override_replaces_all_defaults_of_its_kind_only() -> None:
    """Replacing the deployment configuration must not drop the ConfigMap."""
    wanted = effective_configs(defaults=[DEFAULT, CONFIG_MAP], overrides=[SECOND, OWN, SECOND])
    assert [item.key for item in wanted] == [CONFIG_MAP, SECOND, OWN]
    assert [item.overrides for item in wanted] == [False, True, True]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(
            WantedConfig(ConfigKey("example.com", "tunings", "c1", "x"), overrides=True),
            "tunings.example.com c1/x is of a kind this hub does not read",
            id="unknown-kind",
        ),
        pytest.param(
            WantedConfig(ConfigKey("", "configmaps", "c1", "x"), overrides=True),
            "does not support",
            id="undeclared-kind",
        ),
        pytest.param(
            WantedConfig(ConfigKey(GROUP, RESOURCE, "", "x"), overrides=True),
            "has no namespace",
            id="no-namespace",
        ),
    ],
)
def test_a_reference_that_cannot_work_says_why(wanted: WantedConfig, words: str) -> None:
    """Whoever wrote the reference reads this in a condition and must know what to do."""
    problem = refusal(wanted, cluster="c1", addon="helloworld", supported={DEFAULT.kind})
    assert problem is not None
    assert words in problem


def test_an_override_cannot_reach_for_config_maps_of_others() -> None:
    """May write add-ons in c1, may not read the hub's ConfigMaps: the hub is no way round."""
    foreign = WantedConfig(CONFIG_MAP, overrides=True)
    problem = refusal(foreign, cluster="c1", addon="helloworld", supported=SUPPORTED)
    assert problem is not None
    assert "put a copy into c1" in problem
    default = WantedConfig(CONFIG_MAP, overrides=False)
    assert refusal(default, cluster="c1", addon="helloworld", supported=SUPPORTED) is None
    own = WantedConfig(ConfigKey("", "configmaps", "c1", "settings"), overrides=True)
    assert refusal(own, cluster="c1", addon="helloworld", supported=SUPPORTED) is None


def test_a_missing_object_is_named() -> None:
    """`Configured` is False until it appears, and says what to create."""
    resolved = resolve(DEFAULT, None)
    assert resolved.spec_hash == ""
    assert resolved.problem is not None
    assert f"{RESOURCE}.{GROUP} hub/default does not exist" in resolved.problem


def test_the_hash_is_the_one_ocm_computes() -> None:
    """An OCM agent compares it with its own."""
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "default", "generation": 3},
        "spec": {"test": 1},
    }
    resolved = resolve(DEFAULT, config)
    assert resolved.spec_hash == "af144391b79b4b07bd7c579980ae9ed42dc8e34f7babebbf3fd08cacb578fba4"
    assert resolved.generation == 3
    assert resolved.problem is None


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
        [ResolvedConfig(CONFIG_MAP, config={}), ResolvedConfig(DEFAULT, config={"spec": spec})]
        if spec is not None
        else []
    )
    assert install_namespace(configs, requested=requested, fallback="fallback") == expected
