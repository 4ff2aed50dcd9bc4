"""How add-on kinds point at configuration objects."""

from towline_api.models.schema import Int64, KubeModel, NonEmpty, server_default


class ConfigGroupResource(KubeModel):
    """A kind of configuration."""

    group: str = server_default("")
    """API group of the configuration; empty for the core group."""
    resource: NonEmpty
    """Plural name of the configuration's kind."""


class ConfigReferent(KubeModel):
    """Which object of a kind of configuration."""

    namespace: str | None = None
    """Namespace of the configuration; absent if its kind is cluster-scoped."""
    name: NonEmpty
    """Name of the configuration."""


class AddOnConfig(ConfigReferent, ConfigGroupResource):
    """A configuration object chosen for an add-on."""


class ConfigSpecHash(ConfigReferent):
    """A configuration object in one state."""

    spec_hash: str = ""
    """Hash of what it configures; empty until it has been computed."""


class AddOnMeta(KubeModel):
    """How an add-on presents itself to people."""

    display_name: str = ""
    """Name to show."""
    description: str = ""
    """What it is good for."""


class ConfigCoordinates(KubeModel):
    """An older way to name a configuration, kept for those who still write it."""

    crd_name: str = ""
    """CustomResourceDefinition that the configuration is an instance of."""
    cr_name: str = ""
    """Name the configuration has on every cluster."""
    last_observed_generation: Int64 | None = None
    """Generation of the configuration that was last looked at."""
