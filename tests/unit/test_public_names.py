"""What each package offers to the world is what its `__all__` says, and is documented."""

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest

PACKAGES = (
    "towline_agent",
    "towline_api",
    "towline_api.models",
    "towline_certs",
    "towline_hub",
    "towline_kube",
    "towline_sandbox",
)
each_package = pytest.mark.parametrize("name", PACKAGES)


def own_docstring(value: type | Callable[..., Any]) -> str:
    """Return the docstring somebody wrote, not one inherited or made by `dataclass`."""
    text = (value.__dict__.get("__doc__") if isinstance(value, type) else value.__doc__) or ""
    generated = isinstance(value, type) and dataclasses.is_dataclass(value)
    return "" if generated and text.startswith(f"{value.__name__}(") else text


@each_package
def test_all_lists_exactly_the_public_names(name: str):
    """A name that is offered by accident cannot be taken back later."""
    package = importlib.import_module(name)
    listed = getattr(package, "__all__", [])
    present = {
        attribute
        for attribute, value in vars(package).items()
        if not attribute.startswith("_") and not inspect.ismodule(value)
    }
    assert sorted(set(listed)) == sorted(listed), "no name twice"
    assert set(listed) == present


@each_package
def test_public_names_are_documented(name: str):
    """Whoever uses the package reads these first."""
    package = importlib.import_module(name)
    assert package.__doc__
    undocumented = [
        public
        for public in getattr(package, "__all__", [])
        if inspect.isclass(value := getattr(package, public)) or inspect.isfunction(value)
        if not own_docstring(value).strip()
    ]
    assert undocumented == []


def test_a_generated_or_inherited_docstring_is_none():
    """The check above must be able to fail."""

    @dataclasses.dataclass
    class Bare:
        field: int

    class HeirError(ValueError):
        pass

    assert own_docstring(Bare) == ""
    assert own_docstring(HeirError) == ""
    assert own_docstring(test_a_generated_or_inherited_docstring_is_none)
