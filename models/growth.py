"""How the boosted trees of the model are grown: the hyperparameters that an installation may declare and tune."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Growth:
    """How many trees there are, how deep, and what holds each of them back. The defaults suit few subjects.

    Attributes:
        rounds: trees, one after the other.
        max_depth: of a tree; how many features may speak together.
        learning_rate: share of each tree's correction that is taken.
        min_child_weight: least curvature of the log loss in a leaf: at a risk of 10 %, 0.09 a row.
        reg_lambda: shrinks what leaves say towards nothing.
        subsample: share of the rows that each tree sees.
        colsample_bytree: share of the features that each tree sees.
    """

    rounds: int = 120
    max_depth: int = 3
    learning_rate: float = 0.05
    min_child_weight: float = 20.0
    reg_lambda: float = 10.0
    subsample: float = 0.8
    colsample_bytree: float = 0.3


USUAL = Growth()
