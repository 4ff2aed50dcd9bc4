"""What an add-on's configuration on the hub means for its managed cluster. Pure.

Three things make up a configuration. The ConfigMaps that the hub's operator put into the cluster's
namespace on the hub are copied; one that carries the add-on label goes to that add-on alone, the
others to every add-on. So are ConfigMaps elsewhere that the add-on refers to. And the customized
variables of its AddOnDeploymentConfig become one more ConfigMap, `<addon>-deployment-config`, with
a key per variable.

Whatever cannot be used becomes a `Problem` that names the field, and the places it belongs to are
kept as they are: the last good configuration stays in force.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from towline_agent.applying.ownership import Owner
from towline_agent.applying.plan import Manifest, Target
from towline_api.metadata import ObjectKey, is_being_deleted, key_of, labels_of, name_of
from towline_api.names import ADDON_NAME_LABEL
from towline_api.resources import ADDON_DEPLOYMENT_CONFIGS, CONFIG_MAPS, KubeObject, Resource

PUBLISHED_BY_CLUSTERS = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})
"""ConfigMaps that every cluster puts into every namespace by itself, each with its own CA."""

_LONGEST_KEY = 253
_LARGEST_CONFIG_MAP = 1024 * 1024
"""Kubernetes counts the bytes of all keys and values together."""
_CONFIG_MAP_KEY = re.compile(r"[-._a-zA-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the configuration that cannot be used as it stands on the hub.

    Args:
        source: Which object on the hub, as messages name it.
        field: Path of the field to change there.
        message: What is wrong with it and what to do.
    """

    source: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.field} {self.message}"


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be on the managed cluster.

    Args:
        manifests: The objects to apply, marks included.
        keep: Places to leave as they are, since what belongs there cannot be told just now.
        problems: Why, for a person.
    """

    manifests: tuple[Manifest, ...] = ()
    keep: frozenset[Target] = frozenset()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """A configuration object that cannot be used yet; what it gave earlier stays.

    Args:
        key: The object on the hub.
    """

    key: ObjectKey


def desired_configuration(
    config_maps: Iterable[KubeObject],
    *,
    owner: Owner,
    namespace: str,
    deployment_config: KubeObject | Pending | None = None,
    referenced: Iterable[KubeObject | Pending] = (),
) -> Desired:
    """Return what should be in an add-on's install namespace.

    Args:
        config_maps: Everything of that kind in the cluster's namespace on the hub.
        owner: The add-on.
        namespace: Its install namespace on the managed cluster.
        deployment_config: The AddOnDeploymentConfig in effect; None if none is referenced.
        referenced: ConfigMaps elsewhere on the hub that the add-on refers to.
    """
    # In order of who gets a name that two want: one that cannot be chosen freely, then the nearer.
    parts = [_variables(deployment_config, owner=owner, namespace=namespace)]
    parts += [
        _copy(config_map, owner=owner, namespace=namespace)
        for config_map in sorted(config_maps, key=name_of)
        if concerns(config_map, addon=owner.addon)
    ]
    for config_map in referenced:
        if isinstance(config_map, Pending):
            parts.append(Desired(keep=frozenset({_place(config_map.key.name, namespace)})))
        else:
            parts.append(_copy(config_map, owner=owner, namespace=namespace))
    return Desired(
        manifests=tuple(manifest for part in parts for manifest in part.manifests),
        keep=frozenset().union(*(part.keep for part in parts)),
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def concerns(config_map: KubeObject, *, addon: str) -> bool:
    """Return whether a ConfigMap in the cluster's namespace on the hub is meant for an add-on."""
    if name_of(config_map) in PUBLISHED_BY_CLUSTERS or is_being_deleted(config_map):
        return False
    return labels_of(config_map).get(ADDON_NAME_LABEL, addon) == addon


def deployment_config_name(addon: str) -> str:
    """Return the name of the ConfigMap that holds an add-on's customized variables."""
    return f"{addon}-deployment-config"


def source_of(resource: Resource, key: ObjectKey) -> str:
    """Return how marks and messages name an object of the hub."""
    return str(Target(resource, key))


def _copy(config_map: KubeObject, *, owner: Owner, namespace: str) -> Desired:
    source = source_of(CONFIG_MAPS, key_of(config_map))
    name = name_of(config_map)
    # Not `immutable`: the operator may replace the original by another of that name, and then
    # the copy has to follow. Labels and annotations stay behind, they mean something on the hub.
    content = {key: config_map[key] for key in ("data", "binaryData") if config_map.get(key)}
    return _config_map(name, content, source=source, owner=owner, namespace=namespace, problems=())


def _variables(
    deployment_config: KubeObject | Pending | None, *, owner: Owner, namespace: str
) -> Desired:
    name = deployment_config_name(owner.addon)
    match deployment_config:
        case None:
            return Desired()
        case Pending():
            return Desired(keep=frozenset({_place(name, namespace)}))
    source = source_of(ADDON_DEPLOYMENT_CONFIGS, key_of(deployment_config))
    data, problems = _read_variables(deployment_config, source=source)
    if not data and not problems:
        return Desired()
    return _config_map(
        name,
        {"data": data},
        source=source,
        owner=owner,
        namespace=namespace,
        problems=problems,
        too_large="spec.customizedVariables",
    )


def _read_variables(
    deployment_config: KubeObject, *, source: str
) -> tuple[Mapping[str, str], Sequence[Problem]]:
    """Check by hand what a schema may have let through: ours is not the only one in use."""
    spec = deployment_config.get("spec")
    if spec is None:
        return {}, ()
    field = "spec.customizedVariables"
    variables = spec.get("customizedVariables") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(variables, list | None):
        return {}, [Problem(source, field, "should be a list of names and values")]
    data: dict[str, str] = {}
    problems: list[Problem] = []
    for index, variable in enumerate(variables or ()):
        path = f"{field}[{index}]"
        wrong = _wrong_variable(variable, taken=data)
        if wrong is not None:
            problems.append(Problem(source, f"{path}{wrong[0]}", wrong[1]))
        else:
            data[variable["name"]] = variable.get("value") or ""
    return data, problems


def _wrong_variable(variable: Any, *, taken: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the part of a variable's path that is wrong and why, or None."""
    if not isinstance(variable, dict):
        return "", "should have a name and a value"
    name, value = variable.get("name"), variable.get("value")
    if not isinstance(name, str) or not _CONFIG_MAP_KEY.fullmatch(name):
        return ".name", f"should be letters, digits and '_', found {str(name)[:64]!r}"
    if len(name) > _LONGEST_KEY:
        return ".name", f"has {len(name)} characters; a ConfigMap's keys end at {_LONGEST_KEY}"
    if name in taken:
        return ".name", f"repeats {name!r}; every variable may be set once"
    if not isinstance(value, str | None):
        return ".value", f"of {name!r} should be text, found {str(value)[:64]!r}"
    return None


def _config_map(
    name: str,
    content: Mapping[str, Any],
    *,
    source: str,
    owner: Owner,
    namespace: str,
    problems: Sequence[Problem],
    too_large: str = "data",
) -> Desired:
    size = _size(content)
    if size > _LARGEST_CONFIG_MAP:
        message = f"holds {size} bytes; a ConfigMap can hold {_LARGEST_CONFIG_MAP}"
        problems = [*problems, Problem(source, too_large, message)]
    if problems:
        keep = frozenset({_place(name, namespace)})
        return Desired(keep=keep, problems=tuple(problems))
    body: KubeObject = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {"name": name, "namespace": namespace},
        **content,
    }
    manifest = Manifest(CONFIG_MAPS, owner.stamp(body, source=source), source)
    return Desired(manifests=(manifest,))


def _size(content: Mapping[str, Any]) -> int:
    """Count as the API server does, near enough: base64 is a third longer than what it holds."""
    text = sum(len(k.encode()) + len(v.encode()) for k, v in content.get("data", {}).items())
    binary = content.get("binaryData", {}).items()
    return text + sum(len(k.encode()) + len(v) * 3 // 4 for k, v in binary)


def _place(name: str, namespace: str) -> Target:
    return Target(CONFIG_MAPS, ObjectKey(name, namespace))
