"""The model card: one source, everything told, nothing invented, small numbers protected."""

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.evaluation import GAIN
from models.gate import Decision, Rule
from models.outcomes import Outcome, Part
from models.refitting import REFITS, REFITTED_GAIN
from pipelines.alert_sections import AlertPolicy
from pipelines.reports import card
from pipelines.reports.card import tripod
from pipelines.reports.card.facts import BLANK, Facts
from pipelines.reports.site import Context, write_index
from pipelines.sections import AuditSettings, ReleasePolicy, Training
from pipelines.training.controls import RECOMPUTED
from tests.models.made_up import OUTCOME
from tests.pipelines.test_model_page import GROUPS, abstention_rows, by_group, control_rows, flow_rows, importance_rows
from tests.pipelines.test_reports import tidy

CONTEXT = Context(date(2026, 6, 30), "made <up> | `it`", "foretide-crisis/3", "p0l1cy", "0.1")


def verdicts() -> pd.DataFrame:
    """Three comparisons of single attributes, one of crossed ones."""
    of = [("pass", False), ("insufficient_evidence", False), ("insufficient_evidence", False), ("fail", True)]
    return pd.DataFrame(of, columns=["verdict", "is_crossed"])


def results() -> pd.DataFrame:
    """Results with a gain, refitted as well; a slope without an interval."""
    rows = tidy()
    of = rows[rows["metric"] == GAIN].iloc[0].to_dict()
    more = [of | {"metric": REFITTED_GAIN, "low": -0.02, "high": 0.1}]
    more += [of | {"metric": "calibration_slope", "value": 0.9, "low": np.nan, "high": np.nan}]
    return pd.concat([rows, pd.DataFrame(more)], ignore_index=True).assign(n_subjects=91, n_episodes=43)


def facts(**changed: object) -> Facts:
    """What a card of a made-up training tells."""
    told = Facts(
        outcome=OUTCOME, finding="It serves.", reason="It beats the rule.", served="boosted_hazard", split="unseen_subjects",
        alert_horizon=14, learner="boosted_trees", features=("sleep_a", "sleep_b", "history_c"),
        families={"sleep": 2, "history": 1}, decision=Decision((Rule("gain", True, "a gain"), Rule("fairness", False, "2 fail"))),
        context=CONTEXT, rows=results(), flow=flow_rows(), people=GROUPS, controls=control_rows(),
        importance=importance_rows(), abstention=abstention_rows(), abstained_by_group=by_group(), verdicts=verdicts(),
        fairness_page="fairness-crisis.html", told={}, known_at="2026-06-30T03:00",
        data_version="da7a", model_hash="4a54", training=Training(), release_policy=ReleasePolicy(), alert_policy=AlertPolicy(),
        audit=AuditSettings(), is_tuned=False, reweighed_by="", acted_on=("None recorded: nobody can tell.",),
    )  # fmt: skip
    return replace(told, **changed)


def texts(section: dict) -> list[str]:
    """Every text of a section, in order."""
    tables = [text for table in section["tables"] for text in (table["caption"], *table["columns"])]
    cells = [cell for table in section["tables"] for row in table["rows"] for cell in row]
    return [section["heading"], *section["lines"], *section["facts"], *section["facts"].values(), *tables, *cells]


def row_of(data: dict, section: str, first: str, table: int = 0) -> list[str]:
    """The row of a section's table that begins so."""
    (found,) = (row for row in data["sections"][section]["tables"][table]["rows"] if row[0] == first)
    return list(found)


def test_markdown_tells_all_that_json_does(tmp_path: Path):
    """One is rendered from the other, as it lies in the folder; so that they cannot differ."""
    card.write_card(tmp_path, "model-crisis", facts())
    data = json.loads((tmp_path / "model-crisis.card.json").read_text(encoding="utf-8"))
    shown = (tmp_path / "model-crisis.card.md").read_text(encoding="utf-8")
    assert shown == card.markdown(data)
    plain = " ".join(re.sub(r"\[([^]]+)\]\(\1\)", r"\1", shown).replace("\\*", "*").split())
    for section in data["sections"].values():
        for text in texts(section):
            assert " ".join(text.replace("<", "&lt;").replace("|", "&#124;").replace("`", "'").split()) in plain


def test_the_same_training_writes_the_same_card(tmp_path: Path):
    """No clock in it: a card can be compared byte by byte."""
    assert card.write_card(tmp_path / "a", "m", facts()) == card.write_card(tmp_path / "b", "m", facts())


def test_text_from_outside_stays_text():
    """A dataset's name brings no markup, no cell and no code with it."""
    shown = card.markdown(card.as_data(facts()))
    assert "made &lt;up> &#124; 'it'" in shown
    assert "made <up>" not in shown


def test_an_override_stands_at_the_head():
    """Who reads the card meets it before anything else about the model."""
    overridden = replace(CONTEXT, overrides=("Served on the word\nof | somebody.",))
    shown = card.markdown(card.as_data(facts(context=overridden)))
    assert shown.index("**Served on the word of &#124; somebody.**") < shown.index("## ")


def test_every_part_of_tripod_ai_is_there_once():
    """27 items, 52 parts; each is filled in, or marked for a person, or both."""
    numbers = [item.number for item in tripod.ITEMS]
    assert {int(re.sub(r"\D", "", number)) for number in numbers} == set(range(1, 28))
    assert len(numbers) == len(set(numbers)) == 52
    assert all(item.answer or item.left for item in tripod.ITEMS)


def test_what_only_a_person_can_say_is_left_blank_and_marked():
    """Ethics, funding, conflicts, registration, involvement: never invented."""
    data = card.as_data(facts())
    for number in ("3c", "18a", "18b", "18d", "18e", "19"):
        _, _, filled, left = row_of(data, "tripod_ai", number)
        assert filled == ""
        assert left.startswith(BLANK)
    ratings = data["sections"]["probast_ai"]["tables"][1]["rows"]
    assert len(ratings) == 8
    assert all(row[2] == BLANK for row in ratings)


def test_trees_that_a_search_on_these_people_may_have_chosen_are_told():
    """In TRIPOD+AI and where it is said how the model was made; where there was no search, that is said."""
    tuned, untuned = (card.as_data(facts(is_tuned=is_tuned)) for is_tuned in (True, False))
    assert "figures are no test of it" in row_of(tuned, "tripod_ai", "12c")[2]
    assert "no search on these people chose them" in row_of(untuned, "tripod_ai", "12c")[2]
    told = "searched on these people"
    assert any(told in line for line in tuned["sections"]["learner"]["lines"])
    assert not any(told in line for line in untuned["sections"]["learner"]["lines"])


@pytest.mark.parametrize(("refits", "answer"), [(200, "yes"), (0, "no")])
def test_refits_are_those_that_were_made(refits: int, answer: str):
    """Not those declared: nothing is fitted again where the conditional interval proves nothing."""
    rows = results()
    made = rows[rows["metric"] == REFITTED_GAIN].assign(metric=REFITS, value=refits)
    data = card.as_data(facts(rows=pd.concat([rows, made[made["value"] > 0]])))
    asked = [row for row in data["sections"]["probast_ai"]["tables"][0]["rows"] if "what refitting adds" in row[2]]
    assert [row[3:] for row in asked] == [(answer, f"{refits} refits")]
    assert data["sections"]["learner"]["facts"]["Refits on resampled subjects"] == str(refits)


def test_no_fact_is_missing_from_an_answer():
    """Every brace of an answer was filled."""
    data = card.as_data(facts())
    assert not [text for section in data["sections"].values() for text in texts(section) if re.search(r"[{}]", text)]


@pytest.mark.parametrize(
    ("rows", "answer"),
    [(control_rows(), "yes"), (control_rows(**{RECOMPUTED: True}), "no"), (None, "no information")],
)
def test_a_question_about_leaks_is_answered_by_the_control(rows, answer: str):
    """Yes only where it passed; a training without controls knows nothing."""
    data = card.as_data(facts(controls=rows))
    asked = [row for row in data["sections"]["probast_ai"]["tables"][0]["rows"] if "moment of prediction" in row[2]]
    assert [row[3] for row in asked] == [answer]


def test_each_figure_says_what_its_interval_holds():
    """Refitted, conditional on the fits, or none: three different things."""
    data = card.as_data(facts())
    assert row_of(data, "figures", "AUROC gain, refitted")[2:] == [
        "−0.02 to +0.10",
        "resampled subjects, everything fitted again",
    ]
    assert row_of(data, "figures", "AUROC gain")[3] == "resampled subjects, conditional on the fits"
    assert row_of(data, "calibration", "Calibration slope")[2:] == ["–", "no interval is made"]


def test_figures_are_of_what_serves_and_of_the_model():
    """A rule that serves has its own; the model's stand beside them."""
    data = card.as_data(facts(served="history_only", learner="logistic"))
    captions = [table["caption"] for table in data["sections"]["figures"]["tables"]]
    assert captions == ["Ranking and alerts: Baseline: episode history only.", "Ranking and alerts: Foretide's model."]


def test_small_numbers_are_protected():
    """Four people's group has no figures; no count of subjects is exact, in sections or in rows."""
    data = card.as_data(facts(flow=flow_rows().assign(subjects=3)))
    hidden = [row for row in data["sections"]["cohort"]["tables"][0]["rows"] if row[1] == "<x>"]
    assert hidden == [("Sex", "<x>", "too few to show", *[""] * 6)]
    assert {row[3] for row in data["sections"]["flow"]["tables"][0]["rows"]} == {"fewer than 10"}
    assert data["sections"]["data"]["facts"]["Subjects"] == "85"
    assert all(row["n_subjects"] % 5 == row["n_episodes"] % 5 == 0 for row in data["rows"])


def test_verdicts_are_counted_and_insufficient_is_no_pass():
    """One pass, two that cannot tell; the failed one is of crossed attributes."""
    data = card.as_data(facts())
    assert row_of(data, "fairness", "one attribute") == ["one attribute", "1", "0", "2"]
    assert row_of(data, "fairness", "two attributes crossed") == ["two attributes crossed", "0", "1", "0"]
    assert "[fairness-crisis.html](fairness-crisis.html)" in card.markdown(data)


def test_the_policy_in_words_follows_the_configuration():
    """The change control plan tells the limits that are in force."""
    data = card.as_data(facts(release_policy=ReleasePolicy(min_subjects=77, block_on_fairness_fail=False)))
    assert row_of(data, "change", "data")[1].startswith("77 subjects tested or more")
    assert row_of(data, "change", "fairness")[1] == (
        "failures are told, and hold nothing back; insufficient evidence is told, and holds nothing back"
    )
    declared = card.as_data(facts(release_policy=ReleasePolicy(min_group_event_subjects=60)))
    assert "in a group of 60 or more subjects with an event" in row_of(declared, "change", "fairness")[1]
    assert row_of(data, "serving", "fairness") == ["fairness", "NOT KEPT", "2 fail"]
    assert "shadow" not in card.markdown(data)
    asked = card.as_data(facts(release_policy=ReleasePolicy(shadow_nights=14)))
    assert row_of(asked, "change", "shadow nights")[1].startswith("14 or more beside the one that serves")


def test_an_outcome_on_a_scale_is_defined_by_its_scale():
    """Relapse: the scale, the remission that must come first, and the rise; absence is known by assessments."""
    relapse = Outcome("relapse", (14, 28), assessment="phq_9", in_remission_below=10, rise=5)
    told = card.as_data(facts(outcome=relapse))["sections"]["outcome"]["facts"]
    assert (told["Kind"], told["Scale"], told["In remission below"], told["Rise"]) == ("relapse", "phq_9", "10", "5")
    assert told["How absence of an event is known"] == "by an assessment within the horizon"
    assert "Events" not in told


def test_each_part_of_a_combination_is_defined():
    """A rise without remission is called deterioration."""
    worse = Outcome("worse", (14, 28), any_of=(Part(events=("emergency",)), Part(assessment="phq_9", reaches=20)))
    told = card.as_data(facts(outcome=worse))["sections"]["outcome"]["facts"]
    assert told["Any of, 1"] == "Events: emergency, How absence of an event is known: a registry sees everyone"
    assert told["Any of, 2"].startswith(
        "Kind: deterioration, Scale: phq_9, Reaches: 20, Reference: median of the last 90 days"
    )


def test_what_was_not_made_is_said(tmp_path: Path):
    """A replay registers nothing; a training may have no controls and no importance."""
    data = card.as_data(
        facts(controls=None, importance=None, model_hash="", context=replace(CONTEXT, model_version=""))
    )
    assert data["sections"]["versions"]["facts"]["Model"] == "not registered"
    assert data["sections"]["controls"]["lines"] == ("None were run on this training, so its figures are unchecked.",)
    assert data["sections"]["associated"]["lines"] == ("Not measured in this training.",)


def test_the_index_links_the_card_beside_its_report(tmp_path: Path):
    """Both formats, with the page that they belong to."""
    page = '<title>Model report: crisis</title><meta name="foretide-kind" content="model"></head>'
    (tmp_path / "model-crisis.html").write_text(page)
    card.write_card(tmp_path, "model-crisis", facts())
    text = write_index(tmp_path).read_text(encoding="utf-8")
    assert '<a href="model-crisis.card.json">json</a>, <a href="model-crisis.card.md">md</a>' in text


def test_how_rows_acted_on_were_treated_stands_in_the_flow_and_in_tripod(tmp_path: Path):
    """What the training did with rows on which something was done is told beside the flow, and under item 6c, treatments."""
    said = (
        "100 of 2,000 labelled rows were acted on.",
        "The model ranks with an AUROC of 0.71 without them, of 0.70 with them.",
    )
    card.write_card(tmp_path, "model-crisis", facts(acted_on=said))
    data = json.loads((tmp_path / "model-crisis.card.json").read_text(encoding="utf-8"))
    assert data["sections"]["flow"]["lines"] == [f"Rows acted on. {said[0]}", said[1]]
    assert said[0] in row_of(data, "tripod_ai", "6c")[2]
