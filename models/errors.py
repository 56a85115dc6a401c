"""The one error base of this package."""


class ModelsError(ValueError):
    """A model cannot be fitted, evaluated, saved or loaded: says what is wrong, how much of it, and the cure."""
