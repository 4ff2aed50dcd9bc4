"""The errors of towline, grouped by what whoever catches one can do.

::

    TowlineError
    ├── ConfigError        fix the input; never retried
    ├── TransientError     try again later; may say when
    ├── EnrollmentError    this certificate request is dead: start over, or ask a person
    └── WireError          the other side broke the contract; says which field

`towline_kube.errors` adds the answers of an API server, some of which are also `TransientError`.
Messages are lower case without a full stop: what was attempted, on which object, what was found,
what happens next or what to do. They never hold a key, a token or a request body.
"""

from datetime import timedelta


class TowlineError(Exception):
    """Anything towline raises on purpose."""


class ConfigError(TowlineError):
    """An input given by a person cannot be used as it is: settings, a kubeconfig, a PEM file."""


class TransientError(TowlineError):
    """The same call may succeed later.

    Args:
        message: What was attempted and what was found.
        retry_after: How long the other side asked to be left alone, if it said so.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EnrollmentError(TowlineError):
    """A certificate request came to nothing; the same request never will succeed."""


class WireError(TowlineError):
    """An object from the other side does not keep the contract.

    Args:
        message: Names the object, what was expected and what was found.
        field: Path of the offending field, for example `spec.request`.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field
