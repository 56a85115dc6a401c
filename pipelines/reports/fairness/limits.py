"""The tables of what a fairness report cannot tell: other margins, whom to gather for an answer, and what is not shown."""

from collections.abc import Iterable

from models.fairness.groups import EVERYBODY
from models.fairness.verdicts import OPEN
from pipelines.reports import tables, words
from pipelines.reports.fairness import findings
from pipelines.reports.fairness import tables as made
from pipelines.reports.fairness.view import View
from pipelines.reports.tables import Cell, Row, Table


def sensitivity(view: View) -> Table:
    """How the comparisons of each attribute would come out at other margins."""
    table = view.table("sensitivity")
    table = table[table["metric"].isin(view.judged)]
    rows = []
    for attribute in view.attributes:
        for margin, part in table[table["attribute"] == attribute].groupby("margin"):
            is_own = abs(float(margin) - view.margin) < 1e-9
            cells = (tables.text(words.plain(attribute)), Cell(f"{margin:g}", key=float(margin), is_number=True))
            rows.append(
                Row((*cells, *made.tally(part["verdict"])), "the margin declared" if is_own else "", is_own=is_own)
            )
    return Table(
        "If the margin were another", "How many comparisons would come out how, by margin", ("Attribute", "Margin", *made.TALLY),
        tuple(rows),
    )  # fmt: skip


def to_gather(view: View) -> Table:
    """Subjects with an event that each unanswered comparison with a reference would need for either answer."""
    needed = findings.to_gather(view)
    rows = [
        Row(
            (tables.text(row["group"]), tables.text(words.plain(row["attribute"])), tables.text(row["reference"]),
             tables.count(row["n_event_subjects"]), tables.figure(row["mdd"]),
             tables.count(row["to_pass"]), tables.count(row["to_fail"]),
             tables.text("" if row["why"] in OPEN else findings.why(row)))
        )
        for row in needed.to_dict("records")
    ]  # fmt: skip
    asked = words.metric(needed["metric"].iloc[0]).short.lower() if len(needed) else ""
    return Table(
        "Data to gather",
        f"Subjects with an event that an answer would need, by {asked}, if the reference grows alike", (
            "Group", "Attribute", "Compared with", "With an event now", "Told from none",
            "Needed to show no gap, if there is none", f"Needed to prove a gap of {2 * view.margin:g}", "Why nothing follows",
        ), tuple(rows),
    )  # fmt: skip


def suppressed(view: View) -> Table:
    """What is not shown: how much of what, and why."""
    order = [EVERYBODY, *view.attributes]
    log = view.shown.suppressed.sort_values(
        "attribute",
        key=lambda of: of.map(lambda name: order.index(name) if name in order else len(order)),
        kind="stable",
    )
    rows = []
    for (attribute, what, why), part in log.groupby(["attribute", "what", "why"], sort=False):
        n, places = int(part["n_cells"].sum()), _listed(part["table"])
        rows.append(
            Row((
                tables.text("everybody" if attribute == EVERYBODY else made.pair(attribute)),
                tables.text(words.KEPT_BACK[what]), tables.count(n), tables.text(words.HELD_BACK.get(why, why)), tables.text(places),
            ))
        )  # fmt: skip
    return Table(
        "What is not shown", "Groups, crossed groups, complements, and parts by period or by data, of which something is held back",
        ("By", "Not shown", "How many", "Why", "Where"), tuple(rows),
    )  # fmt: skip


def _listed(names: Iterable[str]) -> str:
    return words.listing([words.plain(name) for name in dict.fromkeys(names)])
