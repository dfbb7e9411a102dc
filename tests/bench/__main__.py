"""``python -m tests.bench [--quick] [--only SECTION]``: measure, and print tables.

Needs an otherwise idle machine; some ten minutes in all, two with ``--quick``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from ls_active import __version__
from tests.bench import loop, page, predict, web
from tests.bench.annotators import AnnotatorSection
from tests.bench.loop import LoopSection, Site
from tests.bench.report import Report

WIDTH = 160
SECTIONS = ("predict", "web", "page", "loop", "annotators")


class Bench:
    """One run.

    Parameters
    ----------
    quick : bool
        Fewer cells, and shorter: shows that all works, and orders of magnitude.
    only : set of str
        The sections wanted.
    folder : Path
        For everything that is kept meanwhile.
    report : Report
    """

    def __init__(self, quick: bool, only: set[str], folder: Path, report: Report) -> None:
        self._quick = quick
        self._only = only
        self._folder = folder
        self._report = report

    def run(self) -> None:
        """Measure what is wanted."""
        if not self._only & {"loop", "annotators"}:
            self._alone()
            return
        self._say("starting Label Studio and the service, importing tasks")
        with loop.site(self._folder / "site") as place:
            # First, so that two minutes pass until it is measured: so long every refit reads what
            # was imported once more.
            section = self._loop_section(place)
            people = self._annotator_section(place)
            self._alone()
            if section:
                self._say("one label at a time: few labels")
                section.connect()
                section.measure()
            if section and not self._quick:
                section.more_labels()
            if people:
                self._say("two annotators label")
                people.run(self._report)
            if section and not self._quick:
                self._say("one label at a time: many labels")
                section.measure()
            if section:
                section.report(self._report)
            loop.report_memory(place.peak, self._report)

    def _alone(self) -> None:
        """Measure what needs no Label Studio."""
        if "predict" in self._only:
            self._say("/predict, ours beside label-studio-ml's own server")
            kinds = ("short",) if self._quick else ("short", "long")
            seconds = 1.0 if self._quick else 2.0
            predict.run(self._folder / "predict", predict.Plan(seconds, kinds), self._report)
        if "web" in self._only:
            self._say("/health and /webhook")
            web.run(self._folder / "web", 4.0 if self._quick else 8.0, self._report)
        if "page" in self._only:
            self._say("the admin's page, in a browser")
            page.run(self._folder / "page", 10 if self._quick else 20, self._report)

    def _loop_section(self, place: Site) -> LoopSection | None:
        if "loop" not in self._only:
            return None
        sizes, repeats = ((2_000,), 2) if self._quick else ((2_000, 10_000), 3)
        return LoopSection(place, sizes, repeats)

    def _annotator_section(self, place: Site) -> AnnotatorSection | None:
        if "annotators" not in self._only:
            return None
        seconds, turns = (20.0, 1) if self._quick else (60.0, 2)
        return AnnotatorSection(place, seconds, turns)

    def _say(self, what: str) -> None:
        self._report.console.print(f"[dim]{datetime.now(UTC):%H:%M:%S} {what} …[/dim]")


def console() -> Console:
    # Into a file as into a wide terminal: rich would cut the tables at 80 columns.
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells, under two minutes")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="may be repeated")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where figures go")
    arguments = parser.parse_args()
    report, began = Report(console()), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ls-active-bench-") as folder:
        Bench(arguments.quick, set(arguments.only or SECTIONS), Path(folder), report).run()
    seconds = round(time.monotonic() - began)
    report.save(arguments.json, version=__version__, quick=arguments.quick, seconds=seconds)


if __name__ == "__main__":
    main()
