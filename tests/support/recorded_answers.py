"""What a real API server said to definitions and objects, kept in files.

`tests/integration/sandbox/test_custom_kinds.py` asks a real server again, so the files stay true.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "recorded"


@cache
def recorded(name: str) -> Any:
    """Return what is kept in one of the files. Not to be changed."""
    return json.loads((_FOLDER / f"{name}.json").read_text())


def in_any_order(causes: list[dict[str, str]]) -> list[str]:
    """Return causes so that they can be compared: Go walks over maps in no order."""
    return sorted(json.dumps(cause, sort_keys=True) for cause in causes)
