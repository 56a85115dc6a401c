"""What clinicians say of a score and what was done because of it are no inputs: a model would learn from itself."""

import ast
from pathlib import Path

import features

BARRED = {"feedback", "interventions"}


def test_no_feature_is_made_of_verdicts_or_interventions():
    """But for the declaration of the tables, no module of the features has either name in a text."""
    found = set()
    for path in Path(features.__file__).parent.rglob("*.py"):
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        found |= {path.name} if BARRED & texts else set()
    assert found == {"tables.py"}
