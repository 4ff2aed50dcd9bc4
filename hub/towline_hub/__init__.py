"""The hub: approves certificate requests, accepts clusters, grants RBAC, watches health."""
