"""A registry with two small models in it, as trainings of a real installation would have made them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models import risk
from pipelines.release.registry import CHALLENGER, CHAMPION, ModelVersion, Registry, model_name

NAME = model_name("crisis")
ROWS = pd.DataFrame(
    [
        ("boosted_hazard", "all", "auroc", 0.7),
        ("tenure_only", "all", "auroc", 0.6),
        ("tenure_only", "all", "brier", 0.1),
        ("boosted_hazard", "all", "e90", float("nan")),
        ("boosted_hazard", "sex=F", "auroc", 0.7),
    ],
    columns=["model", "group", "metric", "value"],
).assign(dataset="simulated", outcome="crisis", task="onset", horizon_days=14, split="unseen_subjects")


def fitted(folder: Path, learner: str, features: tuple[str, ...]) -> Path:
    """A small model, saved: 60 subjects, whose risk rises with `mood_level`."""
    generator = np.random.default_rng(3)
    matrix = pd.DataFrame({"mood_level": generator.normal(size=600), "sleep_level": generator.normal(size=600)})
    has_event = generator.random(600) < 0.1 + 0.3 * (matrix["mood_level"] > 0)
    labels = pd.DataFrame(
        {
            "subject_id": [f"s{n % 60:02}" for n in range(600)], "outcome": "crisis", "task": "onset",
            "days_to_event": np.where(has_event, generator.integers(0, 14, 600), np.nan), "followed_days": 30,
            "is_masked": False,
        }
    )  # fmt: skip
    risk.save(risk.fit(matrix, labels, (7, 14), features, learner, seed=1, threads=1), folder)
    return folder


def train(
    registry: Registry, folder: Path, name: str = NAME, log_inputs: Callable[[], None] = lambda: None
) -> ModelVersion:
    """Register the model in the folder."""
    model = risk.load(folder)
    example = pd.DataFrame({feature: [0.5] for feature in model.features or ("anything",)})
    return registry.log_training(
        name, "training", {"seed": 1}, {"code_version": "0.1.0"}, ROWS, {"flow": ROWS.head(1)}, {"curve": Figure()},
        folder, model.features, model.horizons_days, example, log_inputs,
    )  # fmt: skip


@dataclass
class Made:
    """A registry with a champion, version 1, and a challenger, version 2."""

    registry: Registry
    folder: Path
    versions: list[ModelVersion]

    def again(self) -> Registry:
        """The same registry as another process would open it."""
        return Registry(self.registry.tracking_uri, self.registry.artifact_root, self.registry.cache)


def make_registry(folder: Path) -> Made:
    """A new store below the folder with its two versions; takes seconds."""
    registry = Registry(
        f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}", folder / "mlflow" / "artifacts", folder / "cache"
    )
    trees = fitted(folder / "trees", "boosted_trees", ("mood_level", "sleep_level"))
    plain = fitted(folder / "plain", "logistic", ("mood_level",))
    versions = [train(registry, trees), train(registry, plain)]
    registry.set_alias(versions[0], CHAMPION)
    registry.set_alias(versions[1], CHALLENGER)
    return Made(registry, folder, versions)
