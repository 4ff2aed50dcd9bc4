"""What add-on developers test their add-ons with."""

from towline_sandbox.testing.administrator import Administrator
from towline_sandbox.testing.pair import ADDON_RULES, EnabledAddon, JoinedPair

__all__ = ["ADDON_RULES", "Administrator", "EnabledAddon", "JoinedPair"]
