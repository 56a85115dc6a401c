"""A made-up audit with all that is shown of one: cells, members and tables, by counting. No person stands behind any row."""

from dataclasses import dataclass, field, replace
from itertools import combinations

import pandas as pd

CURVES = ("calibration", "thresholds", "lead_times")


@dataclass(frozen=True)
class About:
    """What was audited, or how: as much as is told of it."""

    dataset: str = "made up"
    outcome: str = "crisis"
    task: str = "onset"
    horizon_days: int = 14
    split: str = "unseen_subjects"
    model: str = "=1+1"


@dataclass(frozen=True)
class How:
    """The design."""

    margin: float = 0.1
    n_rows: int = 1234


@dataclass(frozen=True)
class SmallAudit:
    """An audit as far as showing it goes; see `models.fairness.audit.Audit`."""

    cells: pd.DataFrame
    members: dict[str, frozenset[str]]
    event_members: dict[str, frozenset[str]]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    audited: About = About()
    design: How = How()


def audit_of(
    attributes: pd.DataFrame, episodes: dict[str, int], months: dict[str, set[str]] | None = None
) -> SmallAudit:
    """Everybody, groups, crossed groups, the rest of the cohort for each group, and months of groups.

    Args:
        attributes: subject_id and one column per attribute.
        episodes: how many each subject had; nobody else had any.
        months: whose rows are in a month, by its name.
    """
    table = attributes.set_index("subject_id").astype(str)
    everybody = frozenset(table.index)
    members, rows = {"all": everybody}, [_row("all", "all", "all")]
    for names in [(name,) for name in table] + list(combinations(table, 2)):
        attribute, crossed = " & ".join(names), len(names) > 1
        for level, part in table.groupby(list(names)):
            label = " & ".join(f"{name}={value}" for name, value in zip(names, level, strict=True))
            members[label] = frozenset(part.index)
            rows.append(_row(label, attribute, " & ".join(level), is_crossed=crossed))
            if not crossed and members[label] < everybody:
                members[f"not {label}"] = everybody - members[label]
                rows.append(_row(f"not {label}", attribute, f"all but {level[0]}", is_rest=True))
    for month, there in (months or {}).items():
        for row in [row for row in rows if not row["is_crossed"] and not row["part"]]:
            cell = f"{row['cell']} @ {month}"
            if members[row["cell"]] & there:
                members[cell] = members[row["cell"]] & there
                rows.append({**row, "cell": cell, "part": month})
    cells = pd.DataFrame([{**row, **_counted(members[row["cell"]], episodes)} for row in rows])
    had = frozenset(name for name, count in episodes.items() if count)
    return with_tables(SmallAudit(cells, members, {cell: who & had for cell, who in members.items()}))


def with_tables(audit: SmallAudit) -> SmallAudit:
    """The audit with a row of each kind for every cell; cells are compared with `all`."""
    cells = audit.cells[["cell", "attribute", "group", "n_subjects", "n_event_subjects"]]
    rows = pd.concat([cells[["cell"]].assign(metric=metric, value=value, low=value - 0.1, high=value + 0.1)
                      for metric, value in (("tpr", 0.12345), ("alerts_per_1000_days", 123.45))])  # fmt: skip
    verdicts = cells.assign(reference_cell="all", metric="tpr", difference=-0.001, verdict="pass", p_adjusted=0.12345)
    curves = {name: cells[["cell"]].assign(days=3, value=0.98765) for name in CURVES}
    return replace(audit, tables={"rows": rows.reset_index(drop=True), "verdicts": verdicts, **curves})


def cohort(n: int = 120) -> tuple[pd.DataFrame, dict[str, int]]:
    """Subjects of two attributes that cross in groups of different sizes; half of them had one episode."""
    names = [f"person-{k:03}" for k in range(n)]
    attributes = pd.DataFrame(
        {
            "subject_id": names,
            "sex": ["F" if k % 2 else "M" for k in range(n)],
            "site": ["north" if k % 5 < 2 else "south" if k % 5 < 4 else "east" for k in range(n)],
        }
    )
    return attributes, {name: 1 for k, name in enumerate(names) if k % 4 < 2}


def _row(cell: str, attribute: str, group: str, is_crossed: bool = False, is_rest: bool = False) -> dict[str, object]:
    return {"cell": cell, "attribute": attribute, "group": group, "part": "", "is_crossed": is_crossed,
            "is_reference": False, "is_rest": is_rest}  # fmt: skip


def _counted(who: frozenset[str], episodes: dict[str, int]) -> dict[str, object]:
    had = [episodes[name] for name in who if episodes.get(name)]
    return {"n_rows": 10 * len(who), "n_subjects": len(who), "n_event_subjects": len(had), "n_episodes": sum(had),
            "largest_event_share": max(had) / sum(had) if had else float("nan")}  # fmt: skip
