"""What a request is about, read from its method, path and query alone.

Authorization asks about every request, also about those for what is not there; so nothing here
knows which kinds are served.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from towline_sandbox.embedded.access import Attributes
from towline_sandbox.embedded.model.kinds import GroupVersion
from towline_sandbox.embedded.queries.field_selectors import parse_field_selector
from towline_sandbox.embedded.queries.label_selectors import InvalidSelector
from towline_sandbox.embedded.queries.query_options import as_boolean

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")
# `/api/v1/watch/…` is how a watch was asked for before there was `?watch=1`; it still is served.
_WATCH_PREFIX = "watch"


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a request is about.

    Args:
        method: HTTP method.
        path: Path, decoded.
        verb: Kubernetes' verb; for paths that are no resource, the method in lower case.
        is_resource: Whether it is about a resource.
        group: API group; empty for the core group.
        version: API version.
        resource: Plural name.
        subresource: For example `status`.
        namespace: Namespace in the path. Of a Namespace it is its own name.
        name: Object in the path, or the one that the field selector insists on.
        has_name: Whether `name` stands in the path.
        too_long: Whether there is more behind the subresource.
    """

    method: str
    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    has_name: bool = False
    too_long: bool = False

    @property
    def group_version(self) -> GroupVersion:
        """Group and version in the path."""
        return GroupVersion(self.group, self.version)

    @property
    def object_namespace(self) -> str | None:
        """Namespace that the object is in; a Namespace is in none."""
        if self.resource == "namespaces" and not self.group:
            return None
        return self.namespace or None

    @property
    def qualified(self) -> str:
        """Plural with group, and subresource after a slash: as an audit log names it."""
        plural = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{plural}/{self.subresource}" if self.subresource else plural

    def attributes(self) -> Attributes:
        """Return what authorization is asked."""
        if not self.is_resource:
            return Attributes.of_path(self.method, self.path)
        return Attributes(
            verb=self.verb,
            group=self.group,
            version=self.version,
            resource=self.resource,
            subresource=self.subresource,
            namespace=self.namespace,
            name=self.name,
        )


def read_request(method: str, path: str, query: Mapping[str, str]) -> RequestInfo:
    """Return what a request is about."""
    parts = path.strip("/").split("/")
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return _no_resource(method, path)
    group = ""
    rest = parts[1:]
    if parts[0] == "apis":
        if len(rest) < 3:
            return _no_resource(method, path)
        group, *rest = rest
    version, *rest = rest
    verb = "delete" if method == "DELETE" else _VERBS.get(method, "")
    if rest[0] == _WATCH_PREFIX and len(rest) > 1 and verb == "get":
        rest, verb = rest[1:], "watch"
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return _with_verb_for_many(
        RequestInfo(
            method=method,
            path=path,
            verb=verb,
            is_resource=True,
            group=group,
            version=version,
            resource=rest[0],
            subresource=rest[2] if len(rest) > 2 else "",
            namespace=namespace,
            name=name,
            has_name=bool(name),
            too_long=len(rest) > 3,
        ),
        query,
    )


def _no_resource(method: str, path: str) -> RequestInfo:
    return RequestInfo(method=method, path=path, verb=method.lower())


def _with_verb_for_many(info: RequestInfo, query: Mapping[str, str]) -> RequestInfo:
    """Tell reading and deleting many from doing it to one."""
    if info.name:
        return info
    verb, name = info.verb, ""
    if verb == "delete":
        verb = "deletecollection"
    elif verb in ("get", "watch"):
        wants_watch = verb == "watch" or as_boolean(query.get("watch", ""))
        verb = "watch" if wants_watch else "list"
        # A list of one object is allowed to whoever may list that object.
        name = _selected_name(query.get("fieldSelector", ""))
    return RequestInfo(
        method=info.method,
        path=info.path,
        verb=verb,
        is_resource=True,
        group=info.group,
        version=info.version,
        resource=info.resource,
        namespace=info.namespace,
        name=name,
    )


def _selected_name(selector: str) -> str:
    if not selector:
        return ""
    try:
        terms = parse_field_selector(selector)
    except InvalidSelector:
        return ""  # refused later, by whoever is allowed to list
    return next((t.value for t in terms if t.field == "metadata.name" and t.is_equal), "")
