"""Time series as Label Studio reads them: an object of columns, or CSV."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import chain, islice, zip_longest
from typing import Any

import numpy as np

from active_learning.errors import Unreadable
from active_learning.types import Bools, Floats

MAX_VALUES = 1_000_000
"""Numbers read of one series, over all channels: the start of a longer one."""

MAX_BYTES = 32_000_000
"""Of a file, from its start."""

LARGEST = 1e18
"""Where numbers end: beyond it, squares overflow."""

SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "dot": ".", "auto": ""}
"""What Label Studio calls them."""

KNOTS = 501
"""Formatted times that are read of a series, those at which windows begin and end; in between,
samples are taken to be even."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a series are what.

    Attributes
    ----------
    channels : tuple of str
        Lower case; empty: every column of numbers but that of the times, by name.
    time : str
        The column of the times, lower case; empty: samples are numbered.
    time_format : str
        How times are written, as d3 has it; empty: they are numbers.
    separator : str
        Of CSV; empty: whatever separates the first line.
    """

    channels: tuple[str, ...]
    time: str
    time_format: str
    separator: str

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> Columns:
        """Read the attributes of a ``TimeSeries`` tag, whose channels are joined by commas."""
        given = {name.lower(): value for name, value in attributes.items()}
        channels = (name.strip().lower() for name in given.get("channels", "").split(","))
        time = given.get("timecolumn", "").strip().lower()
        separator = given.get("sep") or ","
        return cls(
            channels=tuple(filter(None, channels)),
            time=time,
            time_format=given.get("timeformat", "").strip() if time else "",
            separator=SEPARATORS.get(separator, separator[0]),
        )


@dataclass(frozen=True, eq=False)
class Series:
    """One series.

    Attributes
    ----------
    values : (c, n) float64
        A row a channel. Gaps are bridged by straight lines; an absent channel is zero.
    known : (c, n) bool
        Where there was a number.
    times : (n,) float64
        Of the samples: as written, in milliseconds since 1970 (UTC) if formatted, or their
        numbers.
    """

    values: Floats
    known: Bools
    times: Floats


def read_series(value: Any, columns: Columns) -> Series:
    """Read an object of columns, JSON text of one, or CSV.

    Raises
    ------
    Unreadable
        It is none of these, or none of the channels holds a number.
    """
    table = _table(value, columns)
    time = _column(table, columns.time) if columns.time else None
    if columns.channels:
        chosen = [_column(table, name) for name in columns.channels]
    else:
        chosen = [table[name] for name in sorted(table) if table[name] is not time]
    rows = max(MAX_VALUES // max(len(chosen), 1), 1)
    found = [_numbers(column, rows) for column in chosen]
    if not columns.channels:
        found = [column for column in found if np.isfinite(column).any()]
    values = _side_by_side(found)
    known = np.isfinite(values)
    if not known.any():
        wanted = ", ".join(map(repr, columns.channels))
        raise Unreadable(f"no numbers in {wanted or 'any column'}")
    return Series(_bridged(values, known), known, _times(time, columns, values.shape[1]))


def parse_time(text: str, time_format: str) -> float:
    """Return milliseconds since 1970 (UTC) of a time written in a d3 format.

    Raises
    ------
    ValueError
        It is not written so.
    """
    if time_format.strip() in {"%Q", "%s"}:
        return float(text) * (1 if time_format.strip() == "%Q" else 1000)
    found = datetime.strptime(text.strip(), _python_format(time_format))  # noqa: DTZ007
    moment = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (moment - _EPOCH) / timedelta(milliseconds=1)


def format_time(milliseconds: float, time_format: str) -> str:
    """Write milliseconds since 1970 (UTC) in a d3 format, as Label Studio does.

    Raises
    ------
    OverflowError
        It is no time of the years 1 to 9999.
    """
    whole = round(milliseconds)
    if time_format.strip() in {"%Q", "%s"}:
        return str(whole if time_format.strip() == "%Q" else whole // 1000)
    moment = _EPOCH + timedelta(milliseconds=whole)
    # The platform has no milliseconds, and writes the year 999 with three digits.
    exact = time_format.replace("%L", f"{moment.microsecond // 1000:03d}")
    exact = exact.replace("%Y", f"{moment.year:04d}")
    return moment.strftime(_python_format(exact))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _python_format(time_format: str) -> str:
    for theirs, ours in (("%L", "%f"), ("%e", "%d"), ("%Z", "%z"), ("%-", "%"), ("%_", "%")):
        time_format = time_format.replace(theirs, ours)
    return time_format


def _table(value: Any, columns: Columns) -> Mapping[str, Sequence[Any]]:
    if isinstance(value, bytes):
        value = value[:MAX_BYTES].decode("utf-8-sig", "replace")
    if isinstance(value, str):
        value = _json(value) if value.lstrip()[:1] == "{" else _csv(value[:MAX_BYTES], columns)
    if not isinstance(value, Mapping):
        raise Unreadable(f"must be an object of columns or CSV, got {type(value).__name__}")
    return {
        str(name).lower(): column
        for name, column in value.items()
        if isinstance(column, list | tuple)
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the series begins like JSON and is none") from error


def _csv(text: str, columns: Columns) -> dict[str, list[str]]:
    """Read a table, with a line of names or without: then columns are named by number."""
    lines = StringIO(text, newline=None)
    start = lines.readline()
    separator = columns.separator or next((mark for mark in ",;\t " if mark in start), ",")
    rows = _rows(chain([start], lines), separator)
    first = next(rows, [])
    if not first:
        raise Unreadable("the file of the series is empty")
    width = len(first)
    names = [cell.strip().lower() for cell in first]
    body = [row[:width] for row in islice(rows, max(MAX_VALUES // width, 1))]
    declared = {name for name in (*columns.channels, columns.time) if not name.isdecimal()}
    if declared.isdisjoint(names) and any(math.isfinite(_number(cell)) for cell in first):
        names, body = [str(place) for place in range(width)], [first, *body]
    cells = zip_longest(*body, fillvalue="")
    return {name: list(column) for name, column in zip(names, cells, strict=False)}


def _rows(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    try:
        yield from filter(None, csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise Unreadable("the file of the series is not CSV") from error


def _column(table: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any]:
    """Return a column by name, or else by number, as Label Studio does; else nothing."""
    if name in table:
        return table[name]
    place = int(name) if name.isdecimal() else len(table)
    return next(islice(table.values(), place, None), ())


def _numbers(column: Sequence[Any], length: int) -> Floats:
    cells = column[:length]
    try:
        numbers = np.array(cells, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([_number(cell) for cell in cells], dtype=np.float64)
    if numbers.ndim != 1:
        return np.full(len(cells), np.nan)
    numbers[~np.isfinite(numbers)] = np.nan
    return np.clip(numbers, -LARGEST, LARGEST)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _side_by_side(columns: Sequence[Floats]) -> Floats:
    values = np.full((len(columns), max(map(len, columns), default=0)), np.nan)
    for row, column in zip(values, columns, strict=True):
        row[: len(column)] = column
    return values


def _bridged(values: Floats, known: Bools) -> Floats:
    filled = np.zeros_like(values)
    places = np.arange(values.shape[1])
    for row, there, result in zip(values, known, filled, strict=True):
        if there.any():
            result[:] = np.interp(places, places[there], row[there])
    return filled


def _times(column: Sequence[Any] | None, columns: Columns, length: int) -> Floats:
    numbered = np.arange(length, dtype=np.float64)
    if column is None:
        return numbered
    if len(column) < length:
        raise Unreadable(f"fewer times in {columns.time!r} than samples")
    if columns.time_format:
        knots = np.unique(np.linspace(0, length - 1, min(length, KNOTS)).astype(np.int64))
        moments = [_moment(column[knot], columns.time_format) for knot in knots]
        times: Floats = np.interp(numbered, knots, moments)
    else:
        times = _numbers(column, length)
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise Unreadable(f"the times in {columns.time!r} are not all times in ascending order")
    return times


def _moment(cell: Any, time_format: str) -> float:
    try:
        return parse_time(str(cell), time_format)
    except (ValueError, OverflowError):
        return math.nan
