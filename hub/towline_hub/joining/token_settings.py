"""The settings of `towline token …` and `towline join-command`."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import CliPositionalArg

from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.duration_field import Duration
from towline_certs.errors import IdentityError
from towline_certs.identities import check_cluster_name
from towline_kube.output_kind import OutputKind
from towline_kube.server_urls import check_server
from towline_kube.settings import ProgramSettings

DEFAULT_TTL = timedelta(hours=1)
"""Long enough to walk over to the managed cluster, short enough for a token left in a shell's
history to be worth nothing the next day."""
_SHORTEST_TTL = timedelta(minutes=1)


class _OperatorSettings(ProgramSettings):
    """What every one of these commands can be told."""

    kubeconfig: Path | None = None
    """Kubeconfig of the hub; by default as kubectl finds it."""


class _NewTokenSettings(_OperatorSettings):
    """What a new token can be told."""

    ttl: Duration = DEFAULT_TTL
    """How long the token can be used."""
    cluster: str | None = None
    """Name of the one managed cluster that may join with the token; by default any new one."""

    @field_validator("ttl")
    @classmethod
    def _is_long_enough(cls, ttl: timedelta) -> timedelta:
        if ttl < _SHORTEST_TTL:
            raise ValueError("a token that ends within a minute is of no use to anybody")
        return ttl

    @field_validator("cluster")
    @classmethod
    def _is_cluster_name(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                check_cluster_name(name)
            except IdentityError as error:
                raise ValueError(str(error)) from error
        return name


class TokenCreateSettings(_NewTokenSettings):
    """Settings of `towline token create`."""

    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` prints the token alone, `json` all about it."""


class TokenListSettings(_OperatorSettings):
    """Settings of `towline token list`."""

    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""


class TokenRevokeSettings(_OperatorSettings):
    """Settings of `towline token revoke`."""

    token_id: CliPositionalArg[str]
    """The six characters before the token's dot."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""


class JoinOutput(StrEnum):
    """What `towline join-command` prints."""

    COMMAND = "command"
    KUBECONFIG = "kubeconfig"
    SECRET = "secret"  # noqa: S105 - a kind of object


class JoinCommandSettings(_NewTokenSettings):
    """Settings of `towline join-command`."""

    token: SecretStr | None = None
    """A token to use instead of making one. The environment variable `TOWLINE_TOKEN` keeps it out
    of the process list."""
    server: str | None = None
    """URL at which the managed cluster reaches the hub; by default the kubeconfig's."""
    ca_file: Path | None = None
    """PEM file with the authorities that URL is to be trusted by; by default the kubeconfig's."""
    output: JoinOutput = Field(
        default=JoinOutput.COMMAND, validation_alias=AliasChoices("o", "output")
    )
    """`command` is one line to run, `kubeconfig` the bootstrap kubeconfig, `secret` the Secret
    `bootstrap-hub-kubeconfig` that holds it, to apply on the managed cluster."""

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            BootstrapToken.parse(token.get_secret_value())
        return token

    @field_validator("server")
    @classmethod
    def _is_server(cls, server: str | None) -> str | None:
        return None if server is None else check_server(server)

    @model_validator(mode="after")
    def _token_is_new_or_old(self) -> Self:
        if self.token is not None and "ttl" in self.model_fields_set:
            raise ValueError("--ttl is of a token to be made; it cannot change the one given")
        return self
