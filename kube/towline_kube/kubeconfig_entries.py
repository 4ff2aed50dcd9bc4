"""The entries of kubeconfigs: named places for fields, not yet judged.

No error shows what a file contains: it may be a key or a token.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from towline_api.errors import ConfigError
from towline_kube.yaml_text import parse_yaml

_LARGEST_BYTES = 4 * 1024 * 1024
"""Far above any kubeconfig (a thousand clusters), far below what hurts to parse."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One named entry, and the file it stands in.

    Args:
        fields: What it holds.
        source: Where it was read, for messages.
        base_dir: Folder that relative file names start from; None if there is none.
        what: Which entry it is, for messages.
    """

    fields: Mapping[str, Any] = field(repr=False)
    source: str
    base_dir: Path | None
    what: str

    @property
    def where(self) -> str:
        """File and entry, as messages begin."""
        return f"{self.source}: {self.what}"

    def text(self, key: str) -> str | None:
        """Return a text field; None if it is absent or empty, which kubectl takes for the same."""
        value = self.fields.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ConfigError(
                f"{self.where}: {key} must be text, found {json_kind(value)}; put it in quotes"
            )
        return value

    def flag(self, key: str) -> bool:
        """Return a true-or-false field; False if it is absent."""
        value = self.fields.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise ConfigError(
                f"{self.where}: {key} must be true or false, found {json_kind(value)}"
            )
        return value

    def path(self, key: str) -> Path | None:
        """Return a file name resolved against the kubeconfig's folder."""
        name = self.text(key)
        if name is None:
            return None
        path = Path(name)
        if path.is_absolute():
            return path
        if self.base_dir is None:
            raise ConfigError(
                f"{self.where}: {key} names the relative file {name!r}, and this kubeconfig is "
                f"not in a folder; use an absolute path or {key}-data"
            )
        return self.base_dir / path

    def content(self, key: str) -> bytes | None:
        """Return what `<key>-data` holds, or the file that `<key>` names holds; data wins."""
        data = self.text(f"{key}-data")
        if data is not None:
            try:
                # kubectl passes over line breaks inside, and nothing else.
                return base64.b64decode("".join(data.split()), validate=True)
            except (binascii.Error, ValueError):
                raise ConfigError(
                    f"{self.where}: {key}-data is not base64; encode it again, for example with "
                    "'base64 -w0'"
                ) from None
        path = self.path(key)
        return None if path is None else _read(path, where=f"{self.where}: {key}")


def parse_document(text: str | bytes, *, source: str) -> dict[str, Any]:
    """Return the mapping that a kubeconfig's text is.

    Raises:
        ConfigError: The text is no kubeconfig.
    """
    if len(text) > _LARGEST_BYTES:
        raise ConfigError(f"{source}: {len(text)} bytes are too many for a kubeconfig")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{source}: not a kubeconfig: it is not UTF-8 text") from None
    if not text.strip():
        raise ConfigError(f"{source}: the kubeconfig is empty; put the cluster's kubeconfig there")
    try:
        # Tabs are fine in JSON and not in YAML, so JSON is not left to the YAML parser.
        document = json.loads(text) if text.lstrip().startswith("{") else parse_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # The parser's own message quotes the line, and the line may be a token.
        raise ConfigError(
            f"{source}: not a kubeconfig: it is not valid YAML{_position(error)}"
        ) from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{source}: not a kubeconfig: expected a mapping with clusters, users and contexts, "
            f"found {json_kind(document)}"
        )
    kind = document.get("kind", "Config")
    if kind != "Config":
        raise ConfigError(
            f"{source}: not a kubeconfig: expected kind Config, found another kind of object"
        )
    return document


def _position(error: BaseException) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" or JSON (line {error.lineno}, column {error.colno})"
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""


def parse_entries(
    document: Mapping[str, Any], section: str, key: str, *, source: str, base_dir: Path | None
) -> dict[str, Entry]:
    """Return one section's entries by name.

    Args:
        document: The whole kubeconfig.
        section: Name of the section, for example `clusters`.
        key: Where an entry of it has its fields, for example `cluster`.
        source: Where the kubeconfig was read, for messages.
        base_dir: Folder that relative file names start from; None if there is none.

    Raises:
        ConfigError: The section has another shape.
    """
    items = document.get(section) or []
    if not isinstance(items, list):
        raise ConfigError(f"{source}: {section} must be a list, found {json_kind(items)}")
    entries: dict[str, Entry] = {}
    for position, item in enumerate(items):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{source}: {section}[{position}] has no name")
        fields = item.get(key) or {}
        if not isinstance(fields, dict):
            raise ConfigError(
                f"{source}: {section} entry {name!r}: {key} must be a mapping, "
                f"found {json_kind(fields)}"
            )
        # The first of two entries with one name counts, as in kubectl.
        entries.setdefault(name, Entry(fields, source, base_dir, f"{key} {name!r}"))
    return entries


def _read(path: Path, *, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from None


def json_kind(value: object) -> str:
    """Return what messages say of a value that they must not show."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return "something else"
