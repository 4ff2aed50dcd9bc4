"""Configuration objects as models: what fits, and how what does not is explained."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from towline_agent.handling.model import InvalidConfigurationError, read_model
from towline_api.resources import CONFIG_MAPS, SECRETS, KubeObject, Resource

WIDGETS = Resource("example.com", "v1", "widgets", "Widget", namespaced=True)
SOURCE = "widgets.example.com c1/w"


class Target(BaseModel):
    """A part of the model."""

    url: str

    @field_validator("url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        if not url.startswith("https://"):
            raise ValueError("an https URL")
        return url


class Widget(BaseModel):
    """The model."""

    model_config = ConfigDict(extra="forbid")

    retries: int = Field(default=3, ge=0)
    targets: list[Target] = Field(default_factory=list)


def widget(spec: Any) -> KubeObject:
    return {"metadata": {"name": "w", "namespace": "c1"}, "spec": spec}


def test_a_spec_becomes_a_model() -> None:
    """The developer's code deals with values, not with dictionaries."""
    found = widget({"retries": 5, "targets": [{"url": "https://a"}]})
    assert read_model(found, Widget, resource=WIDGETS, source=SOURCE) == Widget(
        retries=5, targets=[Target(url="https://a")]
    )


def test_texts_of_a_config_map_become_what_the_model_says() -> None:
    """`data` holds nothing but text."""
    found: KubeObject = {"metadata": {"name": "w"}, "data": {"retries": "7"}}
    assert read_model(found, Widget, resource=CONFIG_MAPS, source=SOURCE).retries == 7


@pytest.mark.parametrize("spec", [{}, None])
def test_what_says_nothing_takes_the_defaults(spec: Any) -> None:
    """An empty object is a configuration, too."""
    assert read_model(widget(spec), Widget, resource=WIDGETS, source=SOURCE).retries == 3


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            {"retries": -1},
            "spec.retries expected greater than or equal to 0, found -1",
            id="range",
        ),
        pytest.param(
            {"targets": [{"url": "https://a"}, {"url": "ftp://b"}]},
            "spec.targets[1].url expected an https URL, found 'ftp://b'",
            id="inside-a-list",
        ),
        pytest.param(
            {"targets": [{}]}, "spec.targets[0].url is needed and not there", id="missing"
        ),
        pytest.param(
            {"retires": 1},
            "spec.retires is not known; remove it, or correct its name",
            id="unknown",
        ),
        pytest.param(
            {"targets": "https://a"},
            "spec.targets expected a valid list, found 'https://a'",
            id="type",
        ),
        pytest.param([], "", id="empty-list-counts-as-nothing"),
        pytest.param(
            ["x"],
            "spec expected a valid dictionary or instance of Widget, found ['x']",
            id="no-mapping",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_field(spec: Any, said: str) -> None:
    """Object, path, what was expected, what was found: enough to mend it without the source."""
    if not said:
        assert read_model(widget(spec), Widget, resource=WIDGETS, source=SOURCE).retries == 3
        return
    with pytest.raises(InvalidConfigurationError) as raised:
        read_model(widget(spec), Widget, resource=WIDGETS, source=SOURCE)
    assert str(raised.value) == f"{SOURCE}: {said}"


def test_contents_of_secrets_are_never_quoted() -> None:
    """What is wrong in a Secret may be a secret with a slip of the finger in it."""
    found: KubeObject = {"metadata": {"name": "s"}, "data": {"retries": "aHVudGVyMg=="}}
    with pytest.raises(InvalidConfigurationError) as raised:
        read_model(found, Widget, resource=SECRETS, source="secrets c1/s")
    assert "aHVudGVyMg" not in str(raised.value)
    assert "data.retries" in str(raised.value)


def test_very_many_mistakes_are_summed_up() -> None:
    """A condition's message has to be read by somebody."""
    spec = {f"unknown{number}": 1 for number in range(30)}
    with pytest.raises(InvalidConfigurationError, match="and 20 more"):
        read_model(widget(spec), Widget, resource=WIDGETS, source=SOURCE)
