"""What the page about add-ons shows is what works."""

import re
from pathlib import Path

from towline_hub.addons.addon import Addon
from towline_hub.settings import HubSettings
from towline_kube.settings import load

PAGE = Path(__file__).parents[3] / "docs" / "addons.md"


def blocks(language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_settings_file_can_be_loaded(tmp_path: Path) -> None:
    """Operators copy it."""
    (text,) = blocks("yaml")
    path = tmp_path / "hub.yaml"
    path.write_text(text)
    (declared,) = load(HubSettings, ["--config", str(path)], environment={}).addon_declarations
    assert declared.name == "helloworld"
    assert len(declared.permissions) == 3


def test_the_program_declares_what_the_file_does() -> None:
    """Developers copy it, and should get the three forms of permissions."""
    (text,) = blocks("python")
    made: dict[str, object] = {"__name__": "not-run"}
    exec(compile(text, str(PAGE), "exec"), made)
    addon = made["addon"]
    assert isinstance(addon, Addon)
    assert [item.namespace for item in addon.declaration.permissions] == [None, None, "helloworld"]


def test_every_field_of_a_declaration_is_explained() -> None:
    """One that the page forgets is one that nobody uses."""
    text = PAGE.read_text()
    (declaration,) = (
        item
        for item in HubSettings.model_fields["declarations"].annotation.__args__[:1]  # type: ignore[union-attr]
    )
    for field in declaration.model_fields:
        assert f"`{field.replace('_', '-')}`" in text, field
