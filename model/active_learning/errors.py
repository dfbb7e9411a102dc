"""What the core refuses, and what to do about it.

::

    ActiveLearningError
    ├── InvalidInput          arrays that do not fit together, NaN probabilities, …
    ├── NotEnoughLabels       a fit was asked for before two classes have a label
    ├── UnknownComponent      a strategy, featurizer or learner nobody registered
    └── Unreadable            one value of one task holds nothing to learn from
"""

from collections.abc import Iterable


class ActiveLearningError(Exception):
    """Base of everything this package raises on purpose."""


class InvalidInput(ActiveLearningError, ValueError):
    """Raised when an argument has the wrong shape, range or type."""


class NotEnoughLabels(ActiveLearningError):
    """Raised when a model is asked for and the labels do not allow one yet."""


class UnknownComponent(ActiveLearningError, LookupError):
    """Raised when a name is not in a registry."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(sorted(known))}")


class Unreadable(ActiveLearningError, ValueError):
    """Raised when one value holds nothing to learn from; says why in a few words, without it."""
