"""A small cohort whose rows come in every disorder: late, corrected, taken back, backdated, released, withdrawn, retained.

Its people change devices, units, time zones and habits, and their sensors get stuck over midnight, so that every rule
that looks over several days has something to say. Nothing here knows how a day panel is made.
"""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import ingestion, retention
from pipelines.consent.withdrawal import withdraw
from pipelines.door import quarantine
from pipelines.door.policy import Origin
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.settings import Settings, settings_from
from pipelines.sources.batch import Batch

DAY, HOUR, MINUTE = pd.Timedelta(days=1), pd.Timedelta(hours=1), pd.Timedelta(minutes=1)
FIRST = pd.Timestamp("2026-02-20T00:00Z").as_unit("us")
ZONES = {"north": "Europe/Berlin", "south": "America/New_York", "east": "Pacific/Auckland"}
OFFSETS = {"north": 60, "south": -300, "east": 780}
STREAMS = ("mood", "sleep", "wearable", "wearable_days", "assessments", "signals")
TIMES = {"mood": "answered_at", "sleep": "offset_at", "wearable": "minute_at", "wearable_days": "local_date",
         "assessments": "completed_at", "signals": "observed_at"}  # fmt: skip
VALUES = {"mood": "value", "sleep": "minutes_asleep", "wearable": "steps", "wearable_days": "value",
          "assessments": "score", "signals": "value"}  # fmt: skip


def settings(home: Path, *preference: str, cutoff: str = "03:00") -> Settings:
    """Three sites, one signal."""
    return settings_from({
        "sites": {"time_zones": ZONES, "default_time_zone": "Europe/Berlin", "cutoff": cutoff},
        "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
        "signals": {"weight": {"unit": "kg"}}, "door": {"device_preference": preference, "max_bad_share": 1.0},
    }, home)  # fmt: skip


class World:
    """People, what they have done by a day, and what of it has been handed in."""

    def __init__(
        self, home: Path, seed: int, people: int = 6, history: int = 45, preference: tuple[str, ...] = ()
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.made = Installation(settings(home, *preference))
        self.people = [f"p-{number}" for number in range(people)]
        self.sites = {who: str(self.rng.choice(list(ZONES), p=[0.5, 0.3, 0.2])) for who in self.people}
        # The days on which something about a person changes: around the end of the history, most of them.
        self.turns = {who: dict(zip(("device", "unit", "sleep", "clock", "travel"),
                                    self.rng.integers(history - 14, history + 12, 5), strict=True))
                      for who in self.people}  # fmt: skip
        self.known: list[tuple[str, pd.DataFrame]] = []
        self.waiting: list[tuple[str, pd.DataFrame]] = []
        self.gone: set[str] = set()
        self.number = 0
        self.today = history
        waits = {self.people[-1]} if seed % 2 else set()
        self.enrolled = [who for who in self.people if who not in waits]
        for who in self.enrolled:
            self.enrol(who, FIRST)
        told = {
            stream: [self.told(who, day, stream) for who in self.people for day in range(history)] for stream in STREAMS
        }
        self.deliver({stream: pd.concat(rows, ignore_index=True) for stream, rows in told.items()})

    @property
    def now(self) -> pd.Timestamp:
        """An instant before all cutoffs of the night of `today`, or between them."""
        return FIRST + self.today * DAY + HOUR

    @property
    def night(self) -> pd.Timestamp:
        """The index date of `today`."""
        return (FIRST + self.today * DAY).tz_localize(None)

    def enrol(self, who: str, at: pd.Timestamp) -> None:
        """A person becomes known, or moves to another site."""
        rows = {"subject_id": [who], "site": [self.sites[who]], "enrolled_on": FIRST.date(), "received_at": at}
        self.take_in([("subjects", pd.DataFrame(rows))])

    def deliver(self, streams: dict[str, pd.DataFrame]) -> None:
        """Hand rows in and remember them."""
        self.known += [(stream, rows) for stream, rows in streams.items() if len(rows)]
        self.take_in(list(streams.items()))

    def take_in(self, streams: list[tuple[str, pd.DataFrame]]) -> None:
        """Through the door; nothing of those who are not enrolled yet, or have withdrawn."""
        rows = [(stream, frame) for stream, frame in streams if len(frame)]
        if not rows:
            return
        self.number += 1
        batches = iter([Batch(stream, frame, f"{stream}.csv") for stream, frame in rows])
        try:
            ingestion._take_in(
                self.made, batches, f"ingest-{self.number}", None, ingestion.policy(self.made), Origin("t")
            )
        except Refused as refused:
            assert "None of the" in str(refused)  # noqa: PT017

    def told(self, who: str, day: int, stream: str) -> pd.DataFrame:
        """What a person's devices tell of one day in one stream, received the next morning."""
        rng = np.random.default_rng([self.number_of(who), day, STREAMS.index(stream)])
        turns, offset = self.turns[who], OFFSETS[self.sites[who]]
        offset += (-180 if offset > 0 else 180) if turns["travel"] <= day < turns["travel"] + 3 else 0
        midnight = FIRST + day * DAY - offset * MINUTE
        rows = getattr(self, f"_{stream}")(rng, turns, day, midnight)
        if rows is None or rng.random() < 0.05:
            return pd.DataFrame()
        received = midnight + DAY + float(rng.uniform(0.5, 12)) * HOUR
        return pd.DataFrame({"device_id": "band", **rows, "subject_id": who, "utc_offset_min": offset, "source": "app",
                             "received_at": received.floor("min")})  # fmt: skip

    def number_of(self, who: str) -> int:
        """A person's number."""
        return self.people.index(who)

    def _mood(self, rng, turns, day, midnight):
        at = midnight + pd.to_timedelta(np.sort(rng.choice(np.arange(480, 1380), 5, replace=False)), unit="min")
        ahead = pd.Timedelta(hours=30) if day == turns["clock"] + 1 else pd.Timedelta(0)
        return {"answered_at": at + ahead, "item": rng.choice(["mood", "energy"], 5), "value": rng.integers(1, 8, 5) / 1.0,
                "scale_min": 1.0, "scale_max": 7.0, "prompted_at": at - 3 * MINUTE}  # fmt: skip

    def _sleep(self, rng, turns, day, midnight):
        longer = 70 if day >= turns["sleep"] else 0
        offset = midnight + (400 + int(rng.integers(-20, 20))) * MINUTE
        onset = offset - (440 + longer + int(rng.integers(-20, 20))) * MINUTE
        ends, begins = [offset], [onset]
        if rng.random() < 0.3:
            ends, begins = [offset, offset + 60 * MINUTE], [onset, offset - int(rng.integers(-40, 30)) * MINUTE]
        n = len(ends)
        return {"record_id": [f"{day}-{k}" for k in range(n)], "onset_at": pd.DatetimeIndex(begins).as_unit("us"),
                "offset_at": pd.DatetimeIndex(ends).as_unit("us"), "minutes_asleep": 350.0 + longer + rng.random(n),
                "minutes_awake": rng.random(n) * 40, "is_main": [True] + [False] * (n - 1),
                "algorithm_version": "2" if longer else "1"}  # fmt: skip

    def _wearable(self, rng, turns, day, midnight):
        late = 300 if day >= turns["clock"] else 0
        hours = np.arange(24)
        minutes = np.concatenate(
            [hours * 60, hours * 60 + 30, *(np.arange(h * 60, h * 60 + 60, 2) for h in (0, 22, 23))]
        )
        minutes = np.unique(minutes)
        activity = np.clip(60 * np.sin((minutes - 360 - late) / 1440 * 2 * np.pi), 0, None).astype(int)
        beats = rng.integers(60, 90, len(minutes))
        # Some evenings and nights the sensor is stuck, with the same value on many days.
        for hour in (0, 22, 23):
            if rng.random() < 0.5:
                beats[minutes // 60 == hour] = 66
        two = rng.random() < 0.2
        device = "ring" if day >= turns["device"] else "band"
        return {"minute_at": midnight + pd.to_timedelta(minutes, unit="min"), "heart_rate": beats, "steps": activity,
                "device_id": np.where(two & (minutes % 4 == 0), "clip", device)}  # fmt: skip

    def _wearable_days(self, rng, turns, day, midnight):
        return {"local_date": (FIRST + day * DAY).date(), "metric": ["steps", "resting_heart_rate", "sleep_score"],
                "value": [float(rng.integers(4000, 9000)), float(rng.integers(55, 70)), float(rng.integers(60, 90))],
                "unit": ["steps", "bpm", "points"]}  # fmt: skip

    def _assessments(self, rng, turns, day, midnight):
        if day % 7:
            return None
        at = [midnight + 600 * MINUTE]
        return {"completed_at": at, "instrument": ["phq_9"], "score": [float(rng.integers(0, 27))]}

    def _signals(self, rng, turns, day, midnight):
        factor = 2.2046 if day >= turns["unit"] else 1.0
        return {"observed_at": midnight + pd.to_timedelta([500, 900, 1200], unit="min"), "name": "weight",
                "value": (80 + rng.random(3)) * factor, "unit": "kg"}  # fmt: skip

    def go_on(self) -> None:
        """One day passes: most people's day comes in at once, some of it later, and other things happen."""
        for who in self.people:
            if who not in self.gone:
                self.waiting += [(stream, self.told(who, self.today, stream)) for stream in STREAMS]
        self.today += 1
        comes = [(stream, rows) for stream, rows in self.waiting if self.rng.random() < 0.8]
        self.waiting = [(stream, rows) for stream, rows in self.waiting if not any(rows is one for _, one in comes)]
        # What waited comes with the receipt of the day on which it comes.
        morning = self.now.floor("min") - 5 * MINUTE
        rows = {stream: [rows for name, rows in comes if name == stream and len(rows)] for stream in STREAMS}
        late = {stream: pd.concat(told, ignore_index=True) for stream, told in rows.items() if told}
        self.deliver(
            {stream: told.assign(received_at=told["received_at"].clip(lower=morning)) for stream, told in late.items()}
        )
        for happens in self.rng.choice(HAPPENINGS, 2, replace=False):
            getattr(self, happens)()

    def some(self, stream: str | None = None) -> tuple[str, pd.DataFrame] | None:
        """Some rows that were handed in before, of people who are still here."""
        told = [(name, rows) for name, rows in self.known if stream in (None, name)]
        stream, rows = told[self.rng.integers(len(told))]
        rows = rows[~rows["subject_id"].isin(self.gone)]
        day = rows.groupby("subject_id").cumcount() // 40
        rows = rows[day == self.rng.integers(day.max() + 1)] if len(rows) else rows
        n = min(len(rows), int(self.rng.integers(1, 30)))
        return stream, rows.sample(n, random_state=int(self.rng.integers(1e6)))

    def correct(self) -> None:
        """Other values, some minutes ago or long ago: what was received long ago comes to be known before it came in."""
        stream, rows = self.some()
        ago = self.rng.choice([1, 1, 1, 40, 24 * 9]) * HOUR
        at = (self.now - ago).floor("min")
        rows = rows.assign(**{VALUES[stream]: rows[VALUES[stream]] + self.rng.integers(1, 4)}, received_at=at)
        self.deliver({stream: rows[self._when(rows, stream) < at]})

    def move(self) -> None:
        """Nights that were on another day, rows that were told with another offset from UTC."""
        stream, rows = self.some(self.rng.choice(["sleep", "sleep", "wearable", "mood"]))
        rows = rows.assign(received_at=self.now.floor("min"))
        if stream == "sleep":
            moved = pd.Timedelta(hours=float(self.rng.choice([-30, -24, -2, 20, 24 * 40])))
            rows = rows.assign(
                onset_at=rows["onset_at"] - moved.floor("min"), offset_at=rows["offset_at"] - moved.floor("min")
            )
        else:
            rows = rows.assign(utc_offset_min=rows["utc_offset_min"] + int(self.rng.choice([-120, 45, 120])))
        self.deliver({stream: rows[self._when(rows, stream) < rows["received_at"]]})

    def take_back(self) -> None:
        """The sender takes rows back."""
        stream, rows = self.some()
        self.take_in([(stream, rows.assign(is_deleted=True, received_at=self.now.floor("min")))])

    def stick(self) -> None:
        """An evening and the next early morning turn out to be stuck, a day apart from one another."""
        who, day = str(self.rng.choice(self.people)), int(self.rng.integers(self.today - 12, self.today - 1))
        if who in self.gone:
            return
        for at, hour in ((day, 23), (day + 1, 0)):
            midnight = FIRST + at * DAY - OFFSETS[self.sites[who]] * MINUTE
            minutes = midnight + pd.to_timedelta(np.arange(hour * 60, hour * 60 + 60, 2), unit="min")
            received = self.now.floor("min") - self.rng.choice([1, 30]) * MINUTE
            rows = pd.DataFrame({"subject_id": who, "minute_at": minutes, "heart_rate": 66, "steps": 0, "source": "app",
                                 "device_id": "band", "utc_offset_min": OFFSETS[self.sites[who]],
                                 "received_at": received})  # fmt: skip
            self.deliver({"wearable": rows[rows["minute_at"] < rows["received_at"]]})

    def release(self) -> None:
        """Rows that broke a rule are mended and let in."""
        stream, rows = self.some("wearable")
        at = self.now.floor("min")
        self.take_in([(stream, rows.assign(heart_rate=900, received_at=at))])
        choice = quarantine.Choice(rule="heart_rate_is_plausible")
        if quarantine.chosen(self.made.lake, choice).num_rows:
            try:
                ingestion.release(self.made, choice, at.to_pydatetime(), {}, {"heart_rate": 0.1})
            except Refused as refused:
                assert "later news" in str(refused) or "None of the" in str(refused)  # noqa: PT017

    def enrol_late(self) -> None:
        """Somebody whose rows wait is enrolled, or comes to another site."""
        late = [who for who in self.people if who not in self.enrolled]
        who = late[0] if late else str(self.rng.choice(self.people))
        if who in self.gone:
            return
        if not late:
            self.sites[who] = str(self.rng.choice(list(ZONES)))
        self.enrolled = [*{*self.enrolled, who}]
        self.enrol(who, self.now.floor("min") - int(self.rng.choice([1, 60 * 24 * 3])) * MINUTE)

    def withdraw(self) -> None:
        """Somebody withdraws."""
        here = sorted(set(self.enrolled) - self.gone)
        if len(self.gone) < 2 and len(here) > 1:
            who = str(self.rng.choice(here))
            self.gone.add(who)
            withdraw(self.made, [who], self.night.date())

    def retain(self) -> None:
        """Old minutes go."""
        removed_before = self.night - int(self.rng.integers(8, 40)) * DAY
        retention.retain(self.made, date.fromisoformat(f"{removed_before:%Y-%m-%d}"))

    def nothing(self) -> None:
        """A quiet night."""

    @staticmethod
    def _when(rows: pd.DataFrame, stream: str) -> pd.Series:
        when = pd.to_datetime(rows[TIMES[stream]])
        return when if when.dt.tz is not None else when.dt.tz_localize("UTC")


HAPPENINGS = ("correct", "correct", "move", "take_back", "stick", "release", "enrol_late", "withdraw", "retain",
              "nothing")  # fmt: skip
