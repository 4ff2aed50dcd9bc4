"""The kinds that a CustomResourceDefinition defines."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.custom.conversion import (
    WebhookCaller,
    conversion_by_name,
    webhook_conversion,
    with_stored_defaults,
)
from towline_sandbox.embedded.custom.embedded_objects import bad_types
from towline_sandbox.embedded.custom.lists import duplicates
from towline_sandbox.embedded.custom.rules import RuleCheck
from towline_sandbox.embedded.custom.scale import ScalePaths
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause, forbidden
from towline_sandbox.embedded.model.kinds import (
    Check,
    Convert,
    GroupVersion,
    Kind,
    Subresource,
    Traits,
)
from towline_sandbox.embedded.model.schema import ANYTHING, Schema
from towline_sandbox.embedded.views.api_groups import version_order
from towline_sandbox.embedded.views.columns import custom_columns

if TYPE_CHECKING:
    from towline_sandbox.embedded.custom.validation import ValueCheck

_VERBS = frozenset(
    {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
)
_PART_VERBS = frozenset({"get", "update", "patch"})
_SCALE = GroupVersion("autoscaling", "v1")


def kinds_of(
    crd: KubeObject, *, caller: WebhookCaller, is_terminating: bool = False
) -> tuple[Kind, ...]:
    """Return the kind that a CRD defines, in each version that it serves.

    Args:
        crd: The definition, complete with its defaults.
        caller: Calls conversion webhooks.
        is_terminating: Whether the definition is about to go: nothing new is made of it then.
    """
    spec = crd["spec"]
    names = spec["names"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    convert = _conversion(crd, caller=caller)
    kinds: list[Kind] = []
    for version in spec["versions"]:
        if not version["served"]:
            continue
        resource = Resource(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            namespaced=spec["scope"] == "Namespaced",
        )
        schema = _schema_of(version)
        kinds.append(
            Kind(
                resource=resource,
                verbs=_VERBS,
                singular=names.get("singular") or names["kind"].lower(),
                list_kind=names.get("listKind") or f"{names['kind']}List",
                schema=schema,
                storage_version=stored,
                subresources=_subresources(version),
                short_names=tuple(names.get("shortNames", ())),
                categories=tuple(names.get("categories", ())),
                traits=_traits(version, schema, is_terminating=is_terminating),
                columns=custom_columns(version.get("additionalPrinterColumns") or ()),
                convert=convert,
                custom=True,
                deprecation=_deprecation(version, spec),
            )
        )
    return tuple(kinds)


def _deprecation(version: KubeObject, spec: KubeObject) -> str:
    """Return what callers of a deprecated version are told: which other to use, if there is one."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning"):
        return str(version["deprecationWarning"])
    group, kind = spec["group"], spec["names"]["kind"]
    better = [
        each["name"]
        for each in spec["versions"]
        if each["served"]
        and not each.get("deprecated")
        and version_order(each["name"]) < version_order(version["name"])
    ]
    told = f"{group}/{version['name']} {kind} is deprecated"
    if not better:
        return told
    return f"{told}; use {group}/{min(better, key=version_order)} {kind}"


def _conversion(crd: KubeObject, *, caller: WebhookCaller) -> Convert | None:
    spec = crd["spec"]
    if spec.get("conversion", {}).get("strategy") == "Webhook":
        stored = next(version for version in spec["versions"] if version["storage"])
        return with_stored_defaults(
            webhook_conversion(crd, caller=caller),
            stored=f"{spec['group']}/{stored['name']}",
            schema=_schema_of(stored),
        )
    versions = spec["versions"]
    if all(version.get("schema") == versions[0].get("schema") for version in versions):
        return None
    return conversion_by_name({version["name"]: _schema_of(version) for version in versions})


def scale_paths(version: KubeObject) -> ScalePaths | None:
    """Return where objects of a CRD's version keep what a Scale shows, if they have one."""
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return None
    return ScalePaths(
        scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", "")
    )


def _schema_of(version: KubeObject) -> Schema:
    declared = (version.get("schema") or {}).get("openAPIV3Schema")
    return ANYTHING if declared is None else Schema(declared)


def _subresources(version: KubeObject) -> Mapping[str, Subresource]:
    declared = version.get("subresources") or {}
    found = {}
    if "status" in declared:
        found["status"] = Subresource("status", _PART_VERBS)
    if "scale" in declared:
        found["scale"] = Subresource("scale", _PART_VERBS, "Scale", _SCALE)
    return found


def _traits(version: KubeObject, schema: Schema, *, is_terminating: bool) -> Traits:
    return Traits(
        fill=_refuse_new if is_terminating else Traits().fill,
        check=_check(schema),
        counts_generation=True,
        selectable={
            field["jsonPath"].removeprefix("."): _text_at(field["jsonPath"])
            for field in version.get("selectableFields") or ()
        },
    )


def _refuse_new(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    if old is None:
        raise forbidden(
            call.kind.resource,
            new["metadata"].get("name"),
            "create not allowed while custom resource definition is terminating",
        )


def _check(schema: Schema) -> Check:
    values: ValueCheck | None = None
    rules: RuleCheck | None = None

    def check(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterable[Cause]:
        nonlocal values, rules
        # Made when first needed: many kinds are defined, few are written to. jsonschema alone
        # would take a third of the time in which a plane starts.
        if values is None or rules is None:
            from towline_sandbox.embedded.custom.validation import ValueCheck

            values, rules = ValueCheck(schema), RuleCheck(schema)
        causes = values.causes(new, old=old)
        causes += bad_types(new, schema=schema)
        repeated = list(duplicates(new, schema=schema))
        if repeated and (old is None or not any(duplicates(old, schema=schema))):
            causes += repeated
        return [*causes, *rules.causes(new, old=old, found=causes)]

    return check


def _text_at(path: str) -> Callable[[KubeObject], str]:
    steps = path.removeprefix(".").split(".")

    def text(obj: KubeObject) -> str:
        found: object = obj
        for step in steps:
            found = found.get(step) if isinstance(found, dict) else None
        if isinstance(found, bool):
            return "true" if found else "false"
        return "" if found is None else str(found)

    return text
