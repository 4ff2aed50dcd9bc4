"""Structural schemas: the form of OpenAPI that custom kinds have to state their shape in."""

from collections.abc import Iterator

from towline_sandbox.embedded.custom.wording import forbidden_field, required
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Node


def schema_causes(node: Node, *, path: str) -> Iterator[Cause]:
    """Name every rule of structural schemas that a schema breaks."""
    if not node.get("type"):
        yield required(f"{path}.type", "must not be empty at the root")
    if node.get("nullable"):
        yield forbidden_field(f"{path}.nullable", "nullable cannot be true at the root")
