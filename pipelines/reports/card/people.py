"""Which data a model was made of, and who is in them."""

from models.flow import DATES, LABELLED
from pipelines.reports import people as table_1
from pipelines.reports import words
from pipelines.reports.card.facts import BLANK, Facts, Section, table


def data(facts: Facts) -> Section:
    """Dataset, knowledge time, version, and how much there is."""
    everybody = table_1.section(facts.people)["lines"][0]
    cells = everybody["cells"] or [everybody["hidden"]] * len(table_1.COLUMNS)
    counts = dict(zip(table_1.COLUMNS, cells, strict=True))
    return Section(
        "data",
        "What it was made of",
        (),
        {
            "Dataset": facts.context.dataset,
            "As of": facts.context.as_of.isoformat(),
            "Known at": facts.known_at,
            "Data version": facts.data_version,
            "Subjects": counts["Subjects"],
            "Event subjects": counts["With an event"],
            "Episodes": counts["Episodes"],
            "Index rows": facts.counted(DATES, "rows"),
            f"Labelled within {words.counted(facts.alert_horizon, 'day')}": facts.counted(LABELLED, "rows"),
            "How people were recruited, and whom they stand for": BLANK,
        },
    )


def cohort(facts: Facts) -> Section:
    """Table 1."""
    found = table_1.section(facts.people)
    rows = [
        (line["attribute"], line["group"], *(line["cells"] or [line["hidden"]] + [""] * (len(found["columns"]) - 1)))
        for line in found["lines"]
    ]
    shown = table(f"Table 1. {found['rules']}", ("Attribute", "Group", *found["columns"]), rows)
    return Section("cohort", "Who is in it", tables=(shown,))


def flow(facts: Facts) -> Section:
    """From index dates to labelled rows, of both tasks at the alert horizon, and how those acted on were treated."""
    at = facts.flow[facts.flow["horizon_days"] == facts.alert_horizon]
    rows = [
        (
            words.TASKS.get(row["task"], row["task"]),
            row["step"],
            words.rounded(row["rows"]),
            words.rounded(row["subjects"]),
        )
        for row in at.to_dict("records")
    ]
    shown = table(
        f"Within {words.counted(facts.alert_horizon, 'day')}; counts are rounded.",
        ("Task", "Step", "Rows", "Subjects"),
        rows,
    )
    treated = tuple(f"Rows acted on. {said}" if at == 0 else said for at, said in enumerate(facts.acted_on))
    return Section("flow", "From index dates to labelled rows", treated, tables=(shown,))
