import ast
from pathlib import Path

import towline_certs


def test_every_public_name_is_listed_and_exists():
    """What is re-exported is a promise; `__all__` is its one list."""
    tree = ast.parse(Path(towline_certs.__file__).read_text())
    imported = {
        name.asname or name.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert set(towline_certs.__all__) == imported
    assert len(towline_certs.__all__) == len(set(towline_certs.__all__))
    assert all(hasattr(towline_certs, name) for name in towline_certs.__all__)
