"""The attributes by which people are compared, as declared: recorded ones, and the device that most of their data come from."""

import pandas as pd

from pipelines import engineering
from pipelines.cohort import Cohort
from pipelines.installation import Installation
from pipelines.training.places import device_models

# Declared like any other; where no source gave such an attribute it is the model of the device.
DEVICE = "device"


def attributes(installation: Installation, night: str) -> pd.DataFrame:
    """One row for each subject known for the night: `subject_id` and each declared attribute, missing where not recorded."""
    declared = installation.settings.audit.attributes
    return with_device(installation, engineering.cohort(installation, night))[["subject_id", *declared]]


def with_device(installation: Installation, known: Cohort) -> pd.DataFrame:
    """The subjects of a cohort with all that is recorded of them and, if it is declared, their device."""
    subjects = known.subjects
    if DEVICE in installation.settings.audit.attributes and subjects[DEVICE].isna().all():
        return subjects.assign(**{DEVICE: subjects["subject_id"].map(device_models(installation.lake, known))})
    return subjects
