"""`foretide mitigate`, and a reweighing that is declared: from the command line to gate, card, registry and night."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from models import risk
from models.baselines import Predictor
from models.evaluation import COLUMNS
from models.fairness.frontier import GAP, MINUS_UNMITIGATED, OF_RISK
from models.fairness.ways import RANDOMISED, REWEIGHING, UNMITIGATED, WAYS
from pipelines import engineering
from pipelines.errors import Usage
from pipelines.installation import Installation
from pipelines.release import contest
from pipelines.release.registry import CHALLENGER, CHAMPION
from pipelines.reports import mitigation as told
from pipelines.settings import load_settings
from pipelines.training import fitting, looks
from pipelines.training.mitigating import Compared
from tests.pipelines.small_job import NIGHT, foretide, make_smallest_home

BY = {"training": {"mitigation": {"way": REWEIGHING, "attribute": "sex"}}}


def declared(home: Path, **sections: dict[str, Any]) -> Path:
    """The home's configuration with some keys of some sections set otherwise."""
    path = home / "foretide.yaml"
    content = yaml.safe_load(path.read_text())
    for section, values in sections.items():
        content[section] = content[section] | values
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a declared reweighing, through the whole job once, and then `mitigate` by sex."""
    folder = make_smallest_home(tmp_path_factory.mktemp("home"))
    content = yaml.safe_load((folder / "foretide.yaml").read_text())
    content["sources"][0] |= {"subjects": 90}
    content["audit"] |= {"attributes": ["site", "sex"]}
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    declared(folder, **BY)
    code, answer, said = foretide(folder, "run")
    assert code == 0, (answer, said)
    return folder


@pytest.fixture(scope="module")
def answer(home: Path) -> dict[str, Any]:
    """What the command answers by the declared attribute."""
    code, answer, said = foretide(home, "mitigate", "crisis", "--attribute", "sex")
    assert code == 0, (answer, said)
    # Fairlearn's own warnings are nobody's business here.
    assert "Warning" not in said
    return answer


@pytest.fixture(scope="module")
def made(home: Path) -> Installation:
    """That home."""
    return Installation(load_settings(home / "foretide.yaml"))


def test_the_command_compares_five_ways_on_the_same_rows(answer):
    """Tidy rows of every way and of its difference to none; what is randomised has no risk; a page and the index."""
    rows = pd.DataFrame(answer["rows"])
    assert list(rows) == list(COLUMNS)
    assert set(rows["model"]) == {*WAYS, *(f"{way}{MINUS_UNMITIGATED}" for way in WAYS if way != UNMITIGATED)}
    assert {"all", "sex=F", "sex=M"} <= set(rows["group"])
    is_of_chance = rows["model"].isin(RANDOMISED) & rows["metric"].isin(OF_RISK)
    assert rows.loc[is_of_chance, "value"].isna().all()
    of_risk = rows[(rows["model"] == UNMITIGATED) & (rows["group"] == "all")].set_index("metric")["value"]
    assert of_risk.astype(float).between(-np.inf, np.inf).all()
    assert GAP in of_risk.index
    pages = [Path(path) for path in answer["paths"]]
    assert [page.name for page in pages] == ["mitigation-crisis-sex.html", "index.html"]
    text = pages[0].read_text()
    assert "is not closed" in text
    assert "no: for comparison only" in text
    assert "sim-" not in text
    # Five ways, of everybody and two groups, and what they need: tables that can be sorted and downloaded.
    assert text.count('download="') == text.count('class="sortable"') == 7
    assert "<script>" in text
    assert "<dd>about " in text
    assert "Mitigation compared: crisis by sex" in pages[1].read_text()


def test_what_serves_without_mitigation_is_what_the_others_are_compared_with(home, answer, made):
    """Figures of the declared way are those of the evaluation, which was made with it; it is said what serves."""
    rows = pd.DataFrame(answer["rows"]).set_index(["model", "group", "metric"])
    served = made.lake.load("served").iloc[0]
    results = made.lake.load("results").query(
        "outcome == 'crisis' and task == 'onset' and metric == 'auroc' and group == 'all' and split == @served.split"
    )
    of = results[(results["model"] == served["served"]) & (results["horizon_days"] == 14)]["value"].iloc[0]
    if not answer["fits_left_out"]:
        assert rows.loc[(REWEIGHING, "all", "auroc"), "value"] == pytest.approx(of)
    text = Path(answer["paths"][0]).read_text()
    assert "What serves is reweighed by sex; it is compared here with what it would be without." in text


def test_the_look_at_test_rows_is_on_record_once(home, answer, made):
    """However often the same is asked."""
    before = looks.of(made.audit_log, "crisis")
    assert looks.is_on_record(made.audit_log, "crisis", "mitigation by sex")
    code, again, _ = foretide(home, "mitigate", "crisis", "--attribute", "sex")
    assert code == 0
    assert again["rows"] == answer["rows"]
    assert looks.of(made.audit_log, "crisis") == before


def test_what_cannot_be_compared_is_refused(home):
    """An attribute that is not audited and an outcome that is not declared are named; nothing of anybody is."""
    for arguments, said in (
        (("crisis", "--attribute", "shoe"), "`shoe` is not among `audit: attributes:`"),
        (("nothing",), "No such outcome is declared"),
    ):
        code, answer, _ = foretide(home, "mitigate", *arguments)
        assert code == 2
        assert said in answer["error"]


def test_a_declared_reweighing_reaches_gate_registry_card_and_night(home, made):
    """The fitted file, the results the gate judged, the run's tags and params, the card and both pages say it."""
    assert made.lake.load("served")["reweighed_by"].tolist() == ["sex"]
    version = made.registry.find("foretide-crisis", CHALLENGER)
    assert version == made.registry.find("foretide-crisis", CHAMPION)
    assert version.tags["mitigation"] == "reweighing by sex"
    assert risk.load(made.registry.fetch(version)).reweighed_by == "sex"
    params = made.registry._client.get_run(version.run_id).data.params
    assert "reweighing" in params["mitigation"]
    reports = made.settings.reports_folder
    card = (reports / "model-crisis.card.md").read_text()
    assert "| Mitigation | reweighing by sex |" in card
    assert "Mitigation: training rows reweighed by sex." in card
    assert "nothing was resampled or weighted" not in card
    assert "Mitigated as declared: training rows are reweighed by sex" in (reports / "model-crisis.html").read_text()
    assert "reweighed by sex (foretide-crisis version 1)" in (reports / f"nightly-{NIGHT}.html").read_text()


def test_evaluation_and_final_fit_are_of_the_mitigated_predictor(made):
    """Weights of training rows alone: without them both are others."""
    outcome = engineering.outcomes(made)[0]
    matrix, labels = made.lake.load("training_matrix_crisis"), made.lake.load("labels_crisis")
    served = risk.load(made.registry.fetch(made.registry.find("foretide-crisis", CHALLENGER)))
    how = made.settings.training
    with_it, without = (
        fitting.fit_final(
            matrix, labels, outcome, Predictor(served.name, served.learner, served.features, served.growth, by), how
        )
        for by in ("sex", "")
    )
    assert with_it.linear == served.linear != without.linear
    split, key = made.lake.load("served")["split"].iloc[0], ["subject_id", "index_date"]
    tested = made.lake.load("predictions_crisis").query("split == @split")[[*key, served.name]]
    predictors = tuple(
        Predictor(by or "plain", served.learner, served.features, served.growth, by) for by in ("sex", "")
    )
    both = tested.merge(contest.fitted(made, NIGHT, outcome, predictors, split), on=key)
    assert len(both) == len(tested) > 1000
    assert (both["sex"] == both[served.name]).all()
    assert not (both["plain"] == both[served.name]).all()
    assert not contest.is_alike(*predictors)


@pytest.mark.parametrize(
    ("mitigation", "said"),
    [
        ({"way": "exponentiated_gradient", "attribute": "sex"}, "flags by chance and gives no risk.*`reweighing`, or nothing"),
        ({"way": "threshold_optimizer", "attribute": "sex"}, "flags by chance"),
        ({"way": "group_recalibration", "attribute": "sex"}, "needs the attribute at prediction"),
        ({"way": "unmitigated", "attribute": "sex"}, "no such way to mitigate"),
        ({"way": "reweighing", "attribute": "language"}, "names what is not among `attributes:`"),
    ],
)  # fmt: skip
def test_only_what_needs_nothing_at_prediction_can_be_declared(tmp_path, mitigation, said):
    """And only by what is audited."""
    home = make_smallest_home(tmp_path)
    path = declared(home, training={"mitigation": mitigation})
    with pytest.raises(Usage, match=said):
        load_settings(path)


def compared(**figures: tuple[float, float, float]) -> Compared:
    """A made-up comparison by sex: everything 0.2, but for some figures, named `<way>__<group>__<metric>`."""
    rows = []
    for model in (*WAYS, *(f"{way}{MINUS_UNMITIGATED}" for way in WAYS[1:])):
        usual = (0.0, -0.1, 0.1) if model.endswith(MINUS_UNMITIGATED) else (0.2, 0.12, 0.3)
        for group in ("all", "F", "M"):
            for metric in ("selection_rate", "tpr", "fpr", "ppv", *OF_RISK, *([GAP] if group == "all" else [])):
                value, low, high = figures.get(f"{model}__{group}__{metric}", usual)
                rows.append({"model": model, "group": group if group == "all" else f"sex={group}", "metric": metric,
                             "value": value, "low": low, "high": high})  # fmt: skip
    tidy = pd.DataFrame(rows).assign(
        dataset="x",
        outcome="crisis",
        task="onset",
        horizon_days=14,
        split="unseen_and_later",
        n_subjects=90.0,
        n_episodes=40.0,
    )
    groups = pd.DataFrame({
        "attribute": ["all", "sex", "sex", "sex"], "group": ["all", "F", "M", "not recorded"],
        "label": ["all", "sex=F", "sex=M", "sex=not recorded"], "n_subjects": 45, "n_event_subjects": 20, "n_episodes": 25,
        "is_shown": [True, True, True, False], "is_counted": [True, True, False, False],
    })  # fmt: skip
    return Compared(tidy[list(COLUMNS)], groups, "sex", "history_only", "", 0.1, 0.1, 1000, 1, 0, 15, "night")


def test_sentences_say_no_more_than_intervals_do():
    """A gap is narrowed, groups are caught more or less, only where a whole interval says so; else that it is not proven."""
    nothing = told.sentences(compared())
    assert "Reweighing is not proven to narrow or widen the gap" in nothing[1]
    assert "No group is proven to be caught more or less often" in nothing[1]
    assert "not proven more than a lot would" in nothing[1]
    assert "with none of these does the widest gap lie, interval and all, within 0.1" in nothing[-2]
    assert "cannot be chosen" in nothing[-1]
    assert "“not recorded”" in nothing[-1]
    minus = f"reweighing{MINUS_UNMITIGATED}"
    proven = compared(**{
        f"{minus}__all__{GAP}": (-0.1, -0.15, -0.05), f"{minus}__F__tpr": (0.1, 0.02, 0.2), f"{minus}__M__tpr": (-0.1, -0.2, -0.02),
        f"reweighing__all__{GAP}": (0.04, 0.01, 0.08), "reweighing__all__tpr": (0.3, 0.25, 0.4),
    })  # fmt: skip
    said = told.sentences(proven)
    assert "Reweighing narrows the widest gap (now 0.04; change −0.10 (−0.15 to −0.05))" in said[1]
    assert "It is proven to catch more in “F” (+0.10 (+0.02 to +0.20)). It is proven to catch less in “M”" in said[1]
    assert "a lot" not in said[1]
    assert "within 0.1 with Reweighing alone" in said[-2]
