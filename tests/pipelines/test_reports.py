"""Reports: whole, self-contained, escaped, silent about small groups."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.baselines import MODEL
from models.evaluation import COLUMNS, GAIN
from models.fairness.alerts import TopShare
from models.fairness.audit import Audited, audit
from models.fairness.showing import internal
from models.gate import Decision, Rule
from models.refitting import REFITTED_GAIN
from pipelines.errors import Fault
from pipelines.reports import alerts, words
from pipelines.reports.fairness import write_fairness
from pipelines.reports.model import write_model
from pipelines.reports.nightly import Serving, count_rows, write_nightly
from pipelines.reports.site import Context, slug, write_index

CONTEXT = Context(as_of=date(2026, 6, 30), dataset="made <up>", model_version="3")
SENTINEL = "sentinel-9f3a"


class Outline(HTMLParser):
    """What a screen reader meets: tables, captions, header cells without scope, and anything loaded from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.n_tables = self.n_captions = 0
        self.unscoped: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.n_tables += tag == "table"
        self.n_captions += tag == "caption"
        if tag == "th" and "scope" not in given:
            self.unscoped.append(tag)
        if tag in {"link", "iframe", "img"} or (tag == "script" and "src" in given):
            self.loaded.append(tag)


def scored_cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """120 subjects, 40 days; three of them of a sex too rare to show."""
    rng = np.random.default_rng(2)
    n, days = 120, 40
    person, day = np.repeat(np.arange(n), days), np.tile(np.arange(days), n)
    start = rng.integers(0, 70, n)
    label = ((start[person] >= day) & (start[person] < day + 14)).astype(int)
    score = 1 / (1 + np.exp(3 - 2 * label - rng.normal(0, 1, len(day))))
    names = np.array([f"{SENTINEL}-{i}" for i in range(n)])
    sex = np.where(np.arange(n) < 3, "rare & <few>", np.where(np.arange(n) % 2, "F", "M"))
    dates = pd.Timestamp("2026-01-01") + pd.to_timedelta(day, "D")
    scored = pd.DataFrame({"subject_id": names[person], "index_date": dates, "probability": score, "label": label})
    return scored, pd.DataFrame({"subject_id": names, "sex": sex, "site": np.where(np.arange(n) % 3, "n", "s")})


@pytest.fixture(scope="module")
def fairness_page(tmp_path_factory) -> tuple[Path, str]:
    """One fairness report and its text."""
    audited = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "boosted_hazard")
    result = audit(*scored_cohort(), audited, rule=TopShare(0.1), margin=0.1, resamples=100)
    path, _ = write_fairness(tmp_path_factory.mktemp("site"), internal(result), CONTEXT)
    return path, path.read_text(encoding="utf-8")


def tidy(gain_low: float = 0.01) -> pd.DataFrame:
    """Result rows of one outcome: our model and one baseline."""
    rows = [("d", "crisis", "onset", h, "unseen_subjects", m, "all", "auroc", v, v - 0.05, v + 0.05, 90, 40)
            for h in (7, 14) for m, v in (("boosted_hazard", 0.74), ("history_only", 0.7))]  # fmt: skip
    rows.append(
        (
            "d",
            "crisis",
            "onset",
            14,
            "unseen_subjects",
            "boosted_hazard",
            "all",
            "auroc_minus_best_baseline",
            0.04,
            gain_low,
            0.07,
            90,
            40,
        )
    )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def model_page(folder: Path, rows: pd.DataFrame, decision: Decision, served: str = "boosted_hazard") -> str:
    """The text of one model report."""
    flow = pd.DataFrame({"outcome": ["crisis", "other"], "task": ["onset", "onset"], "subjects": [90, 7777]})
    curve = pd.DataFrame(
        {"predicted": [0.1, 0.3], "observed": [0.12, 0.28], "low": [0.05, np.nan], "high": [0.2, np.nan]}
    )
    path = write_model(
        folder, "crisis", rows, flow, {"all": curve}, served, decision, 14, CONTEXT, split="unseen_subjects"
    )
    return path.read_text(encoding="utf-8")


PROMOTED = Decision((Rule("gain", True, "Its gain is <proven>."),))


def test_a_page_loads_nothing_from_elsewhere(fairness_page):
    """No script or image from a file, no link to a style: the page works offline and can be mailed."""
    _, text = fairness_page
    assert Outline(text).loaded == []
    assert not re.search(r'(src|href)="https?:', text.replace('xlink:href="#', ""))


def test_every_table_has_a_caption_and_scoped_headers(fairness_page):
    """A screen reader can say which group and which metric a cell belongs to."""
    outline = Outline(fairness_page[1])
    assert outline.n_tables == outline.n_captions > 3
    assert outline.unscoped == []


def test_values_are_escaped(fairness_page):
    """A group name or a dataset with markup is text, in tables and in plots' descriptions."""
    text = fairness_page[1]
    assert "made &lt;up&gt;" in text
    assert "<few>" not in text


def test_no_subject_id_reaches_a_report(fairness_page):
    """The sentinel in every subject id is nowhere in the page."""
    assert SENTINEL not in fairness_page[1]


def test_a_group_too_small_is_named_and_has_no_figures(fairness_page):
    """Three people: each row of theirs says so and holds no rate; no plot shows them."""
    text = fairness_page[1]
    rows = re.findall(r"<th scope=\"row\"[^>]*>rare and &lt;few&gt;</th>(.*?)</tr>", text, re.DOTALL)
    assert rows
    for row in rows:
        assert "Not shown: fewer than 10 subjects" in row
        assert not re.search(r"\d\.\d", row)
    assert not any("rare and" in plot for plot in re.findall(r"<svg.*?</svg>", text, re.DOTALL))


def test_findings_come_before_tables(fairness_page):
    """The plain-language findings are the first thing on the page."""
    text = fairness_page[1]
    assert 0 < text.index("What was found") < text.index("<table")


def test_the_same_audit_writes_the_same_bytes(tmp_path, fairness_page):
    """No clock and no random ids: reports can be compared byte by byte."""
    audited = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "boosted_hazard")
    result = audit(*scored_cohort(), audited, rule=TopShare(0.1), margin=0.1, resamples=100)
    assert write_fairness(tmp_path, internal(result), CONTEXT)[0].read_text(encoding="utf-8") == fairness_page[1]


def test_the_model_report_says_what_serves_and_why(tmp_path):
    """The gate's reason, escaped, and the gain with its interval; other outcomes' counts stay out."""
    refitted = tidy()[lambda rows: rows["metric"] == GAIN].assign(metric=REFITTED_GAIN)
    text = model_page(tmp_path, pd.concat([tidy(), refitted]), PROMOTED)
    assert "Foretide&#39;s model beat the best simple baseline and is served." in text
    assert "Its gain is &lt;proven&gt;." in text
    assert "The model ranks better than the best baseline: AUROC +0.04" in text
    assert "7,777" not in text


def test_only_the_gain_that_decides_has_a_verdict(tmp_path):
    """The headline split's gain of onset is marked; another's is told as not deciding, and whether it was refitted."""
    refitted = tidy().replace({"metric": {GAIN: REFITTED_GAIN}})
    text = model_page(tmp_path, pd.concat([tidy(), refitted]), PROMOTED)
    assert re.search(r"better</span></div><div>This gain decides\. The model ranks better", text)
    assert "interval, refitted: " in text
    other = tidy().assign(split="unseen_and_later")
    beside = model_page(tmp_path, pd.concat([tidy(gain_low=-0.02), other]), PROMOTED)
    assert re.search(r"not proven</span></div><div>This gain decides\. Not proven", beside)
    assert re.search(r"later in time</span></div><div>Does not decide\. Not proven: the model ranks better", beside)


def test_what_decides_comes_first(tmp_path):
    """Of the gains and of the sections, whichever split headlines; of one day it is not said that it is days."""
    both = pd.concat([tidy(), tidy().assign(split="unseen_and_later")]).replace({"horizon_days": {14: 1}})
    flow, decision = pd.DataFrame({"outcome": ["crisis"], "task": ["onset"], "subjects": [90]}), PROMOTED
    for split, other in (("unseen_subjects", "unseen_and_later"), ("unseen_and_later", "unseen_subjects")):
        path = write_model(tmp_path, "crisis", both, flow, {}, MODEL, decision, 1, CONTEXT, split=split)
        text = path.read_text(encoding="utf-8")
        assert text.index("This gain decides.") < text.index("Does not decide.")
        assert text.index(f"<h2>Start of a new episode: {words.SPLITS[split]}") < text.index(
            f"episode: {words.SPLITS[other]}<"
        )
        assert "Within 1 day." in text
        assert "1 days" not in text


def test_the_finding_is_said_once(tmp_path):
    """It leads the page; the release policy's own line counts its rules."""
    text = model_page(tmp_path, tidy(), PROMOTED).partition("<body>")[2]
    assert text.count("beat the best simple baseline and is served") == 1
    assert "1 rule is kept, none is broken." in text


def test_a_gain_that_is_conditional_on_the_fits_is_not_called_proven(tmp_path):
    """However high its interval: fitted again, the model could have come out otherwise."""
    text = model_page(tmp_path, tidy(), PROMOTED)
    assert "Not proven: the model ranks better than the best baseline as long as nothing is fitted again: AUROC" in text
    assert "conditional on the fitted models" in text


def test_a_model_held_back_has_every_rule_for_and_against_it(tmp_path):
    """What speaks for it stands beside what holds it back."""
    held = Decision((Rule("gain", True, "Its gain is proven."), Rule("fairness", False, "Two comparisons fail.")))
    text = model_page(tmp_path, tidy(), held)
    assert "Held back, for the reasons below" in text
    assert re.search(r"for: Its gain is proven\..*against: Two comparisons fail\.", text)


def night_page(folder, scores, roster, context, serving):
    """The page of a night of different subjects, none of whom is on alert."""
    words_of = {"subject_id": [f"s{n}" for n in range(len(scores))], "alert": None, "action": "look",
                "reason_codes": [()] * len(scores)}  # fmt: skip
    rows = pd.DataFrame(words_of).join(scores)
    return write_nightly(folder, count_rows(rows), alerts.of_night(rows), roster, context, serving)


def test_a_night_tells_its_alerts_by_tier_and_who_waits(tmp_path):
    """One new high alert, one subject who stands elevated, two who wait for room, of whom one is in no tier."""
    scores = pd.DataFrame(
        {"subject_id": list("abcd"), "outcome": "crisis", "horizon_days": 7, "status": "scored",
         "tier": ["high", "elevated", "baseline", "baseline"], "alert": ["new", None, None, None],
         "action": ["same-day review", "check-in", "look", "self-guided"],
         "reason_codes": [(), ("waits_for_capacity",), ("waits_for_capacity",), ()]}
    )  # fmt: skip
    text = write_nightly(tmp_path, count_rows(scores), alerts.of_night(scores), 4, CONTEXT, []).read_text()
    cells = re.findall(r"<tr><th scope=\"row\">(High|Elevated|Baseline)</th>(.*?)</tr>", text)
    told = [(tier, *re.findall(r">([^<]+)</td>", row)) for tier, row in cells]
    assert told == [("High", "same-day review", "1", "1", "0", "0"), ("Elevated", "check-in", "1", "0", "0", "0"),
                    ("Baseline", "self-guided", "1", "0", "0", "0"), ("Baseline", "look", "1", "0", "0", "0")]  # fmt: skip
    assert "2 with a risk above the high tier" in text


def test_an_override_stands_at_the_head_of_a_page(tmp_path):
    """Who reads a page about a model that serves outside the policy meets that first."""
    overridden = replace(CONTEXT, overrides=("Served on the word of <somebody>.",))
    scores = pd.DataFrame({"outcome": ["crisis"], "horizon_days": [14], "status": ["scored"], "tier": ["high"]})
    text = night_page(tmp_path, scores, 1, overridden, []).read_text(encoding="utf-8")
    assert text.index("Served on the word of &lt;somebody&gt;.") < text.index('<main id="content">')


def test_a_night_says_at_its_head_what_scored_it(tmp_path):
    """The model, or which simple rule, in words; and that it serves outside the release policy."""
    scores = pd.DataFrame({"outcome": ["crisis"], "horizon_days": [1], "status": ["scored"], "tier": ["high"]})
    serving = [
        Serving("crisis", "history_and_tenure", "foretide-crisis", "3", is_outside_policy=True),
        Serving("relapse", MODEL, "foretide-relapse", "1", is_outside_policy=False),
    ]
    text = night_page(tmp_path, scores, 1, CONTEXT, serving).read_text(encoding="utf-8")
    head = text.partition('<main id="content">')[0]
    rule = "Crisis is scored by the simple rule “history and time enrolled” (foretide-crisis version 3)."
    assert re.search(rf"{re.escape(rule)}.*outside the release policy", head)
    assert re.search(r"Relapse is scored by Foretide&#39;s model \(foretide-relapse version 1\)\.</li>", head)
    assert '<th scope="col">1 day</th>' in text


def test_an_unproven_gain_is_called_unproven(tmp_path):
    """An interval that holds zero is no success, and the baseline served is named."""
    text = model_page(tmp_path, tidy(gain_low=-0.02), PROMOTED, "history_only")
    assert "Not proven better" in text
    assert "The simple rule “episode history only” is served." in text


def test_a_report_without_results_is_refused(tmp_path):
    """No rows, no page that looks like a result."""
    with pytest.raises(Fault, match="no result rows of outcome `crisis`"):
        model_page(tmp_path, tidy().iloc[:0], PROMOTED)
    assert list(tmp_path.iterdir()) == []


def test_a_night_with_missing_rows_says_so(tmp_path):
    """Two rows for three people on the roster: a notice, not silence."""
    scores = pd.DataFrame(
        {"outcome": "crisis", "horizon_days": 7, "status": ["scored", "in_episode"], "tier": ["high", None]}
    )
    text = night_page(tmp_path, scores, 3, CONTEXT, []).read_text(encoding="utf-8")
    assert "Rows are missing" in text
    assert "1 of 3 subjects has a score; 1 is missing." in text


def test_the_index_links_every_page_newest_first(tmp_path):
    """Each page is listed under its kind with its date and its finding."""
    scores = pd.DataFrame({"outcome": "crisis", "horizon_days": 7, "status": ["scored"], "tier": ["high"]})
    for day in (28, 29):
        night_page(tmp_path, scores, 1, Context(as_of=date(2026, 6, day), dataset="d"), [])
    model_page(tmp_path, tidy(), PROMOTED)
    text = write_index(tmp_path).read_text(encoding="utf-8")
    links = re.findall(r'<li><a href="([^"]+)"', text)
    assert links == ["nightly-2026-06-29.html", "nightly-2026-06-28.html", "model-crisis.html"]
    assert "1 of 1 subject has a score" in text


def test_numbers_are_written_for_people():
    """True minus signs, two decimals, no minus zero, a dash for what is not there."""
    assert words.number(-0.126) == "−0.13"
    assert words.number(-0.001, is_signed=True) == "0.00"
    assert words.number(0.5, is_signed=True) == "+0.50"
    assert words.number(float("nan")) == words.DASH
    assert words.span(0.1, float("nan")) == ""
    assert [words.counted(n, "day") for n in (0, 1, 1400)] == ["0 days", "1 day", "1,400 days"]
    assert [words.days(of) for of in ((1,), (7, 14, 28))] == ["1 day", "7, 14 and 28 days"]


def test_file_names_are_safe():
    """Nothing but letters, digits and hyphens reaches the file system."""
    assert slug("../Crisis & <b>7 d") == "crisis-b-7-d"
