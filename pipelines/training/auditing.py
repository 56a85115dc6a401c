"""The fairness audit of anybody's risks, by the attributes and with the limits that the installation declares."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.fairness.alerts import TopShare
from models.fairness.audit import Audit, Audited, audit
from models.fairness.coverage import MEASURES
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.training.attributes import attributes
from pipelines.training.labelling import KEY

# What is known of a row beside its score.
DESCRIBING = ("days_to_event", "days_since_event", *MEASURES)
# Features of the last week that only a device, or an answer, can give.
STREAMS = {"device": ("sleep_", "activity_", "heart_", "circadian_"), "answers": ("mood_",)}
LATELY = "_7d"
ASSESSED_WITHIN_DAYS = 28


def audit_of(installation: Installation, night: str, audited: Audited, scored: pd.DataFrame) -> Audit:
    """Audit test rows by what was known of their subjects at the night's cutoff.

    Args:
        scored: `subject_id, index_date, probability, label` and, where known, what `described` adds.
    """
    settings = installation.settings
    subjects = engineering.cohort(installation, night).subjects
    kept = [name for name in (*KEY, "probability", "label", *DESCRIBING) if name in scored.columns]
    return audit(
        with_sites(scored[kept], subjects),
        attributes(installation, night),
        audited,
        rule=TopShare(settings.audit.top_share),
        margin=settings.audit.margin,
        resamples=settings.audit.resamples,
        seed=settings.training.seed,
        reference_groups=settings.audit.reference_groups,
    )


def described(installation: Installation, night: str, outcome: str, tested: pd.DataFrame) -> pd.DataFrame:
    """Test rows and what is known of each: the days to and since an event, and how much data there was.

    Of the measures of `models.fairness.coverage` those that the matrix of this installation tells.
    """
    lake, settings = installation.lake, installation.settings
    matrix = lake.load(f"training_matrix_{outcome}")
    onset = lake.load(f"labels_{outcome}").query("task == 'onset'").drop_duplicates(KEY)
    of = _measures(settings.features_on(), matrix, settings.alert_policy.min_completeness)
    of["days_since_event"] = matrix["history_days_since_last_event"]
    found = tested.merge(onset[[*KEY, "days_to_event"]], on=KEY, how="left", validate="many_to_one")
    found = found.merge(of, on=KEY, how="left", validate="many_to_one")
    return found.assign(assessed=_is_assessed(installation, night, found))


def _measures(features: Sequence[str], matrix: pd.DataFrame, least: float) -> pd.DataFrame:
    """How much data each row of a feature matrix rests on; see `models.fairness.coverage.MEASURES`."""
    seen = [name for name in features if name in matrix.columns]
    found = matrix[KEY].assign(
        completeness=matrix[engineering.COMPLETENESS], missing=matrix[seen].isna().mean(axis=1),
        abstained=(matrix[engineering.COMPLETENESS].fillna(0) < least).astype(float),
    )  # fmt: skip
    for measure, families in STREAMS.items():
        lately = [name for name in seen if name.startswith(families) and LATELY in name]
        if lately:
            found[measure] = matrix[lately].notna().any(axis=1).astype(float)
    return found


def _is_assessed(installation: Installation, night: str, rows: pd.DataFrame) -> pd.Series:
    """Whether a questionnaire was completed in the days before each row, as known by the night; 0 or 1."""
    known = engineering.cohort(installation, night)
    history = installation.lake.history("assessments", known.known_at, installation.lake.connection())
    done = history.project("subject_id, completed_at::DATE AS done_on").distinct().df()
    done = done.assign(done_on=pd.to_datetime(done["done_on"]).astype(rows["index_date"].dtype)).sort_values("done_on")
    keyed = rows[KEY].assign(row=np.arange(len(rows))).sort_values("index_date", kind="stable")
    last = pd.merge_asof(
        keyed, done, left_on="index_date", right_on="done_on", by="subject_id", allow_exact_matches=False
    )
    is_lately = (last["index_date"] - last["done_on"]).dt.days <= ASSESSED_WITHIN_DAYS
    return is_lately.astype(float).set_axis(last["row"]).sort_index().set_axis(rows.index)


def with_sites(scored: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Rows with the site of each one's subject, where that is recorded for all: alerts are counted within sites then."""
    found = scored.merge(subjects[["subject_id", "site"]])
    return found if found["site"].notna().all() else found.drop(columns="site")
