"""The names of a file's columns: that they can be told apart, and that those which the mapping names are there."""

from collections.abc import Collection

from pipelines.errors import Refused

# No export of a study has more; each costs memory in every portion.
MOST_COLUMNS = 10_000


def refuse_confusable(names: list[str], dropped: frozenset[str], file: str) -> None:
    """Refuse names that occur twice, or differ by nothing but case and blanks; and far too many of them.

    Raises:
        Refused: says how many, and names them; a dropped column confuses nobody unless it has the name of another.
    """
    if len(names) > MOST_COLUMNS:
        raise Refused(f"`{file}` has {len(names)} columns, more than {MOST_COLUMNS}. Split it, or check `separator:`.")
    counts: dict[str, set[str]] = {}
    for name in names:
        if name not in dropped:
            counts.setdefault(_plain(name), set()).add(name)
    twice = sorted({name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ())
    alike = sorted(name for same in counts.values() if len(same) > 1 for name in same)
    if twice or alike:
        told = (
            f"{len(twice)} column names twice" if twice else f"{len(alike)} column names that differ by case or blanks"
        )
        raise Refused(f"`{file}` has {told}: {_shown(twice or alike)}. Rename them, or list some under `drop:`.")


def refuse_missing(where: str, wanted: Collection[str], names: Collection[str]) -> None:
    """Refuse a mapped column that the file lacks; one that differs by case or blanks is pointed out.

    Raises:
        Refused: names the column and what is like it.
    """
    for name in wanted:
        if name not in names:
            near = next((other for other in names if _plain(other) == _plain(name)), None)
            hint = f" It has one that differs by case or blanks, `{near}`." if near is not None else ""
            if len(names) == 1 and not hint:
                hint = " It has one column in all: check `separator:`."
            raise Refused(f"{where}: the file has no column `{name}`.{hint} Correct the name in the mapping.")


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _shown(names: list[str]) -> str:
    return ", ".join(f"`{name[:40]}`" for name in names[:5])
