"""Paths of resources: from a request about objects to the verb that answers it."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime
from http import HTTPStatus

from towline_api.resources import KubeObject
from towline_sandbox.embedded.access import ReviewHandler
from towline_sandbox.embedded.model.calls import Call, FieldValidation, User
from towline_sandbox.embedded.model.failures import (
    ApiFailure,
    method_not_allowed,
    not_found,
    not_implemented,
    path_not_found,
)
from towline_sandbox.embedded.model.kinds import Catalog, Kind
from towline_sandbox.embedded.serving.answers import (
    Answer,
    HttpRequest,
    StreamAnswer,
    not_found_page,
)
from towline_sandbox.embedded.serving.bodies import (
    check_readable,
    media_type_of,
    parse_object,
    parse_options,
)
from towline_sandbox.embedded.serving.forms import (
    Form,
    check_representable,
    choose_form,
    shaped,
)
from towline_sandbox.embedded.serving.request_info import RequestInfo
from towline_sandbox.embedded.serving.watch_lines import watch_lines
from towline_sandbox.embedded.storage.store import Store
from towline_sandbox.embedded.verbs.resource_api import ResourceApi
from towline_sandbox.embedded.views.api_groups import is_built_in

log = logging.getLogger(__name__)

_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_ITEM = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SUBRESOURCE = {**_ITEM, "POST": "create"}
_WRITTEN = ("status", "scale", "approval", "finalize", "ephemeralcontainers", "resize")
"""Subresources that change the object itself, through the same verbs."""
_LONGEST_MANAGER = 128


class ObjectPaths:
    """Answers requests about objects. Callers are known and may do what they ask for.

    Args:
        api: The verbs.
        catalog: The kinds that are served.
        store: Where objects are.
        reviews: Answers to kinds that are not stored, by group, plural and subresource.
        now: The clock.
    """

    def __init__(
        self,
        *,
        api: ResourceApi,
        catalog: Catalog,
        store: Store,
        reviews: Mapping[tuple[str, str, str], ReviewHandler],
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._catalog = catalog
        self._store = store
        self._reviews = reviews
        self._now = now

    async def answer(
        self, request: HttpRequest, info: RequestInfo, user: User, warnings: list[str]
    ) -> Answer | StreamAnswer:
        """Return the answer to a request.

        Raises:
            ApiFailure: The request is refused.
        """
        kind = self._catalog.find(info.group_version, info.resource)
        if kind is None:
            return _nobody_serves(info)
        verb = _verb_for(kind, info)
        if kind.deprecation:
            warnings.append(kind.deprecation)
        field_validation = _field_validation(request.query)
        call = Call(
            verb=verb,
            kind=kind,
            user=user,
            now=self._now(),
            namespace=info.object_namespace,
            name=info.name if info.has_name and verb != "watch" else None,
            subresource=info.subresource,
            query=_with_name(request.query, info),
            field_manager=request.query.get("fieldManager") or _manager(request.user_agent),
            dry_run="dryRun" in request.query,
            field_validation=field_validation,
            warnings=warnings,
        )
        if not kind.custom:
            check_representable(request.headers.get("Accept"))
        form = choose_form(
            request.headers.get("Accept"),
            query=request.query,
            user_agent=request.user_agent,
            is_watch=verb == "watch",
        )
        if verb == "watch":
            return StreamAnswer(await self._watch(call, form))
        status, body = await self._carry_out(call, request)
        shown = shaped(body, form=form, kind=kind, now=call.now)
        return Answer(status, form.encode(shown), form.media_type)

    async def _watch(self, call: Call, form: Form) -> AsyncGenerator[bytes, None]:
        events = await self._api.watch(call)
        return watch_lines(events, form=form, kind=call.kind, now=self._now)

    async def _carry_out(self, call: Call, request: HttpRequest) -> tuple[int, KubeObject]:
        handler = self._reviews.get((*call.kind.storage_key, call.subresource))
        if handler is not None and call.verb == "create":
            return HTTPStatus.CREATED, await handler(call, await self._object(call, request))
        if call.subresource and call.subresource not in _WRITTEN:
            return await self._other_subresource(call, request)
        match call.verb:
            case "get":
                return HTTPStatus.OK, await self._api.get(call)
            case "list":
                return HTTPStatus.OK, await self._api.list(call)
            case "create":
                body = await self._object(call, request)
                return HTTPStatus.CREATED, await self._api.create(call, body)
            case "update":
                written = await self._api.update(call, await self._object(call, request))
            case "patch":
                media_type = media_type_of(request.headers.get("Content-Type"))
                written = await self._api.patch(call, media_type, await request.read_body())
            case "deletecollection":
                options = await self._options(request)
                return HTTPStatus.OK, await self._api.delete_collection(call, options)
            case _:
                deleted = await self._api.delete(call, await self._options(request))
                return deleted.code, deleted.object
        return HTTPStatus.CREATED if written.created else HTTPStatus.OK, written.object

    async def _other_subresource(self, call: Call, request: HttpRequest) -> tuple[int, KubeObject]:
        found = self._store.find(call.kind.storage_key, namespace=call.namespace, name=call.target)
        if found is None:
            raise not_found(call.kind.resource, call.target)
        del request
        raise not_implemented(f"serve {call.kind.resource.plural}/{call.subresource}")

    async def _object(self, call: Call, request: HttpRequest) -> KubeObject:
        media_type = check_readable(request.headers.get("Content-Type"))
        return parse_object(
            await request.read_body(),
            media_type=media_type,
            kind=call.kind,
            field_validation=call.field_validation,
            warnings=call.warnings,
        )

    async def _options(self, request: HttpRequest) -> KubeObject:
        body = await request.read_body()
        if not body:
            return {}
        return parse_options(body, media_type=check_readable(request.headers.get("Content-Type")))


def method_not_served() -> ApiFailure:
    """The path is served, but not with this method."""
    return ApiFailure(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        details={},
    )


def _nobody_serves(info: RequestInfo) -> Answer:
    if is_built_in(info.group):
        raise path_not_found()
    return not_found_page()


def _verb_for(kind: Kind, info: RequestInfo) -> str:
    """Return what a request asks of a kind.

    Raises:
        ApiFailure: The path, or the method on it, is not served.
    """
    resource = kind.resource
    namespace = info.object_namespace
    if info.too_long:
        raise path_not_found()
    if namespace is not None and not resource.namespaced:
        raise path_not_found()
    if info.has_name and info.subresource:
        found = kind.subresources.get(info.subresource)
        if found is None or (resource.namespaced and namespace is None):
            raise path_not_found()
        return _served(kind, info, _SUBRESOURCE, found.verbs)
    if info.has_name:
        if resource.namespaced and namespace is None:
            raise path_not_found()
        if kind.verbs.isdisjoint(_ITEM.values()):
            raise path_not_found()
        return _served(kind, info, _ITEM, kind.verbs)
    if resource.namespaced and namespace is None:
        if info.method == "POST" and "list" not in kind.verbs:
            raise path_not_found()
        return _served(kind, info, {"GET": "list"}, kind.verbs)
    return _served(kind, info, _COLLECTION, kind.verbs)


def _served(
    kind: Kind, info: RequestInfo, by_method: Mapping[str, str], verbs: frozenset[str]
) -> str:
    verb = by_method.get(info.method)
    if verb in ("get", "list") and info.verb == "watch":
        verb = "watch"
    if verb is not None and verb in verbs:
        return verb
    if kind.custom:
        raise method_not_allowed(kind.resource, info.verb)
    raise method_not_served()


def _with_name(query: Mapping[str, str], info: RequestInfo) -> Mapping[str, str]:
    # `/api/v1/watch/pods/NAME` watches one object.
    if info.verb != "watch" or not info.has_name:
        return query
    return {**query, "fieldSelector": f"metadata.name={info.name}"}


def _field_validation(query: Mapping[str, str]) -> FieldValidation:
    try:
        return FieldValidation(query.get("fieldValidation") or FieldValidation.WARN)
    except ValueError:
        return FieldValidation.WARN  # refused by whoever checks the other options


def _manager(user_agent: str) -> str:
    return user_agent.partition("/")[0][:_LONGEST_MANAGER] or "unknown"
