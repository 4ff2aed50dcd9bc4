"""Settings: where each may come from, which place wins, and what is said of a wrong one."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import CliPositionalArg

from towline_api.duration_field import Duration
from towline_api.errors import ConfigError
from towline_kube.logs import LogFormat
from towline_kube.settings import ProgramSettings, load


class Colour(StrEnum):
    """Of a line."""

    DARK_RED = "dark-red"
    BLUE = "blue"


class ExampleSettings(ProgramSettings):
    """Settings of an example."""

    cluster_name: str | None = None
    """Name of the cluster, 100% yours."""
    period: Duration = Field(default=timedelta(minutes=1), gt=timedelta(0))
    """How often."""
    addons: tuple[str, ...] = ()
    """Add-ons."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations."""
    keep: bool = False
    """Whether to keep."""
    colours: tuple[Colour, ...] = tuple(Colour)
    """Colours."""
    output: Colour = Field(default=Colour.BLUE, validation_alias=AliasChoices("o", "output"))
    """What is printed."""
    kubeconfig: Path | None = None
    """A file."""

    @model_validator(mode="after")
    def _is_whole(self) -> "ExampleSettings":
        if self.cluster_name == "forbidden":
            raise ValueError("that cluster is not for you")
        return self


def read(
    *arguments: str, environment: dict[str, str] | None = None, file: Path | None = None
) -> ExampleSettings:
    listed = [*arguments, *(["--config", str(file)] if file else [])]
    return load(ExampleSettings, listed, prog="example", environment=environment or {})


def refusal(*arguments: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(*arguments, environment=environment)
    return str(error.value).splitlines()


def test_flags_win_over_the_environment_over_the_file_over_defaults(tmp_path: Path) -> None:
    """The nearer to the person, the stronger."""
    file = tmp_path / "settings.yaml"
    file.write_text("cluster-name: file\nperiod: 3s\nlog_format: json\naddons: [a, b]\n")
    environment = {"TOWLINE_CLUSTER_NAME": "variable", "TOWLINE_PERIOD": "2s"}
    found = read("--cluster-name", "flag", environment=environment, file=file)
    assert found.cluster_name == "flag"
    assert found.period == timedelta(seconds=2)
    assert found.log_format is LogFormat.JSON
    assert found.addons == ("a", "b")
    assert found.keep is False


def test_the_file_itself_may_come_from_the_environment(tmp_path: Path) -> None:
    """Containers set variables more easily than arguments."""
    file = tmp_path / "settings.yaml"
    file.write_text("keep: true")
    assert read(environment={"TOWLINE_CONFIG": str(file)}).keep is True


def test_every_kind_of_value_has_its_flag_and_its_variable() -> None:
    """Lists with commas or repeated, mappings with equals signs, switches without a value."""
    wanted = {
        "addons": ("a", "b"),
        "annotations": {"x": "1", "y": "2=3"},
        "keep": True,
        "colours": (Colour.DARK_RED,),
        "output": Colour.DARK_RED,
        "kubeconfig": Path("/k"),
        "period": timedelta(minutes=90),
    }
    flags = (
        *("--addons", "a", "--addons", "b", "--annotations", "x=1", "--annotations", "y=2=3"),
        *("--keep", "--colours", "dark-red", "-o", "dark-red", "--kubeconfig", "/k"),
        *("--period", "1h30m"),
    )
    variables = {
        "TOWLINE_ADDONS": "a, b",
        "TOWLINE_ANNOTATIONS": "x=1,y=2=3",
        "TOWLINE_KEEP": "true",
        "TOWLINE_COLOURS": '["dark-red"]',
        "TOWLINE_OUTPUT": "dark-red",
        "TOWLINE_KUBECONFIG": "/k",
        "TOWLINE_PERIOD": "90m",
    }
    for found in (read(*flags), read(environment=variables)):
        assert {name: getattr(found, name) for name in wanted} == wanted
    assert read("--addons", "a,b").addons == ("a", "b")
    assert read("--no-keep", environment={"TOWLINE_KEEP": "true"}).keep is False


def test_only_variables_with_the_prefix_count() -> None:
    """`OUTPUT` or `O` may well be set, by somebody else for something else."""
    assert read(environment={"OUTPUT": "dark-red", "O": "dark-red"}).output is Colour.BLUE
    # Empty is unset, as manifests leave it.
    assert read(environment={"TOWLINE_PERIOD": ""}).period == timedelta(minutes=1)


def test_each_wrong_setting_is_one_line_that_says_where_it_came_from(tmp_path: Path) -> None:
    """A person has to know which of three places to correct."""
    file = tmp_path / "settings.yaml"
    file.write_text("keep: perhaps")
    lines = refusal(
        *("--config", str(file), "--period", "30", "--output", "green"),
        environment={"TOWLINE_COLOURS": "blue,pink"},
    )
    assert len(lines) == 4
    by_origin = {line.partition(": ")[0]: line for line in lines}
    assert "has no unit" in by_origin["--period"]
    assert "'dark-red' or 'blue'; found 'green'" in by_origin["--output"]
    assert "found 'pink'" in by_origin["TOWLINE_COLOURS [1]"]
    assert any(line.startswith(f"{file}: keep: ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nope", "1"], "unrecognized arguments: --nope 1; see example --help"),
        (["stray"], "unrecognized arguments: stray"),
        (["--cluster-name"], "argument --cluster-name: expected one argument"),
        (["--period", "-5m"], "argument --period: expected one argument"),
        (
            ["--period=-5m"],
            "--period: a duration is not negative; found '-5m'",
        ),
        (["--cluster-name", "forbidden"], "that cluster is not for you"),
        (["--config", "/nowhere"], "cannot read settings file /nowhere: No such file"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], said: str) -> None:
    """Not a page of usage with the reason at its end."""
    (line,) = refusal(*arguments)
    assert said in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("cluster-nam: c1", "there is no setting 'cluster-nam'; known are addons, "),
        ("config: other", "there is no setting 'config'"),
        ("keep: true\nkeep_: 1", "there is no setting 'keep_'"),
        ("log-level: info\nlog_level: debug", "log-level is set twice"),
        ("- a", "must be a mapping"),
        ("a: [", "is not valid YAML (line "),
        ("5: 6", "there is no setting '5'"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: str, said: str) -> None:
    """A misspelt key that is passed over is a default nobody wanted."""
    file = tmp_path / "settings.yaml"
    file.write_text(content)
    (line,) = refusal("--config", str(file))
    assert str(file) in line
    assert said in line


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOWLINE_ANNOTATIONS", "novalue"), ("TOWLINE_ADDONS", "[not json")],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    """Variables are far away from whoever reads the error."""
    (line,) = refusal(environment={name: value})
    assert line.startswith(f"{name}: ")


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """An empty ConfigMap key mounts as an empty file."""
    file = tmp_path / "settings.yaml"
    file.write_text("# nothing yet\n")
    assert read(file=file).period == timedelta(minutes=1)


def test_help_shows_values_as_a_person_types_them(capsys: pytest.CaptureFixture[str]) -> None:
    """`timedelta` and `DARK_RED` would both be refused when typed."""
    with pytest.raises(SystemExit) as end:
        read("--help")
    assert end.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "usage: example" in shown
    assert "--period DURATION How often. (default: 1m)" in shown
    assert "--cluster-name TEXT Name of the cluster, 100% yours." in shown
    assert "--colours {dark-red,blue},... Colours. (default: dark-red,blue)" in shown
    assert "--annotations KEY=VALUE Annotations." in shown
    assert "--keep, --no-keep Whether to keep." in shown
    assert "{dark-red,blue} What is printed. (default: blue)" in shown


def test_a_positional_argument_is_needed() -> None:
    """`towline accept` without a cluster must not guess."""

    class AcceptSettings(ProgramSettings):
        """Settings of an example."""

        cluster: CliPositionalArg[str]
        """Which."""

    assert load(AcceptSettings, ["c1"], environment={}).cluster == "c1"
    with pytest.raises(ConfigError, match="required: CLUSTER; see towline --help"):
        load(AcceptSettings, [], environment={})


def test_settings_do_not_change_and_take_no_strangers() -> None:
    """They are read once; what runs is what was shown."""
    found = read()
    with pytest.raises(ValidationError):
        found.keep = True  # type: ignore[misc] # that is what is tested
    with pytest.raises(ValidationError):
        ExampleSettings(nope=1)  # type: ignore[call-arg]


def test_calling_the_class_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of daemons build settings; the machine's variables are none of theirs."""
    monkeypatch.setenv("TOWLINE_CLUSTER_NAME", "machine")
    assert ExampleSettings().cluster_name is None


@pytest.mark.parametrize(
    "given", ["abcdef.0123456789abcde", "ABCDEF.0123456789ABCDEF", "hunter2", "a b"]
)
def test_a_secret_that_cannot_be_used_is_not_shown(given: str) -> None:
    """What looks like no secret may be one with a slip of the finger in it."""

    class SecretSettings(ProgramSettings):
        """Settings with a secret."""

        password: SecretStr | None = None
        """Not for logs."""

        @field_validator("password")
        @classmethod
        def _is_never_right(cls, password: SecretStr) -> SecretStr:
            raise ValueError("not a password")

    for arguments, environment, origin in (
        (["--password", given], {}, "--password"),
        ([], {"TOWLINE_PASSWORD": given}, "TOWLINE_PASSWORD"),
    ):
        with pytest.raises(ConfigError) as error:
            load(SecretSettings, arguments, environment=environment)
        assert str(error.value) == f"{origin}: not a password; what was found is not shown"
