"""Settings of the conversion webhook."""

from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from towline_api.duration_field import Duration
from towline_hub.deploying.deployment import WEBHOOK_PORT
from towline_kube.settings import ProgramSettings

PORT = WEBHOOK_PORT
"""Where the webhook listens when nothing says otherwise, as OCM's does."""
PATH = "/convert"
_SHORTEST_LIFETIME = timedelta(seconds=3)
"""Less than what replacing a certificate takes makes no sense, not even in a test."""


class WebhookSettings(ProgramSettings):
    """The part of the hub's settings that concerns the conversion webhook."""

    webhook: bool = True
    """Serve add-on kinds in v1beta1 as well as in v1alpha1, by a webhook of the hub. Not where the
    CRDs are another program's, or where the API server could not reach it."""
    webhook_url: str | None = None
    """Where the API server reaches the webhook of a hub that runs outside the hub cluster, such as
    `https://hub.example.com:9443/convert`. In a pod, the Service towline-hub-webhook."""
    webhook_host: str | None = None
    """Address to listen on; by default all, or this machine alone if the API server is on it."""
    webhook_port: int | None = Field(default=None, ge=1, le=65535)
    """Port to listen on; by default 9443, or any free one if the API server is on this machine."""
    webhook_certificate_lifetime: Duration = Field(
        default=timedelta(days=30), ge=_SHORTEST_LIFETIME
    )
    """Lifetime of the webhook's certificates, which the hub makes and replaces itself. Their
    authority lives twelve times as long."""

    @field_validator("webhook_url")
    @classmethod
    def _is_a_webhook(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        else:
            is_usable = is_usable and not (parts.username or parts.query or parts.fragment)
            if parts.path != PATH:
                raise ValueError(f"{url!r} should end with {PATH}, which is all the webhook serves")
        if not is_usable:
            raise ValueError(f"{url!r} is no URL that an API server calls: https://host:port{PATH}")
        return url
