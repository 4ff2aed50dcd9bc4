"""What the hub's operator wrote becomes what the managed cluster should hold."""

from collections.abc import Sequence
from typing import Any

import pytest

from towline_agent.applying.ownership import Claim, Owner
from towline_agent.configuration.plan import (
    Desired,
    Pending,
    desired_configuration,
)
from towline_api.metadata import ObjectKey
from towline_api.resources import KubeObject

OWNER = Owner("c1", "helloworld")
ADDON_LABEL = "open-cluster-management.io/addon-name"


def config_map(name: str, *, labels: dict[str, str] | None = None, **content: Any) -> KubeObject:
    metadata = {"name": name, "namespace": "c1", "uid": name, "labels": labels or {}}
    return {"metadata": metadata, **content}


def deployment_config(*variables: Any) -> KubeObject:
    return {
        "metadata": {"name": "global", "namespace": "defaults"},
        "spec": {"customizedVariables": list(variables)},
    }


PENDING = Pending(ObjectKey("global", "defaults"))


def desired(
    *config_maps: KubeObject,
    adc: KubeObject | Pending | None = None,
    referenced: Sequence[KubeObject | Pending] = (),
) -> Desired:
    return desired_configuration(
        config_maps,
        owner=OWNER,
        namespace="addons",
        deployment_config=adc,
        referenced=referenced,
    )


def names(result: Desired) -> list[str]:
    return [str(manifest.target) for manifest in result.manifests]


def test_config_maps_are_copied_to_the_install_namespace() -> None:
    """Only the content travels: labels and annotations mean something on the hub alone."""
    original = config_map(
        "settings",
        labels={"app": "hub-thing"},
        data={"colour": "blue"},
        binaryData={"logo": "aGVsbG8="},
        immutable=True,
    )
    (manifest,) = desired(original).manifests
    assert manifest.body["metadata"]["namespace"] == "addons"
    assert manifest.body["data"] == {"colour": "blue"}
    assert manifest.body["binaryData"] == {"logo": "aGVsbG8="}
    assert "app" not in manifest.body["metadata"]["labels"]
    assert "immutable" not in manifest.body
    assert manifest.source == "configmaps c1/settings"
    assert OWNER.claim(manifest.body) is Claim.OURS


@pytest.mark.parametrize(
    ("original", "copied"),
    [
        pytest.param(config_map("settings"), True, id="for-every-add-on"),
        pytest.param(config_map("x", labels={ADDON_LABEL: "helloworld"}), True, id="for-this-one"),
        pytest.param(config_map("x", labels={ADDON_LABEL: "other"}), False, id="for-another"),
        pytest.param(config_map("x", labels={ADDON_LABEL: ""}), False, id="for-nobody"),
        pytest.param(config_map("kube-root-ca.crt"), False, id="the-hub's-own-ca"),
        pytest.param(
            {"metadata": {"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
            False,
            id="being-deleted",
        ),
    ],
)
def test_which_config_maps_concern_an_add_on(original: KubeObject, copied: bool) -> None:
    """A ConfigMap labelled for one add-on may hold what another should not see."""
    assert bool(desired(original).manifests) is copied


def test_an_empty_config_map_is_a_configuration_too() -> None:
    """Its presence may be all that an add-on looks at."""
    assert names(desired(config_map("flag"))) == ["configmaps addons/flag"]


def test_variables_become_a_config_map_of_their_own() -> None:
    """Standalone agents have no Deployment to template them into."""
    adc = deployment_config({"name": "LEVEL", "value": "debug"}, {"name": "EMPTY"})
    (manifest,) = desired(adc=adc).manifests
    assert str(manifest.target) == "configmaps addons/helloworld-deployment-config"
    assert manifest.body["data"] == {"LEVEL": "debug", "EMPTY": ""}
    assert (
        manifest.source == "addondeploymentconfigs.addon.open-cluster-management.io defaults/global"
    )


def test_no_variables_need_no_config_map() -> None:
    """Nothing to say is said by nothing, so that removing the last variable prunes."""
    assert desired(adc=deployment_config()) == Desired()
    assert desired(adc={"metadata": {"name": "x", "namespace": "y"}}) == Desired()


def test_a_deployment_config_not_yet_readable_keeps_what_it_gave() -> None:
    """An agent that starts while the hub is still hashing must not take configuration away."""
    result = desired(config_map("settings"), adc=PENDING)
    assert names(result) == ["configmaps addons/settings"]
    assert [str(target) for target in result.keep] == [
        "configmaps addons/helloworld-deployment-config"
    ]


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        pytest.param(["x"], "spec.customizedVariables[0]", id="no-object"),
        pytest.param([{"value": "x"}], "spec.customizedVariables[0].name", id="no-name"),
        pytest.param([{"name": "a b"}], "spec.customizedVariables[0].name", id="blank-in-name"),
        pytest.param([{"name": "A" * 254}], "spec.customizedVariables[0].name", id="too-long"),
        pytest.param([{"name": "A", "value": 7}], "spec.customizedVariables[0].value", id="number"),
        pytest.param(
            [{"name": "A"}, {"name": "A"}], "spec.customizedVariables[1].name", id="twice"
        ),
        pytest.param(
            [{"name": f"A{i}", "value": "x" * 1024} for i in range(1100)],
            "spec.customizedVariables",
            id="too-many",
        ),
    ],
)
def test_a_wrong_variable_is_named_and_the_last_good_ones_stay(
    variables: list[Any], field: str
) -> None:
    """Schemas of other versions let through what a ConfigMap cannot hold."""
    result = desired(config_map("settings"), adc=deployment_config(*variables))
    assert names(result) == ["configmaps addons/settings"]
    assert [str(target) for target in result.keep] == [
        "configmaps addons/helloworld-deployment-config"
    ]
    assert [problem.field for problem in result.problems] == [field]
    assert "defaults/global" in str(result.problems[0])


@pytest.mark.parametrize("spec", [7, {"customizedVariables": "LEVEL=debug"}])
def test_variables_of_another_shape_are_a_problem_not_a_crash(spec: Any) -> None:
    """The object comes from a person; the agent goes on whatever it holds."""
    result = desired(adc={"metadata": {"name": "g", "namespace": "d"}, "spec": spec})
    assert [problem.field for problem in result.problems] == ["spec.customizedVariables"]
    assert result.keep


def test_a_config_map_too_large_to_copy_is_kept_and_named() -> None:
    """Our marks must not be what makes a configuration disappear."""
    result = desired(config_map("big", data={"x": "y" * (1024 * 1024)}), config_map("small"))
    assert names(result) == ["configmaps addons/small"]
    assert [str(target) for target in result.keep] == ["configmaps addons/big"]
    assert result.problems[0].field == "data"


def test_a_config_map_elsewhere_comes_along_when_it_is_referred_to() -> None:
    """Defaults for a whole fleet live in one place on the hub."""
    elsewhere = {"metadata": {"name": "defaults", "namespace": "fleet"}, "data": {"a": "1"}}
    (manifest,) = desired(referenced=[elsewhere]).manifests
    assert str(manifest.target) == "configmaps addons/defaults"
    assert manifest.source == "configmaps fleet/defaults"
    kept = desired(referenced=[Pending(ObjectKey("defaults", "fleet"))]).keep
    assert [str(target) for target in kept] == ["configmaps addons/defaults"]


def test_the_nearer_of_two_config_maps_of_one_name_comes_first() -> None:
    """The plan gives a contested place to the first; the cluster's own goes before the fleet's."""
    elsewhere = {"metadata": {"name": "settings", "namespace": "fleet"}}
    sources = [m.source for m in desired(config_map("settings"), referenced=[elsewhere]).manifests]
    assert sources == ["configmaps c1/settings", "configmaps fleet/settings"]
