"""The command `audit`: the fairness report of the last training, or of anybody's scores."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held

if TYPE_CHECKING:
    from models.fairness.alerts import AlertRule
    from models.fairness.showing import Shown
    from pipelines.release.releases import Release

NEVER_FAIR = "Insufficient evidence never means fair."


@app.command("audit")
@answering
def audit_command(
    scores: Annotated[Path | None, typer.Option(help="Anybody's scores, CSV or Parquet; without it, the last training.")] = None,
    label: Annotated[str | None, typer.Option(help="Its column with what happened: 1 or 0.")] = None,
    score: Annotated[str | None, typer.Option(help="Its column with the score, 0 to 1.")] = None,
    subject: Annotated[str | None, typer.Option(help="Its column with whose row it is.")] = None,
    groups: Annotated[str | None, typer.Option(help="Its columns to compare by.", metavar="A,B,...")] = None,
    time: Annotated[str | None, typer.Option(help="Its column with each row's date; alerts are counted within days then.")] = None,
    site: Annotated[str | None, typer.Option(help="Its column with sites; alerts are counted within each then.")] = None,
    top: Annotated[str | None, typer.Option(help="Flag the top share, such as 5%; 10% by default.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Flag every score from this one on instead.")] = None,
    reference: Annotated[list[str] | None, typer.Option(help="Compare with this group: A=VALUE. May be repeated.")] = None,
    margin: Annotated[float, typer.Option(help="Differences within this margin count as none.", min=0.001, max=1.0)] = 0.1,
    resamples: Annotated[int, typer.Option(help="Subject resamples for every interval.", min=100)] = 1000,
    out: Annotated[Path, typer.Option(help="Folder for the report of a scores file.")] = Path("audit"),
    release: Annotated[
        bool, typer.Option("--release", help="Also write what may leave, under disclosure control, and put it on record.")
    ] = False,
    as_of: AsOf = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:  # fmt: skip
    """Write the fairness report of the last training again, or audit anybody's scores; and say the verdicts."""
    asked = {"--label": label, "--score": score, "--subject": subject, "--groups": groups}
    if scores is None:
        _refuse_more(
            {**asked, "--time": time, "--site": site, "--top": top, "--threshold": threshold, "--reference": reference}
        )
        return _audit_again(release, config, as_json)
    from pipelines.errors import Usage
    from pipelines.progress import progress_bar
    from pipelines.scores_file import Asked, audit_file

    missing = [name for name, value in asked.items() if value is None]
    if missing:
        raise Usage(f"`audit --scores` also needs {', '.join(missing)}: the names of the file's columns.")
    columns = Asked(
        str(label), str(score), str(subject), tuple(of.strip() for of in str(groups).split(",")), time, site
    )
    night = _date(as_of)
    with progress_bar(as_json) as report:
        found = audit_file(
            scores,
            columns,
            _rule(top, threshold),
            margin,
            resamples,
            _references(reference or []),
            out,
            night,
            release,
            report,
        )
    released = [] if found.released is None else [found.released]
    return _told([({}, found.shown)], released, found.paths, as_json)


def _audit_again(is_release: bool, config: Path | None, as_json: bool) -> Answer:
    from pipelines.release import fairness
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        told = fairness.audit_again(installation)
        released = [fairness.release(installation, of) for of in told] if is_release else []
    paths = [installation.settings.reports_folder / "index.html", *(of.bundle for of in released)]
    return _told([({"outcome": of.outcome}, of.shown) for of in told], released, paths, as_json)


def _told(
    found: "list[tuple[dict[str, str], Shown]]", released: "list[Release]", paths: list[Path], as_json: bool
) -> Answer:
    """All verdicts for a machine; for a person the findings in sentences, and comparisons with the reference."""
    from pipelines.release.fairness import compared
    from pipelines.reports.fairness import sentences, verdicts

    rows = [of | row for of, shown in found for row in (compared(shown) if as_json else verdicts(shown))]
    said = [line for _, shown in found for line in sentences(shown)]
    said += [f"Release {of.number} is on record: {of.report}, night {of.night}." for of in released]
    return Answer("audit", rows, paths, [*said, NEVER_FAIR])


def _refuse_more(asked: Mapping[str, object]) -> None:
    from pipelines.errors import Usage

    given = [name for name, value in asked.items() if value not in (None, [])]
    if given:
        raise Usage(
            f"{', '.join(given)}: only with `--scores FILE`. Of the last training `foretide.yaml` says what is audited, and how."
        )


def _date(as_of: str | None) -> str:
    from pipelines.errors import Usage

    try:
        return str(datetime.now(UTC).date() if as_of is None else date.fromisoformat(as_of))
    except ValueError as error:
        raise Usage("`--as-of` is not a date; write it like 2026-07-01.") from error


def _rule(top: str | None, threshold: float | None) -> "AlertRule":
    """Whom to flag: the top share, written `5%` or `0.05`, or everybody from a score on."""
    from models.fairness.alerts import AtLeast, TopShare
    from pipelines.errors import Usage

    if top is not None and threshold is not None:
        raise Usage("`--top` and `--threshold` are two ways to say whom to flag. Give one.")
    if threshold is not None:
        if not 0 < threshold <= 1:
            raise Usage("`--threshold` is a score from which on to flag: above 0, and at most 1.")
        return AtLeast(threshold)
    told = (top or "10%").strip()
    try:
        share = float(told.removesuffix("%")) / (100 if told.endswith("%") else 1)
    except ValueError as error:
        raise Usage("`--top` is not a share. Write it like 5% or 0.05.") from error
    if not 0 < share < 1:
        raise Usage("`--top` must lie between 0 % and 100 %. Write it like 5% or 0.05.")
    return TopShare(share)


def _references(told: Sequence[str]) -> dict[str, str]:
    from pipelines.errors import Usage

    pairs = [of.partition("=") for of in told]
    if not all(sign for _, sign, _ in pairs):
        raise Usage("`--reference` needs a column and a value, such as sex=F.")
    return {name: value for name, _, value in pairs}
