"""Bare kinds and calls, for tests that need no schema."""

from datetime import UTC, datetime

from towline_api.resources import Resource
from towline_sandbox.embedded.model.calls import Call, User
from towline_sandbox.embedded.model.kinds import Kind

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def call_for(
    resource: Resource,
    verb: str,
    user: User,
    *,
    namespace: str | None = None,
    name: str | None = None,
    subresource: str = "",
) -> Call:
    """Return a call about a resource."""
    kind = Kind(resource, frozenset({verb}), resource.kind.lower(), f"{resource.kind}List")
    return Call(verb, kind, user, NOW, namespace=namespace, name=name, subresource=subresource)
