"""What Kubernetes' Go types say about fields and its OpenAPI does not: read from the sources.

Two things follow from the Go types that clients can see. The names in the server's complaints
(`… into Go struct field LeaseSpec.spec.renewTime of type string`), and whether a field that holds
zero is kept: a pointer keeps it, a plain field marked `omitempty` loses it.

This is a reader for the regular way Kubernetes writes its API types, not for Go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

GoFields = dict[str, str]
"""By JSON name: the Go type, and `,omitempty`, `,omitzero`, `,inline=Name` where they apply."""

_ROOTS = {
    "io.k8s.api.": "k8s.io/api",
    "io.k8s.apimachinery.": "k8s.io/apimachinery",
    "io.k8s.apiextensions-apiserver.": "k8s.io/apiextensions-apiserver",
}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t(?:(\w+)\s+)?(\S+)\s+`[^`]*json:\"([^\"]*)\"[^`]*`", re.MULTILINE)
_BUILT_IN_TYPES = frozenset({"bool", "byte", "int", "int32", "int64", "float64", "string"})
_TYPE = re.compile(r"(\w+)\.(\w+)|\b([A-Za-z]\w*)\b")


@dataclass(frozen=True)
class GoPackage:
    """One package of API types.

    Args:
        folder: Where its sources are.
    """

    folder: Path

    @cached_property
    def structs(self) -> Mapping[str, str]:
        """The text between the braces, by the name of the struct."""
        return {
            name: body
            for file in sorted(self.folder.glob("*.go"))
            if not file.name.startswith(("zz_", "generated")) and "_test" not in file.name
            for name, body in _STRUCT.findall(file.read_text(encoding="utf-8"))
        }

    def fields(self, struct: str) -> GoFields:
        """Return the fields of a struct, those of embedded structs among them."""
        found: GoFields = {}
        for name, go_type, tag in _FIELD.findall(self.structs.get(struct, "")):
            json_name, *options = tag.split(",")
            if json_name == "-":
                continue
            if (not name or "inline" in options) and not json_name:
                embedded = {k: f"{v},inline={go_type}" for k, v in self.fields(go_type).items()}
                found.update(embedded)
                continue
            kept = [option for option in options if option in ("omitempty", "omitzero")]
            found[json_name] = ",".join([self._qualified(go_type), *kept])
        return found

    def _qualified(self, go_type: str) -> str:
        def qualify(match: re.Match[str]) -> str:
            alias, imported, plain = match.groups()
            if plain is not None:
                known = plain in _BUILT_IN_TYPES or plain == "map"
                return plain if known else f"{self.folder.name}.{plain}"
            # An alias for a versioned package is for reading; the package calls itself `v1`.
            version = re.search(r"v\d+((alpha|beta)\d+)?$", alias)
            return f"{version.group() if version else alias}.{imported}"

        return _TYPE.sub(qualify, go_type)


@dataclass(frozen=True)
class GoSources:
    """The modules of one Kubernetes release in Go's module cache.

    Args:
        cache: The module cache.
        version: Version of the modules, for example `v0.37.2`.
    """

    cache: Path
    version: str

    def fields(self, definition: str) -> GoFields:
        """Return the fields of the type an OpenAPI definition was made from; empty if unknown."""
        for prefix, module in _ROOTS.items():
            if definition.startswith(prefix):
                *path, struct = definition.removeprefix(prefix).split(".")
                folder = self.cache.joinpath(f"{module}@{self.version}", *path)
                return GoPackage(folder).fields(struct)
        return {}
