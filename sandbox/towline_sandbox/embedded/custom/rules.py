"""Rules in CEL that a schema states about its values (`x-kubernetes-validations`)."""

from collections.abc import Sequence

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Schema


class RuleCheck:
    """Checks values against the rules of one schema.

    Args:
        schema: A structural schema.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def causes(
        self, new: KubeObject, *, old: KubeObject | None, found: Sequence[Cause]
    ) -> list[Cause]:
        """Return a cause for each rule that is broken."""
        return []
