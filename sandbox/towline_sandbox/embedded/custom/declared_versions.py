"""What a version of a CustomResourceDefinition says about its objects, besides their schema."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Node, Schema
from towline_sandbox.embedded.model.wording import (
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = (*("byte", "date", "date-time", "double", "float", "int32", "int64", "password"),)
_SIMPLE_PATH = re.compile(r"(\.[A-Za-z0-9_\-/~]*|\['[^']*'\])+")
_PATH_RULE = "must be a simple json path starting with ."
_REVIEW_VERSIONS = ("v1", "v1beta1")


def column_causes(columns: list[KubeObject], *, path: str, schema: Node | None) -> Iterator[Cause]:
    """Name what is wrong with additional printer columns."""
    del schema
    for index, column in enumerate(columns):
        place = f"{path}[{index}]"
        if not column.get("name"):
            yield required(f"{place}.name")
        found = column.get("type")
        if not found:
            yield required(f"{place}.type")
        elif found not in _COLUMN_TYPES:
            yield invalid_value(f"{place}.type", found, _one_of(_COLUMN_TYPES))
        form = column.get("format")
        if form and form not in _COLUMN_FORMATS:
            yield invalid_value(f"{place}.format", form, _one_of(_COLUMN_FORMATS))
        json_path = column.get("jsonPath")
        if not json_path:
            yield required(f"{place}.JSONPath")
        elif not json_path.startswith("."):
            yield invalid_value(f"{place}.JSONPath", json_path, _PATH_RULE)


def _one_of(choices: tuple[str, ...]) -> str:
    return f"must be one of {','.join(choices)}"


def scale_causes(subresources: KubeObject, *, path: str, schema: Node | None) -> Iterator[Cause]:
    """Name what is wrong with the paths of a scale subresource."""
    del schema
    scale = subresources.get("scale")
    if scale is None:
        return
    for field, roots, is_needed in (
        ("specReplicasPath", (".spec.",), True),
        ("statusReplicasPath", (".status.",), True),
        ("labelSelectorPath", (".spec.", ".status."), False),
    ):
        value, place = scale.get(field) or "", f"{path}.scale.{field}"
        if not value:
            if is_needed:
                yield required(place)
        elif not value.startswith(".") or _SIMPLE_PATH.fullmatch(value.split("[")[0]) is None:
            yield invalid_value(place, value, _PATH_RULE)
        elif not value.startswith(roots):
            told = " or ".join(root.removesuffix(".") for root in roots)
            yield invalid_value(place, value, f"should be a json path under {told}")


def selectable_causes(
    fields: list[KubeObject], *, path: str, schema: Node | None
) -> Iterator[Cause]:
    """Name what is wrong with selectable fields."""
    seen: set[str] = set()
    for index, field in enumerate(fields):
        json_path, place = field.get("jsonPath") or "", f"{path}[{index}].jsonPath"
        if not json_path:
            yield required(place)
            continue
        found = _at(Schema(schema or {}), json_path)
        if found is None or json_path.startswith(".metadata"):
            told = "is an invalid path: does not refer to a valid field"
            yield invalid_value(place, json_path, told)
        elif found.type not in ("string", "boolean", "integer"):
            yield invalid_value(
                place,
                json_path,
                "must point to a field of type string, boolean or integer. Enum string fields "
                "and strings with formats are allowed.",
            )
        if json_path in seen:
            yield duplicate(place, json_path)
        seen.add(json_path)


def _at(schema: Schema, json_path: str) -> Schema | None:
    found: Schema | None = schema
    for step in json_path.removeprefix(".").split("."):
        if found is None:
            return None
        found = found.properties.get(step)
    return found


def conversion_causes(conversion: KubeObject) -> Iterator[Cause]:
    """Name what is wrong with how versions are converted."""
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook") or {}
    config, offered = webhook.get("clientConfig"), webhook.get("conversionReviewVersions")
    if strategy not in ("None", "Webhook"):
        if strategy:
            yield unsupported("spec.conversion.strategy", strategy, ("None", "Webhook"))
        else:
            yield required("spec.conversion.strategy")
        return
    client, versions = "spec.conversion.webhookClientConfig", "conversionReviewVersions"
    if strategy == "None":
        told = "should not be set when strategy is not set to Webhook"
        if config is not None:
            yield forbidden_field(client, told)
        if offered:
            yield forbidden_field(f"spec.conversion.{versions}", told)
        return
    if config is None:
        yield required(client, "required when strategy is set to Webhook")
    else:
        yield from _client(config, client)
    if not offered:
        yield required(f"spec.conversion.{versions}")
    elif not set(offered) & set(_REVIEW_VERSIONS):
        told = f"must include at least one of {', '.join(_REVIEW_VERSIONS)}"
        yield invalid_value(f"spec.conversion.{versions}", offered, told)


def _client(config: KubeObject, path: str) -> Iterator[Cause]:
    url: Any = config.get("url")
    service: KubeObject | None = config.get("service")
    if (url is None) == (service is None):
        yield required(path, "exactly one of url or service is required")
    elif url is not None:
        yield from _url(url, f"{path}.url")
    elif service is not None:
        for field in ("name", "namespace"):
            if not service.get(field):
                yield required(f"{path}.service.{field}", f"service {field} is required")


def _url(url: str, path: str) -> Iterator[Cause]:
    form = "; desired format: https://host[/path]"
    parts = urlsplit(url)
    if parts.scheme != "https":
        told = f"'https' is the only allowed URL scheme{form}"
        yield invalid_value(path, parts.scheme, told)
    if not parts.netloc:
        yield invalid_value(path, parts.netloc, f"host must be specified{form}")
    if parts.username is not None or parts.password is not None:
        told = "user information is not permitted in the URL"
        yield invalid_value(path, parts.netloc.rpartition("@")[0], told)
    for found, told in (
        (parts.fragment, "fragments are not permitted in the URL"),
        (parts.query, "query parameters are not permitted in the URL"),
    ):
        if found:
            yield invalid_value(path, found, told)
