"""Drafts of mappings with their blanks filled, as a person would fill them."""

import re


def filled(text: str, zone: str = "Europe/Berlin") -> str:
    """The draft with a time zone, our own units, and something for each other blank."""
    text = re.sub(r"^time_zone:", f"time_zone: {zone}", text, flags=re.MULTILINE)
    text = re.sub(r"unit: \}(.*ours is (\S+))", r"unit: \2}\1", text)
    text = re.sub(r"unit: \}", "unit: s}", text)
    text = re.sub(r"value: \}", "value: low}", text)
    return text.replace("files:\n", "files:\n" if re.search(r"^  - path", text, re.MULTILINE) else "files: []\n")
