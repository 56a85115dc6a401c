"""What a notice may say: words and counts. Whatever looks like an identifier is left out before anybody can send it."""

import hashlib
import json
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

LEVELS = ("green", "amber", "red")
LEFT_OUT = "[left out]"
NAME = r"[a-z][a-z_]*"
# Of counts also over a window of days: `had_data_in_1d`.
COUNTED = rf"{NAME}(\d{{1,3}}d)?"
# Words that mix letters and digits, and are nobody's id: days and times, measures, features by their windows, versions of models.
HARMLESS = re.compile(
    r"\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:?\d{2})?)?"
    r"|\d{1,2}:\d{2}(:\d{2})?"
    r"|\d{1,3}(d|h|s|min|ms|st|nd|rd|th|-days?|-nights?|-hours?)"
    r"|[a-z]+(_[a-z]+)*(_(\d|\d{1,3}(d|h|min|sd)))*(_[a-z]+)*"
    r"|foretide(-[a-z_]+)*/\d+"
    r"|docs/[a-z-]+\.md"
)
# Numbers of more digits are written with separators, or are ids.
NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,3}|[1-9]\d{0,2}([,  ]\d{3})+)(\.\d{1,6})?%?")
EITHER = re.compile(r"[A-Za-z]+/[A-Za-z]+")
PUNCTUATION = ".,;:!?()[]\"'`“”‘’%"


@dataclass(frozen=True)
class Notice:
    """Something that somebody should know of a night, in words a clinician understands; counts only, never a subject.

    Args:
        kind: "night_failed", "sink_behind", "drift", ...; letters and underscores.
        level: "red", "amber" or "green".
        night: the as-of date, YYYY-MM-DD.
        title: one line.
        sentences: what else there is to say.
        counts: whole numbers by name; names of letters and underscores, perhaps with a window at the end.

    Raises:
        ValueError: kind, level, night or counts are not of this form: a mistake of whoever wrote the call.
    """

    kind: str
    level: str
    night: str
    title: str
    sentences: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.kind) or self.level not in LEVELS:
            raise ValueError("a notice's kind is letters and underscores, its level red, amber or green")
        date.fromisoformat(self.night)
        if not all(re.fullmatch(COUNTED, name) for name in self.counts):
            raise ValueError("a notice's counts have names of letters and underscores")
        # Masked, not refused: at three in the morning a notice with a word less is better than none.
        object.__setattr__(self, "title", masked(self.title))
        object.__setattr__(self, "sentences", tuple(masked(sentence) for sentence in self.sentences))
        object.__setattr__(self, "counts", {name: _whole(count) for name, count in self.counts.items()})

    @property
    def key(self) -> str:
        """The same for the same notice, by which it is told once."""
        return hashlib.sha256(json.dumps(self.told(), sort_keys=True).encode()).hexdigest()[:24]

    def told(self) -> dict[str, Any]:
        """The notice as JSON."""
        return {"kind": self.kind, "level": self.level, "night": self.night, "title": self.title,
                "sentences": list(self.sentences), "counts": dict(self.counts)}  # fmt: skip

    def text(self) -> str:
        """The notice as people read it in a mail."""
        counts = [f"{name.replace('_', ' ')}: {count}" for name, count in self.counts.items()]
        return "\n".join([f"Night of {self.night}: {self.title}", "", *self.sentences, *counts]).rstrip() + "\n"


def _whole(count: object) -> int:
    try:
        return operator.index(count)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError("a notice's counts are whole numbers") from None


def masked(text: str) -> str:
    """One line of text in which whatever looks like an id, an address or a path is left out."""
    return " ".join(LEFT_OUT if _may_identify(word.strip(PUNCTUATION)) else word for word in text.split())


def _may_identify(word: str) -> bool:
    if "@" in word or ("/" in word and not EITHER.fullmatch(word)):
        return not HARMLESS.fullmatch(word)
    has_digit = any(character.isdigit() for character in word)
    return has_digit and not HARMLESS.fullmatch(word) and not NUMBER.fullmatch(word)
