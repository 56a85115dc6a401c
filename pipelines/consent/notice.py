"""The last word about a subject who withdrew: the newest delivery is superseded by one that tells consumers whom to delete.

A consumer knows the subject; this installation must forget it. So the notice names nobody: its rows carry a random
token for a subject and the `score_id` of the row that the consumer holds, and FHIR's `deleted` list carries the ids of
the assessments that were delivered. It goes out once, before anything is erased, since it is made from what is erased.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipelines import locks
from pipelines.delivery import erasure, manifest
from pipelines.delivery.contract import COLUMNS, KEY, DeliveryContext, score_ids, short_hash
from pipelines.delivery.nights import age, chain, nights, run_in_force, runs
from pipelines.delivery.publish import Withdrawn, publish, read_scores
from pipelines.errors import Refused

PREFIX = "withdrawn-"
STATUS = "consent_withdrawn"
GRID = ["outcome", "horizon_days", "model_version", "as_of_date"]


def tokens_told(root: Path) -> set[str]:
    """Tokens of the subjects whose notice went out: in a delivery that is in force, or was until it was superseded.

    One that was placed by a killed run and never put in force told nobody.
    """
    told: set[str] = set()
    for night in nights(root):
        with suppress(Refused):  # damaged; whoever verifies it is told
            told.update(token for body in chain(night) for token in body.get("withdrawn", ()))
    return told


def runs_telling(root: Path, tokens: Collection[str]) -> list[str]:
    """Deliveries whose notice tells of any of the tokens, oldest night first."""
    found = []
    for folder in runs(root):
        with suppress(Refused):
            found += [folder.name] if set(tokens) & set(manifest.read(folder).get("withdrawn", ())) else []
    return found


def publish_notice(
    root: Path, tokens: Mapping[str, str], spare: pd.DataFrame | None, fence: Callable[[], None] = locks.unfenced
) -> Path | None:
    """Supersede the newest delivery by one with the notice, and return its folder.

    Args:
        root: folder of all deliveries.
        tokens: id as it is spelled -> random token of the subject, of subjects whose notice has not gone out.
        spare: rows of the last night that was scored, for a delivery that holds no Parquet.
        fence: raises once another run took the place of this one.

    Returns:
        None where no delivery is about any of them: there is nobody to tell.

    Raises:
        Refused: the newest delivery is damaged, or its rows are nowhere.
    """
    held = _last_rows(root, tokens)
    if held.empty:
        return None
    folder = _newest(root)
    body = manifest.read(folder)
    rows = _rows(folder, body, spare)
    grid = rows[GRID].drop_duplicates()
    rows = rows[~rows["subject_id"].isin(tokens) & (rows["status"] != STATUS)]
    labels = _labels(held["subject_id"], tokens)
    used = sorted({tokens[name] for name in labels})
    context = replace(
        manifest.context_of(body),
        input_content=short_hash(body["input_content"], *used),
        roster_size=rows["subject_id"].nunique() + len(labels),
        supersedes=folder.name,
    )
    deleted = [name for each in runs(root) for name in erasure.assessment_ids(each, tokens)]
    made = _stacked(rows, _notices(grid, held, labels, context), context)
    return publish(root, made, context, Withdrawn(tuple(used), tuple(deleted)), fence)


def _newest(root: Path) -> Path:
    """The delivery in force of the newest night."""
    newest_first = reversed(nights(root))
    found = next((night / run_id for night in newest_first if (run_id := run_in_force(night)) is not None), None)
    if found is None:
        raise Refused("No delivery is in force, so that none can tell consumers who withdrew.")
    return found


def _last_rows(root: Path, tokens: Mapping[str, str]) -> pd.DataFrame:
    """Each subject's rows in the newest delivery that has any: of the run in force if it does."""
    last: dict[str, pd.DataFrame] = {}
    for folder in sorted(runs(root), key=age):
        try:
            rows = erasure.rows_held(folder)
        except Refused:
            continue
        last.update(dict(iter(rows[rows["subject_id"].isin(tokens)].groupby("subject_id"))))
    return pd.concat(last.values(), ignore_index=True) if last else pd.DataFrame(columns=erasure.HELD)


def _rows(folder: Path, body: dict[str, object], spare: pd.DataFrame | None) -> pd.DataFrame:
    is_of_run = spare is not None and (spare["run_id"] == body["run_id"]).all()
    rows = spare if spare is not None and is_of_run else read_scores(folder)
    return rows.assign(rank=rows["rank"].astype("Int32"))


def _labels(ids: Iterable[str], tokens: Mapping[str, str]) -> dict[str, str]:
    """By what name the notice calls each id; further spellings of one subject's id are numbered, for each has rows."""
    labels: dict[str, str] = {}
    spellings: Counter[str] = Counter()
    for name in sorted(set(ids)):
        token = tokens[name]
        spellings[token] += 1
        labels[name] = f"{PREFIX}{token}" if spellings[token] == 1 else f"{PREFIX}{token}-{spellings[token]}"
    return labels


def _notices(
    grid: pd.DataFrame, held: pd.DataFrame, labels: Mapping[str, str], context: DeliveryContext
) -> pd.DataFrame:
    """A row per subject who withdrew, outcome and horizon of the night."""
    rows = held[["subject_id"]].drop_duplicates().merge(grid, how="cross")
    rows = rows.merge(held[[*KEY, "score_id"]], on=KEY, how="left")
    # An outcome or a horizon of which the subject never had a row points to any row that the consumer holds.
    any_row = rows["subject_id"].map(held.groupby("subject_id")["score_id"].min())
    rows = rows.assign(
        score_id=rows["score_id"].fillna(any_row),
        subject_id=rows["subject_id"].map(labels),
        run_id=context.run_id,
        status=STATUS,
        policy_version=context.policy_version,
        generated_at=context.known_at,
        **{column: [()] * len(rows) for column in ("reason_codes", "drivers")},
    )
    return rows.reindex(columns=[*COLUMNS])


def _stacked(rows: pd.DataFrame, notices: pd.DataFrame, context: DeliveryContext) -> pd.DataFrame:
    """The superseded rows under the new run, and the notices among them."""
    rows = rows.assign(run_id=context.run_id)
    rows["score_id"] = score_ids(context.run_id, rows)
    stacked = pd.concat([rows, notices], ignore_index=True).sort_values(KEY, ignore_index=True)
    words = {
        name: stacked[name].astype(object).where(stacked[name].notna(), None) for name in ("tier", "alert", "action")
    }
    return stacked.assign(**words)[[*COLUMNS]]
