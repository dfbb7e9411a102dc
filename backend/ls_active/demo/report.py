"""The lines that the demo prints."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from ls_active import words
from ls_active.demo.annotator import Order, Record, Served
from ls_active.demo.score import Retrain

_MEANING = (
    "accuracy: of the model on the articles nobody labelled, against their true topics, which the\n"
    "service does not know. What it says itself is its own estimate."
)
HEADER = f"{_MEANING}\n\nlabels  queue     accuracy  own estimate"
SCRIPT_HEADER = (
    f"{_MEANING}\nin order: tasks that were next in our queue when they were handed out.\n"
    "seconds: from a label to the first queue that knows it, newest and oldest label.\n\n"
    "labels  queue     accuracy  in order   seconds  own estimate"
)


def line(
    retrain: Retrain, order: Order | None = None, waits: tuple[float, float] | None = None
) -> str:
    """Return one line on a retrain."""
    accuracy = "" if retrain.accuracy is None else f"{100 * retrain.accuracy:.1f} %"
    parts = [f"{retrain.labels:>6}", f"{retrain.name:<8}", f"{accuracy:>8}"]
    if order is not None:
        seconds = f"{waits[0]:.1f}-{waits[1]:.1f}" if waits else ""
        parts += [f"{order.next:>4}/{order.served:<3}", f"{seconds:>8}"]
    return "  ".join([*parts, f"{words.chosen(retrain.chosen)}; {words.audit(retrain.audit)}"])


def waits(
    retrain: Retrain, records: Sequence[Record], served: Sequence[Served]
) -> tuple[float, float] | None:
    """Return the seconds from the newest and from the oldest new label to a queue."""
    index = next(i for i, record in enumerate(records) if record["name"] == retrain.name)
    known = records[index - 1]["labels"] if index else 0
    new = served[known : retrain.labels]
    if not new:
        return None
    return (
        retrain.published_at - new[-1].submitted_at,
        retrain.published_at - new[0].submitted_at,
    )


def summary(
    retrains: Sequence[Retrain],
    records: Sequence[Record],
    served: Sequence[Served],
    order: Order,
) -> RenderableType:
    """Return what it all came to."""
    table = Table.grid(padding=(0, 2))
    table.title, table.title_justify = "\n[bold]Summary[/]", "left"
    for name, value in (
        ("labelled", f"{len(served)} articles, {len(retrains)} retrains"),
        ("accuracy on the rest", _progress(retrains)),
        ("handed out in our order", _share(order.next, order.served)),
        ("handed out from our queue", _share(order.inside, order.served)),
        ("oldest label to new queue", _waiting(retrains, records, served)),
        ("Label Studio, next task", _milliseconds([item.next_seconds for item in served])),
        ("Label Studio, submit", _milliseconds([item.submit_seconds for item in served])),
    ):
        table.add_row(f"[dim]{name}[/]", value)
    return table


def _progress(retrains: Sequence[Retrain]) -> str:
    known = [item for item in retrains if item.accuracy is not None]
    if not known:
        return "no model was made"
    ends = (known[0], known[-1])
    return ", ".join(f"{100 * (e.accuracy or 0):.1f} % after {e.labels} labels" for e in ends)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.0f} %)"


def _waiting(
    retrains: Sequence[Retrain], records: Sequence[Record], served: Sequence[Served]
) -> str:
    pairs = [waits(item, records, served) for item in retrains]
    oldest = [pair[1] for pair in pairs if pair is not None]
    if not oldest:
        return "none"
    return f"median {statistics.median(oldest):.1f} s, longest {max(oldest):.1f} s"


def _milliseconds(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    worst = ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]
    return f"median {1000 * statistics.median(ordered):.0f} ms, p95 {1000 * worst:.0f} ms"
