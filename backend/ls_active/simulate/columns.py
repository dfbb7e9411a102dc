"""Which column of a table is the answer, and which ones it is learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ls_active.errors import BadRequest
from ls_active.simulate.examples import Examples

LABELS = {"label", "labels", "class", "category", "target", "topic", "sentiment", "y", "answer"}
TEXTS = {"text", "content", "body", "message", "sentence", "review", "document", "tweet", "title"}
NUMBERS = {"", "id", "_id", "uid", "uuid", "index", "unnamed: 0"}
"""Names that say what a column is, in small letters; the last name a row and say nothing of it."""

LOOKED_AT = 1_000
"""Rows that a guess is based on."""

LONG = 20
"""Characters of an average cell from which a column is text, and no category."""

Rows: TypeAlias = Sequence[Mapping[str, Any]]


def examples(rows: Rows, text: Sequence[str], label: str, source: str) -> Examples:
    """Take texts, or whole rows of numbers and categories, and their answers out of a table.

    Raises
    ------
    BadRequest
        A column is not there, or it is not plain which ones are meant.
    """
    if not rows:
        raise BadRequest(f"{source} holds no rows")
    names = list(dict.fromkeys(name for row in rows[:LOOKED_AT] for name in row))
    for name in (*text, *([label] if label else [])):
        if name not in names:
            raise BadRequest(f"{source} has no column {name!r}; {_listed(rows, names)}")
    label = label or _label(rows, [name for name in names if name not in text], source)
    if label in text:
        raise BadRequest(f"column {label!r} cannot be both --text and --label")
    answered = [row for row in rows if not _empty(row.get(label))]
    answers = [_answer(row[label]) for row in answered]
    rest = [name for name in names if name != label and name.lower() not in NUMBERS]
    chosen = list(text) or _texts(rows, rest, source)
    if not chosen:
        if not rest:
            raise BadRequest(
                f"{source} has nothing to learn {label!r} from; {_listed(rows, names)}"
            )
        values: list[Any] = [{name: row.get(name) for name in rest} for row in answered]
        return Examples("Table", values, answers, f"{label!r} from {_named(rest)}")
    values = [_joined([row.get(name) for name in chosen]) for row in answered]
    return Examples("Text", values, answers, f"{label!r} from the text of {_named(chosen)}")


def _label(rows: Rows, names: Sequence[str], source: str) -> str:
    called = [name for name in names if name.lower() in LABELS]
    if len(called) == 1:
        return called[0]
    short = [name for name in names if not _is_text(rows, name) and name.lower() not in NUMBERS]
    if len(short) == 1 and not called and len(names) <= 2:
        return short[0]
    raise BadRequest(
        f"which column of {source} is the label? Say --label COLUMN; {_listed(rows, names)}"
    )


def _texts(rows: Rows, names: Sequence[str], source: str) -> list[str]:
    """Return the one column that is text, or nothing where none is."""
    texts = [name for name in names if _is_text(rows, name)]
    if len(texts) > 1:
        texts = [name for name in texts if name.lower() in TEXTS] or texts
    if len(texts) > 1:
        raise BadRequest(
            f"which column of {source} is the text? Say --text COLUMN, more than once if it is "
            f"several; {_listed(rows, names)}"
        )
    if texts:
        return texts
    called = [name for name in names if name.lower() in TEXTS]
    return called[:1] if len(called) == 1 else []


def _is_text(rows: Rows, name: str) -> bool:
    cells = [row[name] for row in rows[:LOOKED_AT] if isinstance(row.get(name), str)]
    if not cells or 2 * len(cells) < min(len(rows), LOOKED_AT):
        return False
    return sum(map(len, cells)) / len(cells) >= LONG and 2 * len(set(cells)) > len(cells)


def _listed(rows: Rows, names: Sequence[str]) -> str:
    """Return the columns with what is in them."""
    return "it has " + ", ".join(f"{name} ({_described(rows, name)})" for name in names)


def _described(rows: Rows, name: str) -> str:
    if _is_text(rows, name):
        return "text"
    cells = {str(row.get(name)) for row in rows[:LOOKED_AT]}
    return f"{len(cells)} different values" if len(cells) > 1 else "the same everywhere"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def _joined(cells: Sequence[Any]) -> Any:
    # A value that is no text is left to the featurizer, which says what is wrong with it.
    return cells[0] if len(cells) == 1 else "\n".join(str(cell) for cell in cells if cell)


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _answer(cell: Any) -> Any:
    return cell.strip() if isinstance(cell, str) else cell
