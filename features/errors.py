"""The one error base of this package."""


class FeaturesError(ValueError):
    """A table handed to `features` cannot be used: says which table, which column, how many rows, and the cure."""


class FeaturesWarning(UserWarning):
    """Rows are let in that no feature is made of: by table, column and count, with what to do."""
