"""Tables for people and one JSON file for machines."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from rich import box
from rich import table as rich_table
from rich.console import Console

Cell: TypeAlias = str | int | float | None


@dataclass
class Table:
    """Rows of figures under named columns."""

    title: str
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def row(self, *cells: Cell) -> None:
        """Add a row."""
        assert len(cells) == len(self.columns), (cells, self.columns)
        self.rows.append(cells)

    def show(self, console: Console) -> None:
        """Print it."""
        shown = rich_table.Table(title=self.title, box=box.SIMPLE_HEAD, title_justify="left")
        numeric = [all(not isinstance(row[n], str) for row in self.rows) for n in self._places]
        for name, right in zip(self.columns, numeric, strict=True):
            shown.add_column(name, justify="right" if right else "left")
        for row in self.rows:
            shown.add_row(*map(_text, row))
        console.print(shown)
        for note in self.notes:
            console.print(f"  {note}", style="dim")

    @property
    def _places(self) -> range:
        return range(len(self.columns))


class Report:
    """All tables of a run, printed as they come."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._tables: dict[str, Table] = {}

    def add(self, name: str, table: Table) -> None:
        """Print a table and keep it."""
        table.show(self.console)
        self._tables[name] = table

    def save(self, path: Path, **about: Any) -> None:
        """Write everything down as JSON."""
        machine = {"cores": os.cpu_count(), "system": platform.platform()}
        document = {"machine": machine, **about}
        tables = {name: asdict(table) for name, table in self._tables.items()}
        path.write_text(json.dumps({**document, "tables": tables}, indent=1) + "\n")
        self.console.print(f"[bold]written to {path}[/bold]")

    def page(self, path: Path, head: str) -> None:
        """Write a page of Markdown: what is said first, and all tables."""
        path.write_text("\n".join([head, *map(markdown, self._tables.values())]), "utf-8")


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [f"**{table.title}**", "", "| " + " | ".join(table.columns) + " |"]
    lines.append("|" + "---|" * len(table.columns))
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.rows]
    return "\n".join([*lines, "", *(f"{note}." for note in table.notes), ""])


def judged(value: float, limit: float, unit: str = "") -> str:
    """Return a figure beside its aim, and whether it was met."""
    return f"{'met' if value <= limit else 'MISSED'} ({value:.3g}{unit}, aim {limit:g}{unit})"


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int | float) else cell


def median(values: Sequence[float]) -> float:
    """Return the middle value, to the millisecond."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    between = ordered[middle] if len(ordered) % 2 else sum(ordered[middle - 1 : middle + 1]) / 2
    return round(between, 3)
