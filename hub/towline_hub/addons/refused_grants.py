"""What to tell an operator when the API server refuses a grant. Pure."""

from towline_kube.errors import ApiError, Forbidden, NamespaceTerminating, NotFound, NotServed


def explain(error: ApiError, *, addon: str) -> str:
    """Return the server's answer with what would put it right.

    Args:
        error: What the server answered; for a right that the hub does not hold itself, it names the
            rule that is missing.
        addon: Name of the add-on.
    """
    # A condition is one line wherever it is shown.
    said = " ".join(str(error).split())
    if isinstance(error, NamespaceTerminating | NotServed):
        return said
    if isinstance(error, Forbidden):
        return (
            f"{said}; nobody can hand out rights they do not hold: apply the role that "
            f"`towline manifests` or hub_permissions makes with the declaration of add-on {addon}"
        )
    if isinstance(error, NotFound):
        return f"{said}; create the namespace, or take it out of the declaration of {addon}"
    return said
