"""YAML read and written by libyaml where it is there: a tenth of the time that pure Python takes.

libyaml's binding builds what it reads by recursion in C, which ends the process when brackets are
nested deeply enough. So the nesting is counted first, from the parser's events.
"""

from typing import Any

import yaml

_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_DUMPER: Any = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper
_DEEPEST = 200
"""Nested collections; kubeconfigs have five, Kubernetes objects some twenty."""


def parse_yaml(text: str | bytes) -> Any:
    """Return what one YAML document says, as plain values.

    Raises:
        yaml.YAMLError: It is not one valid document, or nested too deeply.
        ValueError: A value is not what it looks like, for example the date 2026-99-99.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise yaml.YAMLError(f"more than {_DEEPEST} collections within each other")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - both loaders are the safe ones


def format_yaml(document: object) -> str:
    """Return plain values as a YAML document, keys in the order given."""
    text: str = yaml.dump(document, Dumper=_DUMPER, sort_keys=False)
    return text
