"""What the alert policy's least completeness would have done on the test rows of a training, and to whom."""

import pandas as pd

from models import abstention
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.release import judgement
from pipelines.training.attributes import attributes
from pipelines.training.labelling import KEY

FIGURES, BY_GROUP = "abstention", "abstained_by_group"


def tables(installation: Installation, night: str, outcome: str) -> dict[str, pd.DataFrame]:
    """Figures of rows with and without a score, and the share without by group, on the headline split by what serves."""
    lake, settings = installation.lake, installation.settings
    served, split = judgement.served(installation, outcome)
    tested = lake.load(f"predictions_{outcome}").query("split == @split")[[*KEY, "label", served]]
    onset = lake.load(f"labels_{outcome}").query("task == 'onset'")[[*KEY, "days_to_event"]]
    matrix = lake.load(f"training_matrix_{outcome}")[[*KEY, engineering.COMPLETENESS]]
    tested = tested.rename(columns={served: "probability"}).merge(onset, on=KEY).merge(matrix, on=KEY)
    subjects = attributes(installation, night)
    completeness, how = tested[engineering.COMPLETENESS].to_numpy(), settings.training
    least = settings.alert_policy.min_completeness
    return {
        FIGURES: abstention.abstention(tested, completeness, least, how.resamples, how.seed).assign(least=least),
        BY_GROUP: abstention.shares(
            tested, completeness, least, subjects, settings.audit.reference_groups, how.resamples, how.seed
        ),
    }
