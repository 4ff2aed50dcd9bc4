"""Kubernetes' own kinds: their shapes as collected from a real server, and how they behave."""

from towline_sandbox.embedded.built_in.data_files import definitions
from towline_sandbox.embedded.built_in.decoding import decode, decode_as
from towline_sandbox.embedded.built_in.duplicates import duplicate_fields
from towline_sandbox.embedded.built_in.kinds import kinds
from towline_sandbox.embedded.built_in.pod_accounts import PodAccounts

__all__ = ["PodAccounts", "decode", "decode_as", "definitions", "duplicate_fields", "kinds"]
