"""Built-in kinds of the embedded plane as tests use them: read a body, write an object."""

from copy import deepcopy
from datetime import UTC, datetime

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in import decode, kinds
from towline_sandbox.embedded.model.calls import Call, FieldValidation, User
from towline_sandbox.embedded.model.kinds import Kind

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SOMEBODY = User("somebody", ("some-group", "system:authenticated"), "an-uid", {"k": ("v",)})

_KINDS = {(kind.resource.api_version, kind.resource.plural): kind for kind in kinds()}


def kind_of(api_version: str, plural: str) -> Kind:
    """Return one built-in kind."""
    return _KINDS[api_version, plural]


def read(
    kind: Kind,
    body: KubeObject,
    *,
    field_validation: FieldValidation = FieldValidation.WARN,
    warnings: list[str] | None = None,
) -> KubeObject:
    """Return a body as the kind understands it."""
    told = [] if warnings is None else warnings
    return decode(body, kind=kind, field_validation=field_validation, warnings=told)


def created(kind: Kind, body: KubeObject) -> KubeObject:
    """Return the object that a body becomes, without what storing adds."""
    return written(kind, body, None)


def written(
    kind: Kind, body: KubeObject, old: KubeObject | None, *, subresource: str = ""
) -> KubeObject:
    """Return the object that replaces `old`, as the server completes it."""
    new = read(kind, deepcopy(body))
    kind.traits.complete(new)
    new["metadata"].setdefault("uid", "the-uid")
    kind.traits.fill(_call(kind, subresource), new, old)
    return new


def complaints(
    kind: Kind, new: KubeObject, old: KubeObject | None = None, *, subresource: str = ""
) -> list[str]:
    """Return what is wrong with an object, each as `field: message`."""
    causes = kind.traits.check(_call(kind, subresource), new, old)
    return [f"{cause.field}: {cause.message}" for cause in causes]


def _call(kind: Kind, subresource: str) -> Call:
    return Call("update", kind, SOMEBODY, NOW, namespace="ns", name="n", subresource=subresource)
