"""Horizons that are declared otherwise than a model was fitted for: nothing scores under another name, everywhere the same refusal."""

import numpy as np
import pandas as pd
import pytest
import yaml

from models import risk
from pipelines import scoring
from pipelines.errors import Refused
from pipelines.release import horizons
from pipelines.release.registry import ModelVersion, ServedModel
from pipelines.settings import Settings, settings_from
from tests.pipelines.small_job import ROOT

FITTED_FOR = (7, 14, 28)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> ServedModel:
    """A champion that gives risks within 7, 14 and 28 days."""
    rng = np.random.default_rng(1)
    matrix = pd.DataFrame({"mood_level": rng.normal(size=900)})
    labels = pd.DataFrame({"subject_id": [f"s{n % 60:02}" for n in range(900)], "outcome": "crisis", "task": "onset",
                           "days_to_event": np.where(rng.random(900) < 0.4, rng.integers(0, 28, 900), np.nan),
                           "followed_days": 40, "is_masked": False})  # fmt: skip
    folder = tmp_path_factory.mktemp("model")
    risk.save(risk.fit(matrix, labels, FITTED_FOR, ("mood_level",), "logistic", seed=1, threads=1), folder)
    return ServedModel(ModelVersion("foretide-crisis", "3", "", "c0ffee"), folder)


def declared(folder, asked: tuple[int, ...]) -> Settings:
    """The project's configuration with other horizons."""
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    content["outcomes"]["crisis"] |= {"horizons_days": list(asked), "alert_horizon_days": asked[0]}
    return settings_from(content, folder)


@pytest.mark.parametrize("asked", [(10, 14, 28), (7, 14), (7, 14, 28, 56)])
def test_a_model_of_other_horizons_than_are_declared_is_refused(served, tmp_path, asked):
    """One of three changed, one fewer, one more: what is declared, what it was trained for, and both cures."""
    with pytest.raises(Refused) as refused:
        horizons.refuse_others(declared(tmp_path, asked), served)
    said = str(refused.value)
    assert f"{asked[-2]} and {asked[-1]} days" in said
    assert "`foretide-crisis` version 3 was trained for 7, 14 and 28 days" in said
    assert "Run `foretide train`, or declare `horizons_days: [7, 14, 28]` as before." in said


def test_a_model_of_an_outcome_that_is_no_longer_declared_is_refused(served, tmp_path):
    """Its risks would stand under no outcome."""
    settings = declared(tmp_path, FITTED_FOR)
    only_other = settings.model_copy(update={"outcomes": {"relapse": settings.outcomes["crisis"]}})
    with pytest.raises(Refused, match="`crisis`, which is no longer declared"):
        horizons.refuse_others(only_other, served)


def test_a_risk_is_told_by_the_horizon_that_the_model_was_fitted_for(served, tmp_path):
    """Whatever is declared: never by the place of a column. The declared horizons are let through."""
    horizons.refuse_others(declared(tmp_path, FITTED_FOR), served)
    model, matrix = risk.load(served.folder), pd.DataFrame({"subject_id": ["s1"], "mood_level": [0.5]})
    scores = scoring._scores(model, matrix).set_index("horizon_days")["probability"]
    assert scores.to_dict() == dict(zip(FITTED_FOR, risk.predict(model, matrix)[0], strict=True))
