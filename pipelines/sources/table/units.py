"""Units by their UCUM names, with the everyday spellings of vendors beside them, and what turns one into another.

A declared table, not a unit library: the streams need some sixty units, a mapping that names any other one is told
which there are, and `pint` with a UCUM grammar costs more to import than a night's ingestion takes. What needs
chemistry (mmol/L to mg/dL) is not converted: the factor depends on the substance.
"""

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Conversion:
    """`target = value * factor + shift`."""

    factor: float
    shift: float = 0.0


# Kind of quantity -> unit -> what turns it into the kind's first unit.
_KINDS: dict[str, dict[str, float | tuple[float, float]]] = {
    "time": {"s": 1, "us": 1e-6, "ms": 1e-3, "min": 60, "h": 3600, "d": 86_400, "wk": 604_800},
    "rate": {"bpm": 1, "/min": 1, "{beats}/min": 1, "Hz": 60, "/s": 60, "/h": 1 / 60},
    "variance of a rate": {"bpm2": 1},
    "share": {"percent": 1, "%": 1, "1": 100},
    "count of steps": {"steps": 1, "{steps}": 1},
    "steps in a minute": {"steps/min": 1, "{steps}/min": 1},
    "points": {"points": 1, "{score}": 1, "scale points": 1},
    "mass": {"kg": 1, "g": 1e-3, "mg": 1e-6, "lb": 0.45359237, "[lb_av]": 0.45359237, "[oz_av]": 0.028349523125,
             "[stone_av]": 6.35029318},
    "length": {"m": 1, "mm": 1e-3, "cm": 0.01, "km": 1000, "in": 0.0254, "[in_i]": 0.0254, "ft": 0.3048,
               "[ft_i]": 0.3048, "mi": 1609.344, "[mi_i]": 1609.344},
    "speed": {"m/s": 1, "km/h": 1 / 3.6, "[mi_i]/h": 0.44704},
    "acceleration": {"m/s2": 1, "[g]": 9.80665},
    "temperature": {"Cel": 1, "degC": 1, "K": (1, -273.15), "degF": (5 / 9, -160 / 9), "[degF]": (5 / 9, -160 / 9)},
    "energy": {"kcal": 1, "cal": 1e-3, "kJ": 1 / 4.184, "J": 1 / 4184},
    "volume": {"L": 1, "dL": 0.1, "mL": 1e-3},
    "amount in a volume": {"mmol/L": 1, "mol/L": 1000, "umol/L": 1e-3, "nmol/L": 1e-6, "pmol/L": 1e-9},
    "mass in a volume": {"mg/dL": 1, "g/L": 100, "g/dL": 1000, "mg/L": 0.1, "ug/L": 1e-4, "ng/mL": 1e-4, "pg/mL": 1e-7},
    "pressure": {"mm[Hg]": 1, "mmHg": 1, "kPa": 7.500617},
    "sound level": {"dB": 1},
    "illuminance": {"lx": 1},
    "angle": {"deg": 1, "rad": 57.29577951308232},
}  # fmt: skip
_OF_UNIT = {unit: (kind, scale if isinstance(scale, tuple) else (scale, 0.0))
            for kind, units in _KINDS.items() for unit, scale in units.items()}  # fmt: skip
# A minute's count of steps is often given as a plain count.
_ALSO = {("steps", "steps/min"), ("{steps}", "steps/min")}
UNITS = sorted(_OF_UNIT)
# What needs no `unit:` in a mapping, since there is one way only to give it.
UNDISPUTED = ("", "steps", "steps/min", "points", "scale points")


def known_unit(name: str) -> str:
    """The name, if it is a unit.

    Raises:
        ValueError: it is none; says which there are.
    """
    if name not in _OF_UNIT:
        near = difflib.get_close_matches(name, UNITS, 1)
        raise ValueError(f"is not a known unit; use one of {', '.join(UNITS)}" + (f" (`{near[0]}`?)" if near else ""))
    return name


def conversion(source: str, target: str) -> Conversion | None:
    """What turns values in `source` into values in `target`; None where nothing does."""
    if source == target or (source, target) in _ALSO:
        return Conversion(1.0)
    if source not in _OF_UNIT or target not in _OF_UNIT:
        return None
    (kind, (factor, shift)), (target_kind, (target_factor, target_shift)) = _OF_UNIT[source], _OF_UNIT[target]
    if kind != target_kind:
        return None
    return Conversion(factor / target_factor, (shift - target_shift) / target_factor)
