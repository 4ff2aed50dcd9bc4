"""The errors of keys, certificate requests, identities and stored credentials.

Each sits in the tree of `towline_api.errors`, so callers group them by what can be done: a
`ConfigError` waits for a person, a `WireError` is the other side's. Messages hold no key material.
"""

from enum import StrEnum

from towline_api.errors import ConfigError, TowlineError, WireError


class IdentityError(TowlineError, ValueError):
    """A user name or a subject is not, letter for letter, an identity of the contract."""


class KeyProblem(StrEnum):
    """Why a private key cannot be used."""

    NOT_PEM = "NotPEM"
    ENCRYPTED = "Encrypted"
    WEAK = "Weak"
    UNSUPPORTED = "Unsupported"
    MALFORMED = "Malformed"


class KeyParseError(ConfigError):
    """A private key cannot be used.

    Args:
        message: What was found and what to do; never any byte of the key.
        reason: Which kind of trouble.
    """

    def __init__(self, message: str, *, reason: KeyProblem) -> None:
        super().__init__(message)
        self.reason = reason


class RequestProblem(StrEnum):
    """Why the bytes of a certificate request cannot be read."""

    TOO_LARGE = "RequestTooLarge"
    NOT_PEM = "RequestNotPEM"
    SEVERAL_BLOCKS = "RequestHasSeveralBlocks"
    WRONG_BLOCK = "RequestIsAnotherKindOfPEM"
    MALFORMED = "RequestMalformed"
    UNSUPPORTED_KEY = "RequestKeyUnsupported"
    UNSUPPORTED_NAME = "RequestNameUnsupported"


class RequestError(WireError):
    """A certificate request cannot be read.

    Args:
        message: What was expected and what was found.
        reason: Which kind of trouble.
    """

    def __init__(self, message: str, *, reason: RequestProblem) -> None:
        super().__init__(message, field="spec.request")
        self.reason = reason


class CredentialProblem(StrEnum):
    """Why a key and its certificate cannot be used."""

    MISSING = "Missing"
    MALFORMED = "Malformed"
    KEY_UNUSABLE = "KeyUnusable"
    KEY_MISMATCH = "KeyMismatch"
    NOT_YET_VALID = "NotYetValid"
    EXPIRED = "Expired"
    SUBJECT_MISMATCH = "SubjectMismatch"
    NOT_FOR_CLIENTS = "NotForClients"
    UNTRUSTED = "Untrusted"


class CredentialError(ConfigError):
    """A key and its certificate cannot be used for what they were stored for.

    Args:
        message: What was expected and what was found.
        reason: Which kind of trouble.
    """

    def __init__(self, message: str, *, reason: CredentialProblem) -> None:
        super().__init__(message)
        self.reason = reason


class StoreProblem(StrEnum):
    """Why a directory of stored files cannot be read or written."""

    NOTHING_STORED = "NothingStored"
    FOREIGN = "Foreign"
    NOT_PRIVATE = "NotPrivate"
    CORRUPTED = "Corrupted"
    UNSTABLE = "Unstable"
    IO = "IO"


class StoreError(ConfigError):
    """A directory of stored files cannot be read or written.

    Args:
        message: Names the path, what was expected, what was found and what to do.
        reason: Which kind of trouble.
    """

    def __init__(self, message: str, *, reason: StoreProblem) -> None:
        super().__init__(message)
        self.reason = reason


class NothingStoredError(StoreError):
    """The directory holds no generation yet: normal before the first write.

    Args:
        message: Names the path.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, reason=StoreProblem.NOTHING_STORED)
