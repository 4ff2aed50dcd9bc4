"""The wire contract of Open Cluster Management: names, kinds, conditions, CRDs. No I/O.

Names of labels, Secrets and roles are in `towline_api.names`, condition types in
`towline_api.condition_types`, endpoints in `towline_api.resources`. The pydantic models
(`towline_api.models`), the CRDs made from them (`towline_api.crds`) and the field for durations
(`towline_api.duration_field`) are not imported from here: pydantic and what is built with it take
a tenth of a second each, which not everybody need spend.
"""

from towline_api.addon_codec import AddonCodec, V1Alpha1Codec
from towline_api.addon_codec_v1beta1 import V1Beta1Codec
from towline_api.addons import (
    AddonConfig,
    ClusterManagementAddon,
    ConfigKind,
    ConfigReference,
    CustomSignerRegistration,
    DisplayMeta,
    HashedConfig,
    HealthMode,
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    PlacementInstall,
    Registration,
    SubjectSpec,
    SupportedConfig,
)
from towline_api.conditions import (
    Condition,
    ConditionStatus,
    find_condition,
    is_true,
    with_condition,
)
from towline_api.dns_names import is_dns_label, is_dns_subdomain
from towline_api.durations import format_duration, parse_duration
from towline_api.errors import (
    ConfigError,
    EnrollmentError,
    TowlineError,
    TransientError,
    WireError,
)
from towline_api.metadata import ObjectKey, key_of, owner_reference
from towline_api.resources import KubeObject, Resource
from towline_api.spec_hash import spec_hash
from towline_api.timestamps import (
    InvalidTimeError,
    format_micro_time,
    format_time,
    parse_time,
)
from towline_api.wire_object import WireObject

__all__ = [
    "AddonCodec",
    "AddonConfig",
    "ClusterManagementAddon",
    "Condition",
    "ConditionStatus",
    "ConfigError",
    "ConfigKind",
    "ConfigReference",
    "CustomSignerRegistration",
    "DisplayMeta",
    "EnrollmentError",
    "HashedConfig",
    "HealthMode",
    "InvalidTimeError",
    "KubeClientDriver",
    "KubeClientRegistration",
    "KubeObject",
    "ManagedClusterAddon",
    "ObjectKey",
    "PlacementInstall",
    "Registration",
    "Resource",
    "SubjectSpec",
    "SupportedConfig",
    "TowlineError",
    "TransientError",
    "V1Alpha1Codec",
    "V1Beta1Codec",
    "WireError",
    "WireObject",
    "find_condition",
    "format_duration",
    "format_micro_time",
    "format_time",
    "is_dns_label",
    "is_dns_subdomain",
    "is_true",
    "key_of",
    "owner_reference",
    "parse_duration",
    "parse_time",
    "spec_hash",
    "with_condition",
]
