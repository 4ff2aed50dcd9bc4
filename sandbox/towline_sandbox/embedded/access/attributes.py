"""What authorization is asked about: a verb on a resource or a path, and the refusal's words."""

from dataclasses import dataclass
from typing import Self

from towline_api.resources import Resource
from towline_sandbox.embedded.access.wording import quoted
from towline_sandbox.embedded.model.calls import User
from towline_sandbox.embedded.model.failures import ApiFailure

_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """One question to authorization.

    Args:
        verb: Kubernetes' verb; for paths the HTTP method in lower case.
        group: API group; empty for the core group.
        version: API version. Rules do not look at it.
        resource: Plural name.
        subresource: For example `status`; empty for the object itself.
        namespace: Empty for cluster-scoped resources and lists over all namespaces. Of a Namespace
            it is its own name, so that a Role inside may speak about it.
        name: Object; empty for all.
        path: URL path, where no resource is asked for.
        is_resource: Whether a resource is asked for, not a path.
    """

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = True

    @classmethod
    def of_path(cls, method: str, path: str) -> Self:
        """Return what has to be allowed for a request of something that is no resource."""
        return cls(verb=method.lower(), path=path, is_resource=False)

    @property
    def whole_resource(self) -> str:
        """The resource with its subresource, as rules name it: `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def forbidden(user: User, attributes: Attributes, *, reason: str = "") -> ApiFailure:
    """Return the refusal of a call, in the words of Kubernetes.

    Args:
        user: Who called.
        attributes: What for.
        reason: What authorization said besides no.
    """
    if not attributes.is_resource:
        cannot = f"cannot {attributes.verb} path {quoted(attributes.path)}"
    else:
        scope = (
            f"in the namespace {quoted(attributes.namespace)}"
            if attributes.namespace
            else "at the cluster scope"
        )
        cannot = (
            f"cannot {attributes.verb} resource {quoted(attributes.whole_resource)} "
            f"in API group {quoted(attributes.group)} {scope}"
        )
    sentence = f"User {quoted(user.name)} {cannot}".translate(_HTML)
    if reason:
        sentence = f"{sentence}: {reason}"
    if not attributes.is_resource:
        return ApiFailure(403, "Forbidden", f"forbidden: {sentence}", details={})
    qualified = Resource(
        attributes.group, attributes.version, attributes.resource, "", namespaced=False
    ).qualified
    subject = f"{qualified} {quoted(attributes.name)}" if attributes.name else qualified
    details = {"name": attributes.name, "group": attributes.group, "kind": attributes.resource}
    return ApiFailure(
        403,
        "Forbidden",
        f"{subject} is forbidden: {sentence}",
        details={key: value for key, value in details.items() if value},
    )
