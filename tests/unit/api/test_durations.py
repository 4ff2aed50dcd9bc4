"""Durations are read the way Kubernetes writes them, and never guessed."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from towline_api.duration_field import Duration
from towline_api.durations import format_duration, parse_duration


class Settings(BaseModel):
    """Stands for any settings model with a duration in it."""

    timeout: Duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("1.5h", timedelta(hours=1, minutes=30)),
        (".5s", timedelta(milliseconds=500)),
        ("1.s", timedelta(seconds=1)),
        ("500ms", timedelta(milliseconds=500)),
        ("30m1h", timedelta(hours=1, minutes=30)),
        ("1m1m", timedelta(minutes=2)),
        ("250us", timedelta(microseconds=250)),
        ("250µs", timedelta(microseconds=250)),
        ("250\u03bcs", timedelta(microseconds=250)),
        ("3000ns", timedelta(microseconds=3)),
        ("0.1s0.2s", timedelta(milliseconds=300)),
        ("-1m", timedelta(minutes=-1)),
        ("+1m30s", timedelta(seconds=90)),
        ("8760h", timedelta(days=365)),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, expected: timedelta):
    """People copy these texts from Kubernetes manifests."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["30", "1.5", "-5", ".5"])
def test_a_bare_number_is_refused_and_told_what_to_write(text: str):
    """Thirty what? A wrong guess is a rotation every 30 hours."""
    with pytest.raises(ValueError, match=rf"'{text}' has no unit; write for example '{text}s'"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 5s",
        "5s ",
        "5 s",
        "s",
        "5d",
        "1h30",
        "5S",
        "--5s",
        "1e3s",
        "\u0665s",
        "5s\n",
        "P1D",
        "1.2.3s",
    ],
)
def test_other_text_is_refused_with_an_example(text: str):
    """The message has to be enough to fix the setting."""
    with pytest.raises(ValueError, match=r"is not a duration; .* for example '90s' or '1h30m'"):
        parse_duration(text)


def test_what_a_timedelta_cannot_hold_is_refused():
    """Rounding down in silence would turn a duration into zero."""
    with pytest.raises(ValueError, match="finer than a microsecond"):
        parse_duration("100ns")
    with pytest.raises(ValueError, match="too long"):
        parse_duration("99999999999999h")


def test_endless_text_is_refused_without_being_echoed():
    """A file pasted into a setting must not come back in the log."""
    with pytest.raises(ValueError, match="not a duration") as caught:
        parse_duration("1s" * 100_000)
    assert len(str(caught.value)) < 250
    with pytest.raises(ValueError, match="no unit") as caught:
        parse_duration("9" * 100_000)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=1), "24h"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(milliseconds=250), "250ms"),
        (timedelta(microseconds=1), "1us"),
        (timedelta(minutes=1, milliseconds=1), "1m0.001s"),
        (timedelta(minutes=-5), "-5m"),
    ],
)
def test_durations_are_written_briefly(duration: timedelta, expected: str):
    """Status tables and messages show these."""
    assert format_duration(duration) == expected


@given(st.timedeltas())
def test_every_duration_reads_back_as_itself(duration: timedelta):
    """What a settings file is written with is what it is read as, to the microsecond."""
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(alphabet="0123456789.+-hmsnuµ ", max_size=70))
def test_any_text_is_a_duration_or_a_value_error(text: str):
    """Nothing else may escape into the parsing of settings."""
    with contextlib.suppress(ValueError):
        assert isinstance(parse_duration(text), timedelta)


def test_a_settings_field_reads_and_writes_text():
    """The pydantic type is the same grammar."""
    settings = Settings.model_validate({"timeout": "1h30m"})
    assert settings.timeout == timedelta(minutes=90)
    assert settings.model_dump_json() == '{"timeout":"1h30m"}'
    assert settings.model_dump() == {"timeout": timedelta(minutes=90)}
    assert Settings(timeout=timedelta(seconds=1)).timeout == timedelta(seconds=1)


@pytest.mark.parametrize("value", [30, 1.5, "30", "-5s", None, True, [1]])
def test_a_settings_field_refuses_numbers_and_negatives(value: object):
    """A YAML file without quotes hands over a number, which pydantic would take for seconds."""
    with pytest.raises(ValidationError):
        Settings.model_validate({"timeout": value})


def test_a_settings_fields_schema_is_text():
    """Documentation is generated from the schema."""
    for mode in ("validation", "serialization"):
        schema = Settings.model_json_schema(mode=mode)["properties"]["timeout"]
        assert schema["type"] == "string"
