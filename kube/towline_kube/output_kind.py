"""For whom a command prints what it has to say."""

from enum import StrEnum


class OutputKind(StrEnum):
    """For whom something is printed."""

    TABLE = "table"
    JSON = "json"
