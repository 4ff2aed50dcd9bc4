"""ConfigMaps and Secrets."""

import base64
import json
from collections.abc import Iterator

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import config_key, dns_subdomain
from towline_sandbox.embedded.built_in.traits.composing import check_all, selectable
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import Check, StorageKey, Traits
from towline_sandbox.embedded.model.wording import (
    forbidden_field,
    immutable,
    invalid_value,
    required,
    too_long,
)

_MOST_BYTES = 1024 * 1024
_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name"
_ACCOUNT_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105  # a type, no secret
_JSON_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_NEEDED_KEYS = {
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _frozen_once_immutable(*fields: str) -> Check:
    """Once `immutable` is true, it stays so and nothing in these fields changes."""

    def check(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
        if old is None or not old.get("immutable"):
            return
        told = "field is immutable when `immutable` is set"
        if not new.get("immutable"):
            yield forbidden_field("immutable", told)
        for field in fields:
            if (new.get(field) or {}) != (old.get(field) or {}):
                yield forbidden_field(field, told)

    return check


def _check_config_map(_call: Call, new: KubeObject, _old: KubeObject | None) -> Iterator[Cause]:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    for key in sorted(data):
        yield from _check_key("data", key)
        if key in binary:
            yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in sorted(binary):
        yield from _check_key("binaryData", key)
    size = sum(len(value.encode()) for value in data.values())
    if size + sum(map(_decoded_size, binary.values())) > _MOST_BYTES:
        yield too_long("[]", _MOST_BYTES)


def _complete_secret(secret: KubeObject) -> None:
    texts = secret.pop("stringData", None) or {}
    if texts:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        secret["data"] = {**(secret.get("data") or {}), **encoded}
    secret["type"] = secret.get("type") or "Opaque"


def _check_secret(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterator[Cause]:
    if old is not None and new["type"] != old["type"]:
        yield immutable("type", new["type"])
    data = new.get("data") or {}
    for key in sorted(data):
        yield from _check_key("data", key)
    if sum(map(_decoded_size, data.values())) > _MOST_BYTES:
        yield too_long("data", _MOST_BYTES)
    yield from _check_secret_type(new, data)


def _check_secret_type(new: KubeObject, data: KubeObject) -> Iterator[Cause]:
    kind = new["type"]
    for key in _NEEDED_KEYS.get(kind, ()):
        if key not in data:
            yield required(f"data[{key}]")
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        yield required("data[username]")
        yield required("data[password]")
    if kind == _ACCOUNT_TOKEN_TYPE and not new["metadata"].get("annotations", {}).get(
        _ACCOUNT_ANNOTATION
    ):
        yield required(f"metadata.annotations[{_ACCOUNT_ANNOTATION}]")
    json_key = _JSON_KEYS.get(kind, "")
    if json_key in data:
        yield from _check_json(json_key, base64.b64decode(data[json_key]))
    elif json_key:
        yield required(f"data[{json_key}]")


def _check_json(key: str, content: bytes) -> Iterator[Cause]:
    try:
        json.loads(content)
    except ValueError:
        first = content[:1].decode(errors="replace")
        problem = (
            f"invalid character '{first}' looking for beginning of value"
            if content.strip()
            else "unexpected end of JSON input"
        )
        yield invalid_value(f"data[{key}]", "<secret contents redacted>", problem)


def _check_key(field: str, key: str) -> Iterator[Cause]:
    for problem in config_key(key):
        yield invalid_value(f"{field}[{key}]", key, problem)


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


TRAITS = {
    StorageKey("", "configmaps"): Traits(
        check=check_all(_frozen_once_immutable("data", "binaryData"), _check_config_map),
        check_name=dns_subdomain,
    ),
    StorageKey("", "secrets"): Traits(
        complete=_complete_secret,
        check=check_all(_check_secret, _frozen_once_immutable("data")),
        check_name=dns_subdomain,
        selectable=selectable("type"),
    ),
}
