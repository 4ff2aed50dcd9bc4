"""Has a say in every write: the stored policies, and whoever else is put in the chain."""

from towline_sandbox.embedded.admission.chain import chain
from towline_sandbox.embedded.admission.policies import PolicyAdmission

__all__ = ["PolicyAdmission", "chain"]
