"""Has a say in every write: the stored policies, and whoever else is put in the chain."""

from towline_sandbox.embedded.admission.chain import chain
from towline_sandbox.embedded.admission.policies import BINDING_KEY, POLICY_KEY, PolicyAdmission

__all__ = [
    "BINDING_KEY",
    "POLICY_KEY",
    "PolicyAdmission",
    "chain",
]
