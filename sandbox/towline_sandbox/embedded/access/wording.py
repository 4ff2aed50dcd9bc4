"""How Kubernetes' sentences write names and lists of names: the way Go quotes them."""

import json
from collections.abc import Iterable, Sequence


def quoted(text: str) -> str:
    """Return a text in double quotes, with what would end them escaped."""
    return json.dumps(text, ensure_ascii=False)


def quoted_list(texts: Iterable[str]) -> str:
    """Return texts as `["a" "b"]`."""
    return f"[{' '.join(quoted(text) for text in texts)}]"


def joined(problems: Sequence[str]) -> str:
    """Return one problem as it is, several as `[first, second]`, none twice."""
    unique = list(dict.fromkeys(problems))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
