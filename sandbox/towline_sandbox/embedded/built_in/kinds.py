"""The built-in kinds, put together from what was collected and from how they behave."""

from dataclasses import replace

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.built_in import event_conversion
from towline_sandbox.embedded.built_in.data_files import definitions, kind_entries
from towline_sandbox.embedded.built_in.reader_tree import empty_fields
from towline_sandbox.embedded.built_in.traits import traits_of
from towline_sandbox.embedded.built_in.traits.composing import fill_all
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.kinds import Fill, GroupVersion, Kind, Subresource, Traits
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.views.columns import columns_for


def kinds() -> tuple[Kind, ...]:
    """Return every built-in kind that is served."""
    return tuple(_kind(entry) for entry in kind_entries())


def _kind(entry: KubeObject) -> Kind:
    resource = Resource(
        entry["group"], entry["version"], entry["plural"], entry["kind"], entry["namespaced"]
    )
    shape = {"$ref": f"#/components/schemas/{entry['definition']}"}
    return Kind(
        resource=resource,
        verbs=frozenset(entry["verbs"]),
        singular=entry["singular"],
        list_kind=f"{entry['kind']}List",
        schema=Schema(shape, definitions=definitions()),
        subresources={sub["name"]: _subresource(sub) for sub in entry["subresources"]},
        short_names=tuple(entry.get("shortNames", ())),
        categories=tuple(entry.get("categories", ())),
        traits=_traits(entry),
        columns=columns_for(resource.kind, resource.group),
        convert=event_conversion.convert if resource.plural == "events" else None,
        stored_group="" if resource.plural == "events" else None,
    )


def _traits(entry: KubeObject) -> Traits:
    traits = traits_of(entry["group"], entry["plural"])
    has_status = any(sub["name"] == "status" for sub in entry["subresources"])
    if not has_status:
        return traits
    return replace(traits, fill=fill_all(_born_without_status(entry["definition"]), traits.fill))


def _born_without_status(definition: str) -> Fill:
    """A status that nobody set is no less there: its fields say nothing."""

    def fill(_call: Call, new: KubeObject, _old: KubeObject | None) -> None:
        if "status" not in new:
            new.update(empty_fields(definition, "status"))

    return fill


def _subresource(entry: KubeObject) -> Subresource:
    other = GroupVersion(entry["group"], entry["version"]) if "kind" in entry else None
    return Subresource(entry["name"], frozenset(entry["verbs"]), entry.get("kind", ""), other)
