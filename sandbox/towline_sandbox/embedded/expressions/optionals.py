"""Values that may not be there."""

from dataclasses import dataclass
from typing import Any

from towline_sandbox.embedded.expressions.operators import failure


@dataclass(frozen=True, slots=True)
class Optional:
    """A value, or none.

    Args:
        found: The value.
        is_there: Whether there is one.
    """

    found: Any
    is_there: bool

    def value(self) -> Any:
        """Return the value; without one, that is an error of the rule."""
        return self.found if self.is_there else failure("optional.none() dereference")

    def value_or(self, other: Any) -> Any:
        """Return the value, or the other if there is none."""
        return self.found if self.is_there else other
