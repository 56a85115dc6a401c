"""What flags rest on beside the day panel, as one table of subject-days: origins, levels, offsets, clocks that are ahead."""

import pandas as pd

from features.days import AHEAD, LEVEL, OFFSET, ORIGIN, Days
from features.minutes import DEVICE
from features.order import first_versions
from features.plausibility import FINDING
from features.versions import KEY

NOTE = [*KEY, "kind", "stream", "measure", "value", "device", *DEVICE]
TEXTS = ("subject_id", "kind", "stream", "measure", *DEVICE)


def of(found: Days) -> pd.DataFrame:
    """The notes of a day panel: `NOTE`."""
    parts = {
        "origin": found.origins, "level": first_versions(found.levels, "measure"),
        "offset": found.offsets.rename(columns={"utc_offset_min": "value"}), "ahead": found.ahead,
    }  # fmt: skip
    # Rows without a device get a number before they come together: missing ones would make floats of all numbers.
    every = [part.assign(kind=kind, device=part.get("device", 0)) for kind, part in parts.items()]
    rows = pd.concat(every, ignore_index=True).reindex(columns=NOTE)
    return rows.astype(dict.fromkeys(TEXTS, "str") | {"value": "float64", "device": "int64"})


def told(notes: pd.DataFrame, panel: pd.DataFrame) -> Days:
    """What flags are made of, from stored notes and columns of the stored panel."""
    kind, kinds = pd.factorize(notes["kind"])

    def of_kind(name: str, columns: list[str]) -> pd.DataFrame:
        return notes[columns][kind == kinds.get_indexer([name])[0]] if name in kinds else notes[columns].iloc[:0]

    return Days(
        panel=panel,
        findings=pd.DataFrame(columns=FINDING),
        origins=of_kind("origin", ORIGIN),
        levels=of_kind("level", LEVEL),
        ahead=of_kind("ahead", AHEAD),
        offsets=of_kind("offset", [*KEY, "value"]).rename(columns={"value": "utc_offset_min"})[OFFSET],
    )
