"""Where the objects that access control goes by are stored."""

from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    NODES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    Resource,
)
from towline_sandbox.embedded.model.kinds import StorageKey


def _key(resource: Resource) -> StorageKey:
    return StorageKey(resource.group, resource.plural)


CLUSTER_ROLE_KEY = _key(CLUSTER_ROLES)
CLUSTER_ROLE_BINDING_KEY = _key(CLUSTER_ROLE_BINDINGS)
ROLE_KEY = _key(ROLES)
ROLE_BINDING_KEY = _key(ROLE_BINDINGS)
SECRET_KEY = _key(SECRETS)
SERVICE_ACCOUNT_KEY = _key(SERVICE_ACCOUNTS)
POD_KEY = _key(PODS)
NODE_KEY = _key(NODES)
