"""People of a small cohort with their events and care, whose every delivery is kept for any lake to take in."""

from pathlib import Path

import pandas as pd

from tests.guarantees.nights_at_random import DAY, FIRST, HOUR, World

Deliveries = list[tuple[str, pd.DataFrame]]


class Course(World):
    """The people of `World`, their events and care; what they hand in is kept here, for any lake to take in.

    Args:
        is_live: rows are received on the day on which they come, and nobody changes sites.
    """

    # What rows alone do not tell.
    release = withdraw = retain = World.nothing

    def __init__(self, home: Path, seed: int, people: int = 3, history: int = 35, is_live: bool = False) -> None:
        self.deliveries: Deliveries = []
        self.is_live, self.history = is_live, history
        super().__init__(home, seed, people, history)
        self.events = [self.panic(who, int(day)) for who in self.people for day in self.rng.integers(2, history, 4)]
        cared = pd.DataFrame({"subject_id": self.people, "received_at": FIRST + DAY})
        self.take_in([*(("events", event) for event in self.events),
                      ("care_status", cared.assign(since=FIRST, status="paused")),
                      ("interventions", cared.assign(done_at=FIRST, kind="call")),
                      ("feedback", cared.assign(given_at=FIRST, record_id=self.people, verdict="useful"))])  # fmt: skip

    def take_in(self, streams: Deliveries) -> None:
        """Keep what is handed in."""
        earliest = self.now - HOUR if self.is_live and self.today > self.history else FIRST
        self.deliveries += [(stream, rows.assign(received_at=rows["received_at"].clip(lower=earliest)))
                            for stream, rows in streams if len(rows)]  # fmt: skip

    def panic(self, who: str, day: int) -> pd.DataFrame:
        """An event that comes to be known hours or days later."""
        at = (FIRST + day * DAY + float(self.rng.uniform(0, 24)) * HOUR).floor("min")
        known = (at + float(self.rng.uniform(1, 150)) * HOUR).floor("min")
        return pd.DataFrame({"subject_id": [who], "record_id": f"{who} {at}", "occurred_at": at, "kind": "panic",
                             "received_at": known})  # fmt: skip

    def go_on(self) -> None:
        """One day passes, with an event, or one that turns out to have been on another day, or never."""
        super().go_on()
        event = self.events[self.rng.integers(len(self.events))].assign(received_at=self.now.floor("min"))
        happens = self.rng.integers(3)
        if happens == 0:
            event = self.panic(str(self.rng.choice(self.people)), self.today - 1)
            self.events.append(event)
        elif happens == 1:
            event["occurred_at"] -= int(self.rng.integers(1, 12)) * DAY
        else:
            event["is_deleted"] = True
        self.take_in([("events", event)])

    def enrol_late(self) -> None:
        """Somebody is enrolled or, in a course that is not live, comes to another site."""
        if not self.is_live or len(self.enrolled) < len(self.people):
            super().enrol_late()
