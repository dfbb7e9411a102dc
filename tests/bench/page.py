"""How fast the admin's page is there: what the server takes, and when a browser paints."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from ls_active.engine.valkey import EmbeddedValkey
from ls_active.records.store import Store
from tests.bench.report import Report, Table, judged
from tests.bench.servers import ours
from tests.browser.conftest import QUIET
from tests.harness import records
from tests.harness.records import Shape

UID = "1.1763000000"
LARGE = Shape("A million tasks", versions=200, labels=20_000, tasks=1_000_000, audit=2_000)
PROJECTS = 200
PAINTS = 300
"""Milliseconds that the first paint may take."""

_PAINTED = """() => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return paint ? paint.startTime : null;
}"""
_DRAWN = """() => {
  const loaded = performance.getEntriesByType("resource");
  const pictures = loaded.filter((each) => each.name.includes(".svg?theme"));
  return Math.max(0, ...pictures.map((each) => each.responseEnd));
}"""


def run(folder: Path, loads: int, report: Report) -> None:
    """Load each page so often in a browser that knows nothing yet, and in one that was there."""
    store = Store(str(folder / "data"))
    records.write(store, UID, LARGE)
    records.version_files(store, UID, LARGE)
    for number in range(2, PROJECTS + 1):
        records.write(store, f"{number}.1763000000", Shape(f"Project {number}"))
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    table = Table(
        "The page: 1,000,000 tasks, 200 versions; 200 projects",
        ("page", "browser", "loads", "server ms", "CPU of it", "paint ms, median", "p95",
         "charts ms, median", "aim"),
        (f"load average of the machine when it began: {load}", "no page opens the tasks' mirror"),
    )  # fmt: skip
    valkey = EmbeddedValkey(folder / "valkey")
    valkey.start()
    try:
        with ours(folder / "data", valkey.url, processes=1) as server, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=_chromium(), args=[*QUIET])
            for name, path in (("overview", f"/projects/{UID}"), ("projects", "/projects"),
                               ("versions", f"/projects/{UID}/versions"),
                               ("jobs", f"/projects/{UID}/jobs")):  # fmt: skip
                url = server.url + path
                before = _cpu(server.pid)
                served = statistics.median(_answers(url, loads))
                used = (_cpu(server.pid) - before) / loads
                for known in (False, True):
                    painted, drawn = _paints(browser, url, loads, known=known)
                    median, late = statistics.median(painted), _p95(painted)
                    table.row(
                        name, "second visit" if known else "first visit", loads, round(served),
                        round(used), round(median), round(late), round(statistics.median(drawn)),
                        judged(median, PAINTS, " ms"),
                    )  # fmt: skip
            browser.close()
    finally:
        valkey.stop()
    report.add("page", table)


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "no Chromium on the PATH"
    return found


def _answers(url: str, loads: int) -> list[float]:
    with httpx.Client(trust_env=False) as client:
        return [_timed(client, url) for _ in range(loads)]


def _cpu(pid: int) -> float:
    """Return what a process computed so far, in milliseconds: a busy machine changes it little."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _timed(client: httpx.Client, url: str) -> float:
    started = time.perf_counter()
    client.get(url).raise_for_status()
    return 1000 * (time.perf_counter() - started)


def _paints(
    browser: Browser, url: str, loads: int, *, known: bool
) -> tuple[list[float], list[float]]:
    """Return when each load painted, and had all its charts, in milliseconds from its start."""
    painted, drawn = [], []
    context = browser.new_context()
    if known:
        context.new_page().goto(url, wait_until="networkidle")
    for _ in range(loads):
        if not known:
            context.close()
            context = browser.new_context()
        page = context.new_page()
        page.goto(url, wait_until="networkidle")
        painted.append(_painted(page))
        drawn.append(float(page.evaluate(_DRAWN)))
        page.close()
    context.close()
    return painted, drawn


def _painted(page: Page) -> float:
    # Not `wait_for_function`: the page's own policy forbids what it does.
    while (moment := page.evaluate(_PAINTED)) is None:
        page.wait_for_timeout(20)
    return float(moment)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1) + 0.5)]
