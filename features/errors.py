"""The one error base of this package."""


class FeaturesError(ValueError):
    """A table handed to `features` cannot be used: says which table, which column, how many rows, and the cure."""
