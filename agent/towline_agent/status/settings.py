"""The settings of `towline agent status`."""

from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator

from towline_agent.settings import AgentSettings
from towline_kube.listen_address import ListenAddress
from towline_kube.output_kind import OutputKind

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on


class AgentStatusSettings(AgentSettings):
    """Settings of `towline agent status`: those of the agent it asks about, and its own."""

    endpoint: str | None = None
    """URL of the agent's endpoint, as in http://127.0.0.1:8080; by default the one that `listen`
    names. Without either, or when nobody answers at the latter, what is stored is shown, and what
    the hub says of it."""
    output: OutputKind = Field(
        default=OutputKind.TABLE, validation_alias=AliasChoices("o", "output")
    )
    """`table` for people, `json` for programs."""

    @field_validator("endpoint")
    @classmethod
    def _is_plain_http(cls, endpoint: str | None) -> str | None:
        if endpoint is not None:
            parts = urlsplit(endpoint)
            if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
                raise ValueError(f"{endpoint!r} is not like http://127.0.0.1:8080")
        return endpoint

    @property
    def default_endpoint(self) -> str | None:
        """Where an agent on this machine with these settings is asked."""
        if self.listen is None:
            return None
        host = _EVERY_ADDRESS.get(self.listen.host, self.listen.host)
        return f"http://{ListenAddress(host, self.listen.port)}"
