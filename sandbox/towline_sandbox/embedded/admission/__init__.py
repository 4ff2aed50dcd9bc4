"""What the stored policies have to say about every write."""

from towline_sandbox.embedded.admission.policies import (
    BINDING_KEY,
    POLICY_KEY,
    PolicyAdmission,
    check_declared,
)

__all__ = [
    "BINDING_KEY",
    "POLICY_KEY",
    "PolicyAdmission",
    "check_declared",
]
