"""The fairness report: gaps only where proven, doubt never as fairness, nothing but what may be shown."""

import csv
import io
import re
from dataclasses import dataclass, field, replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from models.fairness.alerts import AtLeast, TopShare
from models.fairness.audit import Audit, Audited, audit
from models.fairness.showing import Shown, internal, releasable
from models.fairness.verdicts import FAIL, INSUFFICIENT, MANY, PASS, WIDE
from pipelines.reports import plots, site, tables, words
from pipelines.reports.fairness import Former, findings, former, page_text
from pipelines.reports.fairness.view import View
from pipelines.reports.site import Context
from pipelines.reports.tables import Row, Table
from tests.models.made_up_scores import Made, cohort

CONTEXT = Context(as_of=date(2026, 6, 30), dataset="made up")
AUDITED = Audited("made_up", "crisis", "onset", 14, "unseen_subjects", "boosted_hazard")
SENTINEL = "sentinel-9f3a"
HOSTILE = '</script><b onload="x">&'


def made(seed: int = 1, deaf: float = 0.2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A cohort with data of every kind, with a gap by hearing, six people of a size of their own, and hostile names."""
    of = Made({"large": 150, "small": 60, "tiny": 6}, event_chance=0.4, signal_of_deaf=deaf, days=45)
    scored, attributes = cohort(of, seed)
    rng = np.random.default_rng(seed + 100)
    renamed = {name: f"{SENTINEL}-{name}" for name in attributes["subject_id"]}
    names = np.array([HOSTILE, "=1+1", "$x_1$"])
    attributes = attributes.assign(
        subject_id=attributes["subject_id"].map(renamed), name=rng.choice(names, len(attributes))
    )
    completeness = rng.beta(4, 2, len(scored))
    extra = {"completeness": completeness, "missing": 1 - completeness, "abstained": (completeness < 0.3) * 1.0}
    return scored.assign(subject_id=scored["subject_id"].map(renamed), **extra), attributes


@pytest.fixture(scope="module")
def found() -> Audit:
    """One audit of it."""
    return audit(*made(), AUDITED, rule=TopShare(0.1), margin=0.1, resamples=60)


@pytest.fixture(scope="module")
def pages(found) -> dict[str, tuple[Shown, str]]:
    """What may be shown and the page of it, by the name of the bundle."""
    return {shown.name: (shown, page_text(shown, CONTEXT)) for shown in (internal(found), releasable(found))}


@dataclass
class Drawn:
    """A table as a reader gets it: its heading, its cells, and the CSV below it."""

    caption: str = ""
    header: list[str] = field(default_factory=list)
    scopes: list[str | None] = field(default_factory=list)
    rows: list[list[dict[str, str]]] = field(default_factory=list)
    csv: str = ""


class Reader(HTMLParser):
    """The tables of a page, what it loads from elsewhere, and attributes that would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Drawn] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in ("src", "href", "xlink:href"):
            target = given.get(name) or ""
            # Within a plot, what is drawn once is pointed to again.
            if target and not target.startswith(("#", "data:text/csv;charset=utf-8,")):
                self.loaded.append(target)
        self.handlers += [name for name in given if name.startswith("on")]
        if tag in {"link", "iframe", "object", "base"}:
            self.loaded.append(tag)
        if tag == "table":
            self.tables.append(Drawn())
        if tag == "tr":
            self.tables[-1].rows.append([])
        if tag in {"th", "td"}:
            if tag == "th":
                self.tables[-1].scopes.append(given.get("scope"))
            if given.get("scope") != "col":
                self.tables[-1].rows[-1].append({"value": "", "span": "", "mark": ""})
        if tag == "a" and "download" in given:
            self.tables[-1].csv = unquote((given["href"] or "").partition(",")[2])
        self._in.append(
            "col" if given.get("scope") == "col" else "mark" if "mark" in (given.get("class") or "") else tag
        )

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() not in {tag, "col" if tag == "th" else tag, "mark" if tag == "span" else tag}:
            pass

    def handle_data(self, data: str) -> None:
        if not self._in or not self.tables:
            return
        table, inside = self.tables[-1], self._in
        if "caption" in inside:
            table.caption += data
        elif "col" in inside:
            table.header.append(data)
        elif ("td" in inside or "th" in inside) and table.rows and table.rows[-1]:
            part = "mark" if "mark" in inside else "span" if "small" in inside else "value"
            table.rows[-1][-1][part] += data


def of_attribute(shown: Shown, name: str) -> findings.Finding:
    """The finding by one attribute."""
    return findings.of_attribute(View(shown), name)


def with_verdicts(shown: Shown, verdict: str) -> Shown:
    """The same with one verdict everywhere."""
    judged = shown.tables["verdicts"].assign(verdict=verdict)
    return replace(shown, tables={**shown.tables, "verdicts": judged})


def test_a_gap_is_said_only_where_a_verdict_fails(pages):
    """Attribute by attribute, in both bundles: marked as gap if and only if a comparison of it failed."""
    for shown, _ in pages.values():
        for name in View(shown).attributes:
            has_failed = (View(shown).verdicts(name)["verdict"] == FAIL).any()
            assert (of_attribute(shown, name).verdict == FAIL) == has_failed
        assert of_attribute(shown, "hearing").verdict == FAIL
        assert of_attribute(with_verdicts(shown, INSUFFICIENT), "hearing").verdict == INSUFFICIENT


def test_a_gap_is_told_of_those_served_worse(pages):
    """Episodes caught come first, and it is the deaf of whom fewer are, whichever of the two is the reference."""
    shown = pages["internal"][0]
    judged = shown.tables["verdicts"]
    turned = judged.assign(
        group=judged["reference"], reference=judged["group"], group_value=judged["reference_value"],
        reference_value=judged["group_value"], difference=-judged["difference"], low=-judged["high"], high=-judged["low"],
    )  # fmt: skip
    told = [
        of_attribute(replace(shown, tables={**shown.tables, "verdicts": v}), "hearing").sentences
        for v in (judged, turned)
    ]
    assert told[0] == told[1]
    group, sentence = told[0][0]
    assert group == "deaf, against heard"
    assert re.match(r"fewer of their episodes are caught, 0\.\d\d against [01]\.\d\d \(difference −", sentence)


def test_only_where_everybody_was_judged_is_there_a_pass(pages):
    """Every comparison passing is a pass by hearing, and none by size, where six people cannot be judged."""
    shown = with_verdicts(pages["internal"][0], PASS)
    assert of_attribute(shown, "hearing").verdict == PASS
    assert of_attribute(shown, "size").verdict == INSUFFICIENT
    assert "not everybody could be judged" in of_attribute(shown, "size").headline
    one = shown.tables["verdicts"].copy()
    one.loc[one.index[one["attribute"] == "hearing"][0], "verdict"] = INSUFFICIENT
    doubtful = of_attribute(replace(shown, tables={**shown.tables, "verdicts": one}), "hearing")
    assert doubtful.verdict == INSUFFICIENT
    assert "fairness is not proven either" in doubtful.headline


def test_doubt_says_what_could_have_been_found(pages):
    """Where nothing is proven, the widest difference in doubt stands with the smallest that could be found, and why."""
    shown = with_verdicts(pages["internal"][0], INSUFFICIENT)
    judged = shown.tables["verdicts"].assign(why=WIDE)
    shown = replace(shown, tables={**shown.tables, "verdicts": judged})
    ((_, sentence),) = of_attribute(shown, "hearing").sentences
    assert sentence.startswith("widest difference in doubt: ")
    assert re.search(r"It cannot be told: .* would tell a difference of 0\.\d\d from none", sentence)
    assert re.search(r", and prove one of 0\.\d\d larger than the margin of 0\.1\.$", sentence)


def test_beyond_the_margin_by_itself_is_not_beyond_it_among_many():
    """An interval beyond the margin that has no answer is not said to reach across it."""
    assert "some do by chance" in findings.why({"why": MANY})
    assert "reaches across" in findings.why({"why": WIDE})


def test_the_page_never_calls_doubt_fair(pages):
    """No attribute in doubt is marked within the margin; the lead says that it does not mean fair."""
    shown, _ = pages["internal"]
    text = page_text(with_verdicts(shown, INSUFFICIENT), CONTEXT)
    found = text[text.index('id="findings"') : text.index('<p class="legend"')]
    assert "within margin" not in found
    assert "this cohort cannot tell: that does not mean fair." in text
    assert "No gap is proven." in text


def test_a_small_group_is_named_inside_and_not_at_all_in_a_release(pages):
    """Six people: inside their name stands without a figure; in a release nobody learns that there is such a group."""
    rows = [
        row for table in Reader(pages["internal"][1]).tables for row in table.rows if row and row[0]["value"] == "tiny"
    ]
    assert rows
    assert all(len(row) == 2 and row[1]["value"].startswith("Not shown: fewer than 10") for row in rows)
    assert "tiny" not in pages["releasable"][1]


def test_each_page_says_for_whom_it_is(pages):
    """At its head, before the findings."""
    heads = {name: text.partition('id="findings"')[0] for name, (_, text) in pages.items()}
    assert "<b>Internal.</b>" in heads["internal"]
    assert "not for release" in heads["internal"]
    assert "<b>For release.</b>" in heads["releasable"]


def test_a_release_shows_no_number_that_is_not_in_its_tables(pages):
    """Every figure and limit of the tables of figures is one of `Shown.tables`, as far as it is shown."""
    shown, text = pages["releasable"]
    known = np.concatenate([t.select_dtypes("number").astype(float).to_numpy().ravel() for t in shown.tables.values()])
    known = np.unique(np.abs(known[np.isfinite(known)]))
    made_of = (": at this capacity.", ": whatever the threshold.", ": all comparisons.", ": coverage.", ": over time.",
               ": other thresholds.", ": lead times.", ": calibration.", "data.", ": gaps.")  # fmt: skip
    told = 0
    for table in Reader(text).tables:
        if not any(part in table.caption for part in made_of) or "all comparisons. How" in table.caption:
            continue
        for row in table.rows:
            for cell in row[1:]:
                for number in (cell["value"], *cell["span"].split(" to ")):
                    if not re.fullmatch(r"[+−]?[\d,]+(\.\d+)?", number):
                        continue
                    value, decimals = abs(float(plain(number))), len(number.partition(".")[2])
                    assert decimals <= 2, (table.caption, number)
                    assert np.abs(known - value).min() <= 0.5 * 10.0**-decimals + 1e-9, (table.caption, number)
                    told += 1
    assert told > 300


def test_a_page_loads_nothing_and_its_tables_can_be_read_aloud(pages):
    """No address leads elsewhere; every table has a caption, every heading a scope, every plot a description."""
    for _, text in pages.values():
        page = Reader(text)
        assert page.loaded == []
        assert len(page.tables) > 15
        assert all(table.caption and None not in table.scopes for table in page.tables)
        assert text.count("<svg") == text.count('role="img" aria-label="') > 10


def test_each_csv_is_its_table_cell_by_cell(pages):
    """Values, both limits, verdicts and notes; a plain minus, nothing for a dash, no plus and no thousands' comma."""
    for table in Reader(pages["internal"][1]).tables:
        header, *lines = csv.reader(io.StringIO(table.csv))
        shown = [row for row in table.rows if row]
        assert len(lines) == len(shown)
        for row, line in zip(shown, lines, strict=True):
            told = dict(zip(header, line, strict=True))
            is_hidden = len(row) < len(table.header)
            for name, cell in zip(table.header, row[:1] if is_hidden else row, strict=not is_hidden):
                assert told[name].removeprefix("'") == plain(cell["value"])
                if name != table.header[0] and cell["span"]:
                    assert f"{told[f'{name}, low']} to {told[f'{name}, high']}" == plain_span(cell["span"])
                if cell["mark"]:
                    assert told[f"{name}, verdict"] == re.sub(r"^[✓▲?] ", "", cell["mark"])
            if is_hidden:
                assert told["note"] == row[1]["value"]


def plain(text: str) -> str:
    """A cell as CSV is to have it."""
    if text == words.DASH:
        return ""
    is_number = re.fullmatch(r"[+−]?[\d,]+(\.\d+)?", text)
    return text.replace("−", "-").replace(",", "").removeprefix("+") if is_number else text


def plain_span(text: str) -> str:
    """An interval as CSV is to have it."""
    return " to ".join(plain(limit) for limit in text.split(" to "))


def test_hostile_names_are_text_in_the_page_the_plots_and_the_csv(pages):
    """A group named like markup, like a formula of a spreadsheet or of a plot; no script but the page's own."""
    for _, text in pages.values():
        assert HOSTILE not in text
        assert Reader(text).handlers == []
        assert "$x_1$</text>" in text
        assert re.findall(r"<script>(.*?)</script>", text, re.DOTALL) == [SCRIPT]
        cells = [cell for table in Reader(text).tables for line in csv.reader(io.StringIO(table.csv)) for cell in line]
        assert "'=1+1" in cells
        assert not [cell for cell in cells if re.match(r"[=+@\t\r]|-(?!\d)", cell)]


SCRIPT = (Path(site.__file__).with_name("templates") / "sorting.js").read_text(encoding="utf-8").removesuffix("\n")


def test_no_subject_id_reaches_the_page(pages):
    """The sentinel in every subject id is in neither."""
    assert all(SENTINEL not in text for _, text in pages.values())


def test_the_same_tables_give_the_same_bytes(pages):
    """No clock and no random ids."""
    shown, text = pages["releasable"]
    assert page_text(shown, CONTEXT) == text


def test_a_former_version_is_compared(pages):
    """What changed is counted and listed with both intervals; without a former version the section is not there."""
    shown, text = pages["internal"]
    assert 'id="former"' not in text
    then = shown.tables["verdicts"].copy()
    at = then.index[(then["attribute"] == "hearing") & (then["metric"] == "tpr")][0]
    assert then.loc[at, "verdict"] == FAIL
    then.loc[at, ["verdict", "difference", "low", "high"]] = [PASS, 0.011, -0.022, 0.033]
    compared = page_text(shown, CONTEXT, Former("crisis/3", "2026-03-31", shown.tables["rows"], then))
    section = compared.partition('id="former"')[2].partition('id="done"')[0]
    assert "1 changed: 1 from “within margin” to “gap”." in section
    assert "prove nothing either way" in section
    changed, _ = Reader(section).tables
    assert [cell["span"] for cell in changed.rows[-1]][4] == "−0.02 to +0.03"
    same = Former("crisis/3", "2026-03-31", shown.tables["rows"], shown.tables["verdicts"])
    assert "has changed" in former.finding(View(shown), same)


def test_scores_from_elsewhere_have_a_page_without_what_nobody_knows():
    """No dates, one attribute, a risk to act from: no episodes, lead times, course or strata, and no word of doubt for them."""
    scored, attributes = made()
    theirs = Audited("theirs.csv", "readmission", "any", 0, "their test set", "their model")
    of = scored[["subject_id", "probability", "label"]]
    found = audit(of, attributes[["subject_id", "hearing"]], theirs, rule=AtLeast(0.2), margin=0.1, resamples=40)
    for shown in (internal(found), releasable(found)):
        text = page_text(shown, CONTEXT)
        assert "Flagged is a risk of 0.2 or more." in text
        assert "<h1>Fairness audit: readmission</h1>" in text
        for absent in ("Episodes</", "Lead time", 'id="course"', "among days with as much data", 'id="crossed"'):
            assert absent not in text
        assert set(View(shown).verdicts("hearing")["metric"]) == {"selection_rate", "tpr", "fpr", "ppv", "auroc"}


def test_where_nothing_may_be_shown_the_page_says_so():
    """Twelve people: a release of nothing, which is not called fair."""
    scored, attributes = made()
    few = scored["subject_id"].drop_duplicates()[:12]
    found = audit(
        scored[scored["subject_id"].isin(few)], attributes, AUDITED, rule=TopShare(0.1), margin=0.1, resamples=20
    )
    text = page_text(releasable(found), CONTEXT)
    assert "this cohort cannot tell: that does not mean fair." in text
    assert "within margin" not in text[text.index('id="findings"') : text.index('<p class="legend"')]


def test_subjects_to_gather_grow_with_the_square_of_what_is_missing(pages):
    """Twice the margin is told from none: four times the people are needed to prove twice the margin, a third more to show none."""
    shown = with_verdicts(pages["internal"][0], INSUFFICIENT)
    judged = shown.tables["verdicts"].assign(mdd=0.2, n_event_subjects=25, why=WIDE)
    needed = findings.to_gather(View(replace(shown, tables={**shown.tables, "verdicts": judged})))
    assert set(needed["to_fail"]) == {100.0}
    assert set(needed["to_pass"]) == {140.0}
    assert set(needed["metric"]) == {"episodes_caught"}


def test_a_long_name_is_whole_in_tables_and_short_in_plots():
    """What begins and ends it stays, so that groups numbered at either end are told apart."""
    assert plots.short("not recorded") == "not recorded"
    told = plots.short("1 a name that somebody wrote into a questionnaire, in full, 1")
    assert told == "1 a name that…in full, 1"


def test_a_table_sorts_by_what_it_shows_and_its_csv_is_disarmed():
    """Keys are the numbers shown, none for a dash; text that a spreadsheet would run has an apostrophe before it."""
    rows = (
        Row((tables.text("@x"), tables.count(1234), tables.figure(-0.126, -0.2, 0.05, is_signed=True, verdict=FAIL))),
        Row((tables.text("b"), tables.count(pd.NA), tables.figure(float("nan"))), "reference"),
        Row((tables.text("c"),), "Not shown.", is_hidden=True),
    )
    table = Table("t", "A table", ("Group", "Subjects", "Difference"), rows)
    assert [cell.key for cell in rows[0].cells] == ["@x", 1234.0, -0.13]
    assert rows[1].cells[1].key is None
    assert table.csv.splitlines() == [
        'Group,Subjects,Difference,"Difference, low","Difference, high","Difference, verdict",note',
        "'@x,1234,-0.13,-0.20,0.05,gap,",
        "b,,,,,,reference",
        "c,,,,,,Not shown.",
    ]
    assert table.is_text == (True, False, False)


@pytest.mark.parametrize(
    ("rule", "scope", "said"),
    [
        ({"share": 0.1}, "site and night", "the top 10 % of each site’s night"),
        ({"share": 0.05}, "all rows", "the top 5 % of all days"),
        ({"risk": 0.2}, "all rows", "a risk of 0.2 or more"),
    ],
)
def test_the_alert_rule_is_said_in_words(rule, scope, said):
    """A share of what, or a risk."""
    assert words.rule({"rule": rule, "scope": scope}) == said
