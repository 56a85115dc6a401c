"""The model card: what a model is for, made of, proven to do, and by which rules it may change; as JSON and as Markdown.

The JSON is the source, the Markdown is rendered from it, so that they cannot differ. Both lie beside the model report.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.reports.card import figures, people, probast, purpose, rules, tripod
from pipelines.reports.card.facts import Facts, Section
from pipelines.reports.site import write_text

SCHEMA = "foretide-model-card/1"
SECTIONS = (
    purpose.use, rules.serving, people.data, people.cohort, people.flow, purpose.outcome, purpose.predictors,
    purpose.learner, figures.calibration, figures.headline, figures.associated, figures.abstention, rules.fairness, rules.controls,
    purpose.limits, rules.change, rules.versions, tripod.section, probast.section, purpose.sources,
)  # fmt: skip


def write_card(folder: Path, stem: str, facts: Facts) -> dict[str, str]:
    """Write `<stem>.card.json` and `<stem>.card.md` into the folder; their texts by file name."""
    card = as_data(facts)
    texts = {
        f"{stem}.card.json": json.dumps(card, indent=1, ensure_ascii=False, sort_keys=False) + "\n",
        f"{stem}.card.md": markdown(card),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return texts


def as_data(facts: Facts) -> dict[str, Any]:
    """The card as JSON holds it: sections in order, and the headline's tidy rows with counts rounded as on pages."""
    return {
        "schema": SCHEMA,
        "title": facts.title,
        "finding": facts.finding,
        "outcome": facts.outcome.name,
        "model_version": facts.context.model_version,
        "as_of": facts.context.as_of.isoformat(),
        "overrides": list(facts.context.overrides),
        "sections": {section.id: section.as_data() for section in (make(facts) for make in SECTIONS)},
        "rows": figures.rows(facts),
    }


def markdown(card: Mapping[str, Any]) -> str:
    """The same card to be read."""
    parts = [f"# {_plain(card['title'])}", _plain(card["finding"])]
    parts += [f"**{_plain(override)}**" for override in card["overrides"]]
    for section in card["sections"].values():
        parts += [f"## {_plain(section['heading'])}", *_body(section)]
    return "\n\n".join(parts) + "\n"


def _body(section: Mapping[str, Any]) -> list[str]:
    found = []
    if section["lines"]:
        found.append("\n".join(f"- {_plain(line)}" for line in section["lines"]))
    if section["facts"]:
        found.append(_table(["", ""], list(section["facts"].items())))
    for table in section["tables"]:
        found += [_plain(table["caption"]), _table(table["columns"], table["rows"])]
    return found


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_plain(cell) for cell in line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text that stays text: on one line, in one cell, no markup of its own; names of pages beside it become links."""
    kept = " ".join(str(text).split())
    for mark, instead in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "'"), ("*", "\\*"), ("[", "\\[")):
        kept = kept.replace(mark, instead)
    return re.sub(r"[\w-]+\.html", r"[\g<0>](\g<0>)", kept)


__all__ = ["Facts", "Section", "as_data", "markdown", "write_card"]
