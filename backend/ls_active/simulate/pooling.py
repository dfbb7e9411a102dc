"""From examples to a pool in which every task has its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from active_learning import Kind, Pool, Serving, Unreadable
from active_learning.features import stacked
from active_learning.registry import featurizer_of
from active_learning.types import Answer
from ls_active.errors import BadRequest
from ls_active.loop.consensus import encode
from ls_active.simulate.examples import Examples

AT_ONCE = 16
"""Values parsed together: pictures are large once they are decoded."""

MANY_VALUES = 20
"""Different numbers from which a column of them is learned as numbers, not as classes."""

LEAST = 30
"""Examples, to teach and to judge."""

MAX_CLASSES = 1_000


@dataclass(frozen=True)
class Readable:
    """A pool and what of the examples is not in it: how many, and what is wrong with the first."""

    pool: Pool
    unreadable: int = 0
    reason: str = ""


def pool_of(examples: Examples, *, limit: int, advance: Callable[[], None]) -> Readable:
    """Make features of at most `limit` examples, by the featurizer a project would use.

    Parameters
    ----------
    advance : callable
        Called after each example.

    Raises
    ------
    BadRequest
        Too little can be read, or the answers are no classes and no numbers.
    """
    kind = kind_of(examples.answers)
    chosen = np.sort(np.random.default_rng(0).permutation(len(examples.values))[:limit])
    cls = featurizer_of(examples.tag)
    assert cls is not None  # noqa: S101 - only tags that have one are read
    featurizer = cls({})
    rows, answers, problems = [], [], []
    for start in range(0, len(chosen), AT_ONCE):
        parsed = []
        for row in chosen[start : start + AT_ONCE]:
            advance()
            try:
                parsed.append(featurizer.parse(_content(examples.values[row])))
            except Unreadable as reason:
                problems.append(f"{_place(examples, int(row))}: {reason}")
            else:
                answers.append(examples.answers[row])
        if parsed:
            rows.append(featurizer.transform(parsed))
    if len(answers) < LEAST:
        first = f"; {problems[0]}" if problems else ""
        raise BadRequest(
            f"{len(answers)} of {len(examples.values)} examples have a label and can be read, at "
            f"least {LEAST} are needed{first}"
        )
    X = stacked(rows)
    classes, known = _encodable(kind, answers)
    n = len(answers)
    pool = Pool(
        ids=np.arange(1, n + 1),
        X=X,
        y=encode(kind, dict(enumerate(known)), n, classes, None),
        serving=np.full(n, Serving.YES, dtype=np.int8),
        resolved=np.zeros(n, dtype=np.bool_),
        u=np.arange(n, dtype=np.uint64),
        classes=classes,
        kind=kind,
        blocks=((featurizer.block, X.shape[1]),),
    )
    return Readable(pool, len(problems), problems[0] if problems else "")


def kind_of(answers: Sequence[Any]) -> Kind:
    """Tell classes from lists of them and from numbers: many different ones, not all whole."""
    if any(isinstance(answer, list) for answer in answers):
        return Kind.MULTIPLE
    numbers = [_number(answer) for answer in answers]
    if numbers and all(number is not None for number in numbers):
        whole = all(float(number).is_integer() for number in numbers if number is not None)
        if len(set(numbers)) > MANY_VALUES * (5 if whole else 1):
            return Kind.NUMBER
    return Kind.SINGLE


def _number(answer: Any) -> float | None:
    if isinstance(answer, bool):
        return None
    try:
        number = float(answer)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _encodable(kind: Kind, answers: Sequence[Any]) -> tuple[tuple[str, ...], list[Answer]]:
    """Return the classes in order, and each answer in terms of them."""
    if kind is Kind.NUMBER:
        return (), [float(answer) for answer in answers]
    sets = [answer if isinstance(answer, list) else [answer] for answer in answers]
    named = [[_name(each) for each in every] for every in sets]
    counts = Counter(name for every in named for name in every)
    if len(counts) < 2:
        raise BadRequest(
            f"every example is {next(iter(counts), 'without a class')!r}: there is nothing to "
            "tell apart"
        )
    if len(counts) > min(MAX_CLASSES, len(answers) / 2):
        raise BadRequest(
            f"the label has {len(counts)} different values in {len(answers)} examples; is another "
            "column meant? Say --label COLUMN"
        )
    classes = tuple(sorted(counts))
    if kind is Kind.MULTIPLE:
        return classes, [frozenset(every) for every in named]
    return classes, [every[0] for every in named]


def _name(answer: Any) -> str:
    if isinstance(answer, str | int | float):
        return str(answer)
    raise BadRequest(
        f"a label should be a name, a number or a list of names, got {type(answer).__name__}"
    )


def _content(value: Any) -> Any:
    if not isinstance(value, Path):
        return value
    try:
        return value.read_bytes()
    except OSError as error:
        raise Unreadable(str(error.strerror or error)) from error


def _place(examples: Examples, row: int) -> str:
    value = examples.values[row]
    return str(value) if isinstance(value, Path) else f"example {row + 1}"
