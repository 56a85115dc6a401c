"""The report site: a folder of self-contained pages and the index page that links them.

The folder itself is the record: each page carries its kind, date and one-sentence finding in `<meta>` tags.
"""

import os
import re
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines import night_record

HERE = Path(__file__).parent
INDEX = "index.html"
KINDS = {
    "nightly": ("Nights", "What was delivered each night, and for whom there is no score."),
    "monitoring": ("Monitoring", "What changed over the weeks, and how past scores turned out."),
    "data": ("Data", "What came in each night, what was refused at the door, and what does not hold."),
    "fairness": ("Fairness", "Whom the model serves better or worse, and how sure we are."),
    "mitigation": ("Mitigation", "What ways to narrow a gap between groups would gain, and what they would cost."),
    "model": ("Models", "The model against simple baselines, and what the gate decided."),
}


@dataclass(frozen=True)
class Context:
    """What a page belongs to. Texts are printed as given; empty ones are left out.

    `overrides` says of each model on the page that serves outside the release policy who answers for it, and why.
    """

    as_of: date
    dataset: str
    model_version: str = ""
    policy_version: str = ""
    code_version: str = ""
    run_id: str = ""
    overrides: tuple[str, ...] = ()


def write_page(folder: Path, name: str, kind: str, title: str, finding: str, context: Context, **content: Any) -> Path:
    """Render the kind's template to `<folder>/<name>.html`, whole or not at all, and give its path.

    Args:
        name: made safe for a file name here.
        kind: one of `KINDS`; its template is `<kind>.html.j2`.
        finding: the page in one sentence, shown on the index.
        content: what the template shows.
    """
    return write_text(folder / f"{slug(name)}.html", render(kind, title, finding, context, home=INDEX, **content))


def render(kind: str, title: str, finding: str, context: Context | None, *, home: str = "", **content: Any) -> str:
    """A page as text. `home` is where the index lies; empty where the page stands alone. The rest is as of `write_page`."""
    template = environment().get_template(f"{kind}.html.j2")
    return template.render(
        title=title, finding=finding, kind=kind, context=context, home=home, style=_style(), slug=slug, **content
    )


def write_index(folder: Path) -> Path:
    """Write the page that links every report in the folder, newest first within its kind, and says how the last night went.

    Nights are on record in the state folder, in which the folder of reports lies.
    """
    pages = [_read_page(path) for path in sorted(folder.glob("*.html")) if path.name != INDEX]
    sections = [
        (heading, about, sorted((p for p in pages if p.kind == kind), key=lambda p: (p.as_of, p.file), reverse=True))
        for kind, (heading, about) in KINDS.items()
    ]
    return write_text(
        folder / INDEX,
        render("index", "Foretide reports", "", None, sections=sections, last=night_record.last(folder.parent)),
    )


def slug(name: str) -> str:
    """The name with only lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@dataclass
class Page:
    """A written page, as its own `<title>` and `<meta>` tags describe it, and the card beside it, in each format."""

    file: str
    title: str = ""
    kind: str = ""
    as_of: str = ""
    finding: str = ""
    cards: tuple[str, ...] = ()


class _Head(HTMLParser):
    def __init__(self, file: str) -> None:
        super().__init__()
        self.page = Page(file)
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._is_title = tag == "title" and not self.page.title
        fields = {"foretide-kind": "kind", "foretide-as-of": "as_of", "description": "finding"}
        if tag == "meta" and (field := fields.get(given.get("name") or "")):
            setattr(self.page, field, given.get("content") or "")

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.page.title += data.strip()


def _read_page(path: Path) -> Page:
    reader = _Head(path.name)
    reader.feed(path.read_text(encoding="utf-8").partition("</head>")[0])
    reader.page.cards = tuple(sorted(card.name for card in path.parent.glob(f"{path.stem}.card.*")))
    return reader.page


def environment() -> Environment:
    """Where templates are found, and how they are filled in."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _style() -> Markup:
    return Markup((HERE / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file, not input


def write_text(path: Path, text: str) -> Path:
    """Write a file whole or not at all, and give its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    return draft.replace(path)
