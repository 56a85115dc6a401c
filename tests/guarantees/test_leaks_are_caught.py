"""The promise that a leak is found by computing again: each kind of it is planted, and each is caught by its name.

A small cohort with late rows, corrections, deletions and changes of device goes through the door; a leaking build of its
features, or a leaking fit, is what a mistake in this project would make.
"""

from collections.abc import Callable

import pandas as pd
import pytest

from features.warm_up import warm_up_days
from models import protocol
from models.controls import IDENTITY, TARGET
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.outcome_sections import OutcomeSettings
from pipelines.panel import Panel
from pipelines.sections import FeatureChoice, Training
from pipelines.training import controls, evaluating, fitting, labelling
from pipelines.training.controls import DECLARED, FULL_DATA_FIT, FUTURE_ROW, LATER_REVISION, RECOMPUTED, REFITTED
from tests.guarantees.course import Course
from tests.guarantees.nights_at_random import DAY
from tests.guarantees.test_point_in_time import installed, take_in

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]
HOW = Training(folds=2, cuts=1, resamples=100, refits=0, train_every_days=1)
CRISIS = OutcomeSettings(events=("panic",), horizons_days=(7,), merge_within_days=1, refractory_days=1)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, str]:
    """An installation of sixteen people, with features of short windows, and the night of the training."""
    home = tmp_path_factory.mktemp("leaks")
    course = Course(home, 4, people=16, history=50)
    for _ in range(6):
        course.go_on()
    declared = installed(home, crisis=CRISIS).settings
    short = {f.name for f in declared.catalog().features if warm_up_days((f.name,)) <= 14}
    on = set(declared.model_copy(update={"features": FeatureChoice()}).features_on())
    choice = FeatureChoice(add=tuple(sorted(short - on))[::40], drop=tuple(sorted(on - short)))
    made = Installation(declared.model_copy(update={"training": HOW, "features": choice}))
    take_in(made, course.deliveries, "all")
    return made, f"{course.night:%Y-%m-%d}"


@pytest.fixture(scope="module")
def passed(clean: tuple[Installation, str]) -> pd.DataFrame:
    """What the controls say where nothing was planted."""
    return train(*clean)


def train(made: Installation, night: str) -> pd.DataFrame:
    """What the controls say of a training, by control."""
    engineering.training_matrices(made, night)
    labelling.make_labels(made, night)
    evaluating.evaluate(made, night)
    controls.check(made, night)
    return made.lake.load("controls").set_index("control")


def test_a_clean_training_passes(passed: pd.DataFrame):
    """No value differs in the last bit, and no risk."""
    assert passed["is_passed"].all(), passed["told"].to_list()
    assert (passed.loc[[DECLARED, RECOMPUTED, REFITTED], "figure"] == 0).all(), passed["told"].to_list()


def known_too_early(panel: pd.DataFrame) -> pd.DataFrame:
    """Each day as it is known by now, though it was told or corrected later, as if the next index date had known it."""
    latest = panel.sort_values("known_on").drop_duplicates(["subject_id", "local_date"], keep="last")
    return latest.assign(known_on=latest["local_date"] + DAY)


def a_day_early(panel: pd.DataFrame) -> pd.DataFrame:
    """Each day as if it had been the day before: an index date sees itself."""
    return panel.assign(local_date=panel["local_date"] - DAY, known_on=panel["known_on"] - DAY)


def refused(made: Installation, night: str) -> str:
    """Why nothing is registered."""
    with pytest.raises(Refused) as error:
        fitting.register(made, night, {})
    assert made.registry.find("foretide-crisis", "challenger") is None
    return str(error.value)


@pytest.mark.parametrize(("leaking", "leak"), [(known_too_early, LATER_REVISION), (a_day_early, FUTURE_ROW)])
def test_a_matrix_of_what_was_not_known_is_caught(
    clean: tuple[Installation, str], monkeypatch: pytest.MonkeyPatch, leaking: Callable[[pd.DataFrame], pd.DataFrame], leak: str
):  # fmt: skip
    """A later revision used early, and a row of the future, in the day panel that features are built from."""
    load = Panel.load
    monkeypatch.setattr(Panel, "load", lambda *given, **named: leaking(load(*given, **named)))
    found = train(*clean)
    assert not found.loc[RECOMPUTED, "is_passed"]
    assert leak in found.loc[RECOMPUTED, "told"]
    said = refused(*clean)
    assert RECOMPUTED in said
    assert leak in said


def planted(made: Installation, night: str, name: str, values: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    """The controls where a column of the training matrix holds what it should not."""
    engineering.training_matrices(made, night)
    labelling.make_labels(made, night)
    matrix, labels = made.lake.load("training_matrix_crisis"), made.lake.load("labels_crisis")
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    made.lake.replace("training_matrix_crisis", matrix.copy().assign(**{name: values(onset).to_numpy(dtype=float)}))
    evaluating.evaluate(made, night)
    controls.check(made, night)
    return made.lake.load("controls").set_index("control")


def the_target(onset: pd.DataFrame) -> pd.Series:
    """Days to the event."""
    return onset["days_to_event"]


def who_it_is(onset: pd.DataFrame) -> pd.Series:
    """A number of one's own."""
    return pd.Series(pd.factorize(onset["subject_id"])[0])


@pytest.mark.parametrize(("values", "leak"), [(the_target, TARGET), (who_it_is, IDENTITY)])
@pytest.mark.parametrize(("name", "control"), [("sleep_quality_9d", DECLARED), ("mood_valence_last_7d", RECOMPUTED)])
def test_a_column_that_is_the_target_or_the_person_is_caught(
    clean: tuple[Installation, str], name: str, control: str, values: Callable[[pd.DataFrame], pd.Series], leak: str
):
    """Under a name of its own, which nobody declared, and under that of a feature, which raw rows do not give."""
    found = planted(*clean, name, values)
    assert not found.loc[control, "is_passed"]
    assert leak in found.loc[control, "told"]
    assert name in refused(*clean)


def scaled_on_all(matrix: pd.DataFrame) -> pd.DataFrame:
    """Features scaled by all rows of a matrix, test rows included."""
    values = matrix.drop(columns=labelling.KEY)
    scaled = (values - values.mean()) / values.std().replace(0.0, 1.0)
    return matrix.assign(**{name: scaled[name] for name in scaled if name != "tenure_days_enrolled"})


def test_scaling_on_all_rows_is_caught(clean: tuple[Installation, str], monkeypatch: pytest.MonkeyPatch):
    """Test rows moved the features that the model learnt from."""
    honest = protocol.cross_predict
    monkeypatch.setattr(protocol, "cross_predict", lambda matrix, *more: honest(scaled_on_all(matrix), *more))
    found = train(*clean)
    assert not found.loc[REFITTED, "is_passed"]
    assert FULL_DATA_FIT in found.loc[REFITTED, "told"]
    assert FULL_DATA_FIT in refused(*clean)


def test_calibration_on_all_rows_is_caught(clean: tuple[Installation, str], monkeypatch: pytest.MonkeyPatch):
    """The level of risk was set where the test rows' events were known."""
    honest = protocol.cross_predict

    def leaking(matrix, labels, *more):  # noqa: ANN001, ANN202
        level = (labels["days_to_event"] < more[0][-1]).mean()
        predicted = honest(matrix, labels, *more)
        for part in predicted:
            part.risks.update({name: risk * level / risk.mean() for name, risk in part.risks.items()})
        return predicted

    monkeypatch.setattr(protocol, "cross_predict", leaking)
    assert FULL_DATA_FIT in train(*clean).loc[REFITTED, "told"]
    assert FULL_DATA_FIT in refused(*clean)


def test_without_controls_nothing_is_registered(clean: tuple[Installation, str], passed: pd.DataFrame):
    """Controls of another training do not count."""
    made, night = clean
    made.lake.replace("controls", passed.reset_index(), version="another")
    assert "No controls were run" in refused(made, night)


def test_nobody_is_named_in_what_controls_say(clean: tuple[Installation, str], passed: pd.DataFrame):
    """Counts and names of features only."""
    subjects = set(clean[0].lake.load("training_matrix_crisis")["subject_id"])
    assert not any(subject in told for told in passed["told"] for subject in subjects)
