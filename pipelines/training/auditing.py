"""The fairness audit of anybody's risks, by the attributes and with the limits that the installation declares."""

import pandas as pd

from models.fairness.alerts import TopShare
from models.fairness.audit import Audit, Audited, audit
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.training.labelling import KEY


def audit_of(installation: Installation, night: str, audited: Audited, scored: pd.DataFrame) -> Audit:
    """Audit test rows by what was known of their subjects at the night's cutoff.

    Args:
        scored: `subject_id, index_date, probability, label`; other columns are not looked at.
    """
    settings = installation.settings
    subjects = engineering.cohort(installation, night).subjects
    return audit(
        with_sites(scored[[*KEY, "probability", "label"]], subjects),
        subjects[["subject_id", *settings.audit.attributes]],
        audited,
        rule=TopShare(settings.audit.top_share),
        margin=settings.audit.margin,
        resamples=settings.audit.resamples,
        seed=settings.training.seed,
        reference_groups=settings.audit.reference_groups,
    )


def with_sites(scored: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Rows with the site of each one's subject, where that is recorded for all: alerts are counted within sites then."""
    found = scored.merge(subjects[["subject_id", "site"]])
    return found if found["site"].notna().all() else found.drop(columns="site")
