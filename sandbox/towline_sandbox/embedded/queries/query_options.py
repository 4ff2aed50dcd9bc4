"""Values in the query of a call, and the refusal of those that make no sense."""

from collections.abc import Mapping, Sequence

from towline_sandbox.embedded.model.failures import ApiFailure, Cause, bad_request

_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def as_integer(text: str) -> int | None:
    """Return a number from the query; None if it says nothing.

    Raises:
        ApiFailure: It is no number.
    """
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def as_boolean(text: str) -> bool | None:
    """Return a choice from the query; None if it says nothing. Whatever is not no, is yes."""
    return None if not text else text not in _FALSE


def is_forced(query: Mapping[str, str]) -> bool:
    """Return whether an apply is to win all conflicts: `force` alone, without a value, says so.

    The API server reads this option by other rules than the rest.
    """
    return "force" in query and query["force"].lower() not in ("0", "false")


def invalid_options(kind: str, causes: Sequence[Cause]) -> ApiFailure:
    """Options of a call break rules; every broken one is named."""
    sentences = [f"{cause.field}: {cause.message}" for cause in causes]
    told = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    return ApiFailure(
        422,
        "Invalid",
        f'{kind}.meta.k8s.io "" is invalid: {told}',
        details={
            "group": "meta.k8s.io",
            "kind": kind,
            "causes": [cause.as_object() for cause in causes],
        },
    )
