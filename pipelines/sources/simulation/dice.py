"""Randomness that belongs to one subject and one purpose.

A subject's draws depend on the seed, the subject's number and the purpose alone: the same person lives the same life
in a cohort of 30 and of 30,000, and a change to one stream leaves all others as they were.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

# Of 32 bits; what numpy says of a quotient is that it may have more.
Array = NDArray[np.floating]


class Dice:
    """One generator per subject; every draw has the subjects as its first axis."""

    def __init__(self, seed: int, numbers: NDArray[np.int64], purpose: str) -> None:
        code = zlib.crc32(purpose.encode())
        self._generators = [
            np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, code, int(number)])))
            for number in numbers
        ]

    def uniform(self, *shape: int) -> Array:
        """Draws in [0, 1), of shape (subjects, *shape)."""
        result = np.empty((len(self._generators), *shape), dtype=np.float32)
        for row, generator in zip(result, self._generators, strict=True):
            generator.random(out=row, dtype=np.float32)
        return result

    def normal(self, *shape: int) -> Array:
        """Standard normal draws, of shape (subjects, *shape)."""
        result = np.empty((len(self._generators), *shape), dtype=np.float32)
        for row, generator in zip(result, self._generators, strict=True):
            generator.standard_normal(out=row, dtype=np.float32)
        return result
