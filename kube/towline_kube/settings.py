"""Settings of towline's programs: flags, then the environment, then a file, then defaults."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from towline_api.errors import ConfigError
from towline_kube.flag_help import allowed_types, describe_flags
from towline_kube.logs import LogFormat, LogLevel
from towline_kube.redaction import quotable
from towline_kube.yaml_text import parse_yaml

ENVIRONMENT_PREFIX = "TOWLINE_"


class ProgramSettings(BaseSettings):
    """What every program of towline can be told.

    A subclass adds fields; each one's docstring is its documentation, shown by `--help`. Build it
    with `load`; calling the class takes the given values and the defaults only, for tests.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    config: Path | None = None
    """YAML file with settings, keyed like the flags (`cluster-name: c1`). Flags and `TOWLINE_`
    environment variables (`TOWLINE_CLUSTER_NAME`) win over it."""
    log_format: LogFormat = LogFormat.CONSOLE
    """`console` is for people, `json` for collectors: one object a line."""
    log_level: LogLevel = Field(default=LogLevel.INFO)
    """Least important lines to log."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Have no source but what `load` has gathered: it knows where each value came from."""
        return (init_settings,)


S = TypeVar("S", bound=ProgramSettings)


def load(
    settings_class: type[S],
    arguments: Sequence[str],
    *,
    prog: str = "towline",
    environment: Mapping[str, str] | None = None,
) -> S:
    """Return a program's settings.

    Args:
        settings_class: Which settings.
        arguments: Command line after the program's name.
        prog: The program's name, for `--help`.
        environment: By default the process's.

    Raises:
        ConfigError: One line for each wrong setting, with the place it came from.
        SystemExit: `--help` was asked for and has been printed.
    """
    environment = os.environ if environment is None else environment
    flags = _from_flags(settings_class, arguments, prog=prog)
    variables = _from_environment(settings_class, environment)
    path = flags.get("config", variables.get("config"))
    file = _from_file(settings_class, Path(path)) if path else {}
    origins = {
        **{field: f"{path}: {_kebab(field)}" for field in file},
        **{field: f"{ENVIRONMENT_PREFIX}{field.upper()}" for field in variables},
        **{field: f"--{_kebab(field)}" for field in flags},
    }
    return _built(settings_class, {**file, **variables, **flags}, origins)


def check_file(settings_class: type[S], document: Mapping[Any, Any], *, where: str) -> S:
    """Return the settings of a program that is told nothing but what a settings file says.

    Args:
        settings_class: Which settings.
        document: What the file says.
        where: What to call it.

    Raises:
        ConfigError: One line for each wrong setting.
    """
    given = _fields_of(settings_class, document, where=where)
    return _built(settings_class, given, {field: f"{where}: {_kebab(field)}" for field in given})


def _built(settings_class: type[S], given: Mapping[str, Any], origins: Mapping[str, str]) -> S:
    try:
        return settings_class(**given)
    except ValidationError as error:
        problems = [_problem(settings_class, detail, origins, given) for detail in error.errors()]
        raise ConfigError("\n".join(problems)) from None


def _from_flags(
    settings_class: type[ProgramSettings], arguments: Sequence[str], *, prog: str
) -> dict[str, Any]:
    source: CliSettingsSource[Any] = CliSettingsSource(
        settings_class, cli_prog_name=prog, cli_exit_on_error=False
    )
    describe_flags(source.root_parser, settings_class)
    try:
        values = source(args=list(arguments))()
    except SettingsError as error:
        problem = quotable(str(error)).removeprefix("error parsing CLI: ")
        raise ConfigError(f"{problem}; see {prog} --help") from None
    return {_field_named(settings_class, key) or key: value for key, value in values.items()}


def _from_environment(
    settings_class: type[ProgramSettings], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the fields that the environment sets.

    The library's own source would read fields that have an alias, such as `-o`, from variables
    without our prefix, and takes lists only as JSON.
    """
    found: dict[str, Any] = {}
    for name, field in settings_class.model_fields.items():
        variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
        # Empty counts as unset, so that a manifest can leave a variable blank.
        if text := environment.get(variable):
            found[name] = _decoded(text, field, variable=variable)
    return found


def _decoded(text: str, field: FieldInfo, *, variable: str) -> Any:
    """Return the value of a variable: lists as `a,b`, mappings as `a=1,b=2`, both also as JSON."""
    kinds = allowed_types(field.annotation)
    if not kinds & {list, tuple, set, frozenset, dict}:
        return text
    if text.lstrip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            raise ConfigError(f"{variable}: looks like JSON, and is not valid JSON") from None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if dict not in kinds:
        return parts
    pairs = [part.partition("=") for part in parts]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise ConfigError(f"{variable}: expected key=value, found {quotable(wrong[0])!r}")
    return {key: value for key, _, value in pairs}


def _from_file(settings_class: type[ProgramSettings], path: Path) -> dict[str, Any]:
    try:
        document = parse_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read settings file {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise ConfigError(f"settings file {path} is not valid YAML{where}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"settings file {path} must be a mapping of settings to values")
    return _fields_of(settings_class, document, where=str(path))


def _fields_of(
    settings_class: type[ProgramSettings], document: Mapping[Any, Any], *, where: str
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in document.items():
        field = _field_named(settings_class, str(key))
        if field is None or field == "config":
            known = sorted(_kebab(name) for name in settings_class.model_fields if name != "config")
            raise ConfigError(
                f"{where}: there is no setting {quotable(str(key), longest=60)!r}; known are "
                f"{', '.join(known)}"
            )
        if field in values:
            raise ConfigError(f"{where}: {_kebab(field)} is set twice")
        values[field] = value
    return values


def _field_named(settings_class: type[ProgramSettings], key: str) -> str | None:
    """Return the field that a flag, a file's key or an error means."""
    name = key.replace("-", "_")
    if name in settings_class.model_fields:
        return name
    for field, info in settings_class.model_fields.items():
        choices = getattr(info.validation_alias, "choices", [info.validation_alias])
        if key in choices or name in choices:
            return field
    return None


def _problem(
    settings_class: type[ProgramSettings],
    detail: ErrorDetails,
    origins: Mapping[str, str],
    given: Mapping[str, Any],
) -> str:
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if not detail["loc"]:
        return quotable(message)
    head, *rest = (str(part) for part in detail["loc"])
    field = _field_named(settings_class, head) or head
    origin = origins.get(field, f"--{_kebab(field)}")
    inside = f" [{'.'.join(rest)}]" if rest else ""
    if detail["type"] == "missing":
        return f"{origin}{inside}: is needed; give it as a flag, a variable or in the settings file"
    if detail["type"] == "extra_forbidden":
        return f"{origin}{inside}: there is no such setting"
    info = settings_class.model_fields.get(field)
    if info is not None and SecretStr in allowed_types(info.annotation):
        # Not even what looks like no secret: it may be one with a slip of the finger in it.
        return f"{origin}{inside}: {quotable(message)}; what was found is not shown"
    # As it was written: what a validator saw may have been parsed already.
    found = detail["input"] if rest else given.get(field, detail["input"])
    return f"{origin}{inside}: {quotable(message)}; found {quotable(repr(found))}"


def _kebab(field: str) -> str:
    return field.replace("_", "-")
