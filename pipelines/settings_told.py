"""What a wrong configuration is told: the key, what is wrong with it, the cure; never the value, which may be anything."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

# What the parser calls by the names of Python's types.
FORMS = {
    "tuple_type": "be a list, such as `[one, two]`",
    "dict_type": "hold keys, such as `key: value`",
    "model_type": "hold keys of its own, such as `key: value`",
}


def first_line(error: Exception) -> str:
    """The beginning of a parser's words."""
    return " ".join(str(error).split())[:200]


def cure(item: Any, whole: type[BaseModel]) -> str:
    """One validation error in words.

    Args:
        item: as pydantic lists it.
        whole: the configuration, for its keys.
    """
    where = ".".join(str(part) for part in item["loc"]) or "the file"
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(item["loc"][-1]), list(_keys(whole)), 1)
        return f"`{where}` is not a key" + (f"; perhaps `{near[0]}`" if near else "; remove it")
    if item["type"] == "union_tag_invalid":  # its message quotes the value
        return f"`{where}.format`: must be one of {item['ctx']['expected_tags']}"
    if item["type"] in FORMS:
        return f"`{where}`: must {FORMS[item['type']]}"
    return f"`{where}`: {item['msg'].removeprefix('Value error, ')}"


def _keys(section: type[BaseModel]) -> Iterator[str]:
    """Every key of a section and of those in it."""
    for name, field in section.model_fields.items():
        yield field.alias or name
        for inner in _sections(field.annotation):
            yield from _keys(inner)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)
