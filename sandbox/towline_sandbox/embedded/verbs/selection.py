"""Which of a kind's objects a list or a watch is about."""

from dataclasses import dataclass

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import bad_request
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.queries.field_selectors import FieldTerm, parse_field_selector
from towline_sandbox.embedded.queries.label_selectors import (
    InvalidSelector,
    Requirements,
    parse_label_selector,
)

_NAME = "metadata.name"
_NAMESPACE = "metadata.namespace"


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects that both selectors match.

    Args:
        kind: Kind of the objects.
        labels: What is asked of their labels.
        fields: What is asked of their fields.
    """

    kind: Kind
    labels: Requirements = ()
    fields: tuple[FieldTerm, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether nothing is asked."""
        return not self.labels and not self.fields

    @property
    def name(self) -> str | None:
        """The one name that is asked for, if so."""
        return self._value_of(_NAME)

    @property
    def namespace(self) -> str | None:
        """The one namespace that is asked for, if so."""
        return self._value_of(_NAMESPACE)

    def matches(self, obj: KubeObject) -> bool:
        """Return whether an object is one of them."""
        if self.labels:
            labels = obj["metadata"].get("labels") or {}
            if not all(requirement.matches(labels) for requirement in self.labels):
                return False
        return all(
            (self._value(obj, term.field) == term.value) == term.is_equal for term in self.fields
        )

    def _value(self, obj: KubeObject, field: str) -> str:
        if field == _NAME:
            return str(obj["metadata"]["name"])
        if field == _NAMESPACE:
            return str(obj["metadata"].get("namespace", ""))
        return self.kind.traits.selectable[field](obj)

    def _value_of(self, field: str) -> str | None:
        return next(
            (term.value for term in self.fields if term.field == field and term.is_equal), None
        )


def selection_of(call: Call) -> Selection:
    """Return what a call's selectors ask for.

    Raises:
        ApiFailure: A selector makes no sense, or names a field that cannot be selected by.
    """
    try:
        labels = parse_label_selector(call.query.get("labelSelector", ""))
        fields = parse_field_selector(call.query.get("fieldSelector", ""))
    except InvalidSelector as error:
        raise bad_request(str(error)) from None
    for term in fields:
        if not _is_selectable(call.kind, term.field):
            raise bad_request(_not_selectable(call.kind, term.field))
    return Selection(call.kind, labels, fields)


def _is_selectable(kind: Kind, field: str) -> bool:
    return field in (_NAME, _NAMESPACE) or field in kind.traits.selectable


def _not_selectable(kind: Kind, field: str) -> str:
    if kind.custom or kind.traits.selectable:
        if kind.resource.plural == "jobs":
            return f'field label "{field}" not supported for {kind.resource.kind}'
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "{_NAME}", "{_NAMESPACE}"'
