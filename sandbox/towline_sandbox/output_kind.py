"""For whom the sandbox's commands print what they have to say."""

from enum import StrEnum


class OutputKind(StrEnum):
    """For whom something is printed."""

    TEXT = "text"
    JSON = "json"
