"""Patches as text: reading them, and saying what is wrong in the words of Kubernetes."""

import orjson
import yaml

from towline_api.resources import KubeObject
from towline_sandbox.embedded.model.failures import ApiFailure, bad_request

_OBJECT = "map[string]interface {}"
_GO_NAMES = {dict: "object", list: "array", str: "string", int: "number", float: "number"}


def parse_json(patch: bytes) -> object:
    """Return the patch as JSON."""
    try:
        return orjson.loads(patch)
    except orjson.JSONDecodeError:
        raise bad_request("invalid JSON patch") from None


def cannot_read(value: object, *, wanted: str = _OBJECT) -> str:
    """Say that a patch is not of the type it has to be."""
    found = "bool" if isinstance(value, bool) else _GO_NAMES.get(type(value), "null")
    return f"json: cannot unmarshal {found} into Go value of type {wanted}"


def unprocessable() -> ApiFailure:
    """The patch can be read but not carried out; why, Kubernetes keeps to itself."""
    return ApiFailure(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
        details={},
    )


def parse_apply(patch: bytes) -> KubeObject:
    """Return the object that a caller applies; YAML, of which JSON is a part.

    Raises:
        ApiFailure: It is neither, or not an object.
    """
    try:
        found = orjson.loads(patch)
    except orjson.JSONDecodeError:
        found = _parse_yaml(patch)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(
            "error decoding patch: error unmarshaling JSON: while decoding JSON: "
            f"{cannot_read(found)}"
        )
    return found


def _parse_yaml(patch: bytes) -> object:
    try:
        return yaml.load(patch, Loader=PlainLoader)  # noqa: S506  # a SafeLoader underneath
    except yaml.YAMLError as error:
        # What begins like JSON Kubernetes takes for that, and notices only when it decodes it.
        like_json = patch.lstrip().startswith(b"{")
        step = "decoding patch: error converting YAML to JSON" if like_json else "encoding patch"
        raise bad_request(f"error {step}: yaml: {_yaml_words(error)}") from None


def _yaml_words(error: yaml.YAMLError) -> str:
    words = str(getattr(error, "problem", None) or error).replace("here", "in this context")
    if words.startswith("expected the node content"):
        words = "did not find expected node content"
    mark = getattr(error, "problem_mark", None)
    if mark is None or not (mark.line or isinstance(error, yaml.parser.ParserError)):
        return words
    return f"line {mark.line + 1}: {words}"


class PlainLoader(yaml.SafeLoader):
    """Reads what JSON can hold: dates stay text, as in Kubernetes."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
