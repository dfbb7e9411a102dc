"""What annotators say together, and as numbers: one function a kind of answer for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, TypeAlias, cast

import numpy as np

from active_learning.types import OUTSIDE, UNLABELED, Answer, Ints, Kind, Labels

UNDECIDED = "\x00"
"""What a unit is called whose annotators disagree without a majority; no class has such a name."""

Votes: TypeAlias = Sequence[Any]


def consensus(kind: Kind, votes: Sequence[Answer]) -> Answer | None:
    """Return what most annotators said, one vote each; None without a majority, or any vote.

    Of numbers it is the median. Sets and sequences are decided class by class and unit by unit: a
    tie in a set leaves the task undecided, a tie in a sequence only that unit.
    """
    return _CONSENSUS[kind](votes) if votes else None


def encode(
    kind: Kind, answers: Mapping[int, Answer], n: int, classes: tuple[str, ...], starts: Ints | None
) -> Labels:
    """Return the labels of a pool of n tasks, see `Pool.y`; answers by row.

    An answer that names a class which is none is as good as none.
    """
    place = {name: index for index, name in enumerate(classes)}
    if kind is Kind.SEQUENCE:
        assert starts is not None  # noqa: S101 - sequences have units
        return _encode_units(answers, place, starts)
    if kind is Kind.NUMBER:
        numbers = np.full(n, np.nan)
        numbers[list(answers)] = [float(cast("float", answer)) for answer in answers.values()]
        return numbers
    if kind is Kind.MULTIPLE:
        sets = np.full((n, len(classes)), UNLABELED, dtype=np.int8)
        for row, answer in answers.items():
            chosen = [place[name] for name in cast("frozenset[str]", answer) if name in place]
            sets[row] = 0
            sets[row, chosen] = 1
        return sets
    y = np.full(n, UNLABELED, dtype=np.int64)
    for row, answer in answers.items():
        y[row] = place.get(cast("str", answer), UNLABELED)
    return y


def _encode_units(answers: Mapping[int, Answer], place: Mapping[str, int], starts: Ints) -> Labels:
    y = np.full(int(starts[-1]), UNLABELED, dtype=np.int64)
    codes: dict[str | None, int] = {name: index + 1 for name, index in place.items()}
    codes[None] = OUTSIDE
    for row, answer in answers.items():
        names = cast("tuple[str | None, ...]", answer)
        low, high = int(starts[row]), int(starts[row + 1])
        if len(names) == high - low:
            y[low:high] = [codes.get(name, UNLABELED) for name in names]
    return y


def _majority(votes: Votes) -> Any:
    ranking = Counter(votes).most_common(2)
    tied = len(ranking) == 2 and ranking[0][1] == ranking[1][1]
    return None if tied else ranking[0][0]


def _sets(votes: Votes) -> Answer | None:
    counts = Counter(name for vote in votes for name in vote)
    if any(2 * count == len(votes) for count in counts.values()):
        return None
    return frozenset(name for name, count in counts.items() if 2 * count > len(votes))


def _units(votes: Votes) -> Answer | None:
    if len({len(vote) for vote in votes}) > 1:
        return None
    return tuple(_unit(said) for said in zip(*votes, strict=True))


def _unit(said: Votes) -> str | None:
    ranking = Counter(said).most_common(2)
    tied = len(ranking) == 2 and ranking[0][1] == ranking[1][1]
    return UNDECIDED if tied else ranking[0][0]


_CONSENSUS: Mapping[Kind, Callable[[Votes], Any]] = {
    Kind.SINGLE: _majority,
    Kind.MULTIPLE: _sets,
    Kind.NUMBER: median,
    Kind.SEQUENCE: _units,
}
