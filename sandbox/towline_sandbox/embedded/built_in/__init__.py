"""Kubernetes' own kinds: their shapes as collected from a real server, and how they behave."""

from towline_sandbox.embedded.built_in.data_files import definitions
from towline_sandbox.embedded.built_in.kinds import kinds

__all__ = ["definitions", "kinds"]
