"""Audits anybody's scores: a CSV or Parquet file with a score, what happened, whose row it is, and groups to compare.

Needs no installation and keeps nothing but what it writes into one folder. Only the columns that are named are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from models.fairness import showing
from models.fairness.alerts import AlertRule
from models.fairness.audit import Audited, audit
from models.fairness.groups import NOT_RECORDED
from models.fairness.showing import Shown
from pipelines.errors import Refused, Usage
from pipelines.progress import Report
from pipelines.release import releases
from pipelines.release.releases import Release
from pipelines.reports.bundle import write_bundle
from pipelines.reports.fairness import page_text
from pipelines.reports.site import Context

# How files write what happened and what did not, in lower case.
LABELS = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}


@dataclass(frozen=True)
class Asked:
    """The file's columns: what happened, the score, whose row it is, groups, and where there are such, date and site."""

    label: str
    score: str
    subject: str
    groups: tuple[str, ...]
    time: str | None = None
    site: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them, in the order of the options."""
        optional = (name for name in (self.time, self.site) if name is not None)
        return (self.label, self.score, self.subject, *self.groups, *optional)


@dataclass(frozen=True)
class Found:
    """What may be shown of the audit inside, the files that were written, and the release, if one was asked for."""

    shown: Shown
    paths: list[Path]
    released: Release | None


def audit_file(
    file: Path, asked: Asked, rule: AlertRule, margin: float, resamples: int, references: Mapping[str, str], out: Path, night: str,
    is_release: bool, report: Report,
) -> Found:  # fmt: skip
    """Audit a scores file, and write the internal bundle with its page to a folder; on request also release it.

    Args:
        references: group column -> value that the others are compared with.
        out: the folder; what lies in its `internal` is replaced.
        night: the date that page and ledger carry, as `2026-06-30`.

    Raises:
        Usage: a column is named twice, or a reference of a column that is no group.
        Refused: the file or a column is not there or not usable, or a subject is in two groups.
        ModelsError: see `models.fairness.audit.audit`.
    """
    _refuse_confused(asked, references)
    report("reading the scores")
    table = _read(file, asked)
    scored, attributes = _scored(file, table, asked), _attributes(file, table, asked)
    report(f"auditing {len(scored):,} rows")
    named = Audited(file.name, asked.label, "", 0, "", asked.score)
    found = audit(scored, attributes, named, rule=rule, margin=margin, resamples=resamples, reference_groups=references)
    context = Context(as_of=date.fromisoformat(night), dataset=file.name)
    shown = showing.internal(found)
    bundle = write_bundle(out, shown, page_text(shown, context))
    paths, made = [bundle / "report.html"], None
    if is_release:
        leaving = showing.releasable(found)
        made = releases.release(
            releases.ledger_of(file), leaving, found.members, found.event_members, night=night, report=file.name, folder=out,
            page=page_text(leaving, context),
        )  # fmt: skip
        paths.append(made.bundle)
    return Found(shown, paths, made)


def _refuse_confused(asked: Asked, references: Mapping[str, str]) -> None:
    empty = [
        option
        for option, name in (("--label", asked.label), ("--score", asked.score), ("--subject", asked.subject))
        if not name
    ]
    if empty or not all(asked.groups):
        named = ", ".join(empty or ["--groups"])
        raise Usage(f"{named} names no column. Give names as they stand in the file, groups with a comma between.")
    twice = sorted({name for name in asked.columns if asked.columns.count(name) > 1} - {asked.site})
    if twice:
        raise Usage(f"Column {_quoted(twice)} is named for two things. Each column can be only one of them.")
    stray = sorted(set(references) - set(asked.groups))
    if stray:
        raise Usage(f"`--reference` names {_quoted(stray)}, which is not among `--groups`.")


def _read(file: Path, asked: Asked) -> pd.DataFrame:
    """The named columns, as text where the file is CSV."""
    if not file.is_file():
        raise Refused(f"There is no file {file}.")
    wanted = list(dict.fromkeys(asked.columns))
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            names = pq.read_schema(file).names
            _refuse_missing(file, wanted, names)
            return pq.read_table(file, columns=wanted).to_pandas()
        with pa_csv.open_csv(file) as opened:
            names = opened.schema.names
        _refuse_missing(file, wanted, names)
        how = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=True
        )
        return pa_csv.read_csv(file, convert_options=how).to_pandas()
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        # Its text may quote a line of the file.
        raise Refused(
            f"{file.name} cannot be read as {'Parquet' if file.suffix.lower() != '.csv' else 'CSV'}. Give a CSV file with a header, "
            "commas and UTF-8, or a Parquet file."
        ) from error


def _refuse_missing(file: Path, wanted: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        # The names that it has may be somebody's row, where a file has no header.
        raise Refused(
            f"{file.name} has no column {_quoted(missing)} among its {len(names)}. Does it begin with a line of names, and are they "
            "set apart by commas?"
        )


def _scored(file: Path, table: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """What `audit` takes, once every value is known to be one."""
    subject = table[asked.subject].astype("string")
    score = pd.to_numeric(table[asked.score], errors="coerce").astype(float)
    label = table[asked.label].astype("string").str.strip().str.lower().map(LABELS)
    found = {"subject_id": subject, "probability": score, "label": label}
    checks = [
        (asked.subject, subject.isna() | (subject.str.strip() == ""), "without a subject", "Leave them out."),
        (asked.score, ~score.between(0, 1), "without a score from 0 to 1", "Leave them out, or give probabilities."),
        (asked.label, label.isna(), "with another label than 0 or 1", "Leave out rows of which nobody knows what happened."),
    ]  # fmt: skip
    if asked.time is not None:
        found["index_date"] = pd.to_datetime(table[asked.time], errors="coerce", format="ISO8601", utc=True)
        found["index_date"] = found["index_date"].dt.tz_localize(None).dt.normalize()
        checks.append((asked.time, found["index_date"].isna(), "without a date", "Write dates like 2026-06-30."))
    if asked.site is not None:
        found["site"] = table[asked.site].astype("string").fillna(NOT_RECORDED)
    for column, is_wrong, what, cure in checks:
        if is_wrong.any():
            raise Refused(f"`{column}` of {file.name} has {int(is_wrong.sum())} of {len(table)} rows {what}. {cure}")
    if table.empty:
        raise Refused(f"{file.name} has no rows below its names, so there is nothing to audit.")
    scored = pd.DataFrame(found).astype({"label": "int64"})
    if asked.time is not None and scored.duplicated(["subject_id", "index_date"]).any():
        count = int(scored.duplicated(["subject_id", "index_date"]).sum())
        raise Refused(
            f"{file.name} has {count} rows that repeat a subject and a day. Keep one score a day, or leave `--time` out."
        )
    return scored


def _attributes(file: Path, table: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """One row per subject; a subject without a value in some rows has the value of the others."""
    groups = table[list(asked.groups)].astype("string").apply(lambda of: of.str.strip()).replace("", pd.NA)
    subject = table[asked.subject].astype("string")
    for name in asked.groups:
        pairs = pd.DataFrame({"subject": subject, "group": groups[name]}).dropna().drop_duplicates()
        n_double = len(set(pairs.loc[pairs["subject"].duplicated(), "subject"]))
        if n_double:
            raise Refused(
                f"`{name}` of {file.name} has two values for {n_double} subjects, so they would be in two groups. Give each "
                "subject one value throughout."
            )
    return groups.groupby(subject).first().rename_axis("subject_id").reset_index()


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
