"""What people see of the command line: lines, one spinner, errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import Progress

Say: TypeAlias = Callable[[str], None]
"""Takes the sentence that says what is going on now."""

_out = Console(highlight=False, soft_wrap=True)
_errors = Console(highlight=False, soft_wrap=True, stderr=True)


def say(line: str = "", *, style: str = "") -> None:
    """Print a line as it is."""
    _out.print(escape(line), style=style or None)


def show(content: RenderableType) -> None:
    """Print a table or another thing of rich."""
    _out.print(content, soft_wrap=False)


def complain(line: str) -> None:
    """Print what is wrong, in red, to standard error."""
    _errors.print(escape(line), style="bold red")


@contextmanager
def working(first: str) -> Iterator[Say]:
    """Show that something takes time: a spinner with seconds, or lines where nobody watches."""
    if not _errors.is_terminal:
        yield _once_each(first)
        return
    started = time.monotonic()
    with _errors.status(escape(first)) as spinner:

        def update(text: str) -> None:
            spinner.update(f"{escape(text)} [dim]{time.monotonic() - started:.0f} s[/]")

        yield update


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how much of something is done: a bar, or one line where nobody watches."""
    if not _errors.is_terminal:
        _errors.print(escape(f"{what} …"))
        yield lambda _: None
        return
    with Progress(console=_errors, transient=True) as progress:
        bar = progress.add_task(escape(what), total=total)
        yield lambda n: progress.advance(bar, n)


def _once_each(first: str) -> Say:
    """Return what prints a sentence when it is another one than before."""
    last = ""

    def update(text: str) -> None:
        nonlocal last
        if text != last:
            last = text
            _errors.print(escape(text))

    update(first)
    return update
