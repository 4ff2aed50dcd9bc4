"""How the objects of each built-in kind behave when written."""

from towline_sandbox.embedded.model.kinds import Traits


def traits_of(group: str, plural: str) -> Traits:
    """Return how objects of this kind behave; those not named here have no rules of their own."""
    return Traits()
