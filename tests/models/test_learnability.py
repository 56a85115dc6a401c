"""Labels that nothing can be learnt from are refused with what is lacking, in counts."""

import numpy as np
import pandas as pd
import pytest

from models.errors import ModelsError
from models.learnability import refuse_what_cannot_be_learnt

HORIZONS = (7, 14)


def labels(subjects: int = 3, **told: object) -> pd.DataFrame:
    """Ten index dates of each subject, followed up, the first two of each before an event."""
    rows = pd.DataFrame({"subject_id": np.repeat([f"zebra-{i}" for i in range(subjects)], 10), "outcome": "crisis",
                         "days_to_event": np.tile([3.0, 2.0] + [np.nan] * 8, subjects), "followed_days": 30,
                         "is_masked": False})  # fmt: skip
    return rows.assign(**told)


def test_labels_of_both_classes_and_several_people_pass():
    """What can be learnt is not refused, nor is it where one horizon of several has both classes."""
    refuse_what_cannot_be_learnt(labels(), HORIZONS)
    refuse_what_cannot_be_learnt(labels(days_to_event=np.tile([10.0, 9.0] + [np.nan] * 8, 3)), HORIZONS)


@pytest.mark.parametrize(("told", "said"), [
    ({"days_to_event": np.nan}, "None has an event ahead within 14 days. Gather more data"),
    ({"days_to_event": 1.0}, "Every one of them has an event ahead"),
    ({"subjects": 1}, "A model is tested on others than it learnt from"),
    ({"is_masked": True}, "None is left. Declare a shorter `refractory_days:`"),
    ({"is_masked": [True, True, *[False] * 8] * 3}, "all dates before one, of 3 subjects, are masked"),
    ({"followed_days": 6}, "None has 7 days of follow-up"),
])  # fmt: skip
def test_each_lack_is_named_with_its_cure(told, said):
    """No event, nothing but events, one person, everything masked, all event people masked, nobody followed up."""
    with pytest.raises(ModelsError) as error:
        refuse_what_cannot_be_learnt(labels(**told), HORIZONS)
    assert said in str(error.value)
    assert str(error.value).startswith("`crisis` cannot be learnt: of ")
    assert "zebra" not in str(error.value)
