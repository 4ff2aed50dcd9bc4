"""The built-in kinds, put together from what was collected and from how they behave."""

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded.built_in import event_conversion
from towline_sandbox.embedded.built_in.data_files import definitions, kind_entries
from towline_sandbox.embedded.built_in.traits import traits_of
from towline_sandbox.embedded.model.kinds import GroupVersion, Kind, Subresource
from towline_sandbox.embedded.model.schema import Schema


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
        traits=traits_of(resource.group, resource.plural),
        convert=event_conversion.convert if resource.plural == "events" else None,
        stored_group="" if resource.plural == "events" else None,
    )


def _subresource(entry: KubeObject) -> Subresource:
    other = GroupVersion(entry["group"], entry["version"]) if "kind" in entry else None
    return Subresource(entry["name"], frozenset(entry["verbs"]), entry.get("kind", ""), other)
