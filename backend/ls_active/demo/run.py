"""The loop on a real Label Studio, from nothing, in one command."""

from __future__ import annotations

import fcntl
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ls_active.console import terminal
from ls_active.console.connecting import wait_for_queue
from ls_active.console.known import read_settings
from ls_active.console.waiting import NotDone
from ls_active.demo import data as demo_data
from ls_active.demo import report as demo_report
from ls_active.demo.annotator import ScriptedAnnotator, keep_order
from ls_active.demo.data import Article
from ls_active.demo.ports import free_port
from ls_active.demo.score import Retrain, Scoreboard, featurize
from ls_active.demo.service import DemoService, demo_service
from ls_active.demo.studio import VERSION, Installation, Studio, ensure_label_studio
from ls_active.label_studio import query
from ls_active.label_studio.client import LabelStudioClient, Project
from ls_active.records.project import ProjectStatus, State
from ls_active.settings import plain_environment

HOME = Path("~/.cache/ls-active")
"""Label Studio is kept here from one demo to the next."""

FOLDER = HOME / "demo"
"""All that a demo writes, and all that the next one clears."""

PORT = 8080
LAST_RETRAIN_SECONDS = 60.0
LOOK_EVERY = 0.5


@dataclass(frozen=True)
class Stage:
    """Everything that runs for the demo."""

    studio: Studio
    service: DemoService
    client: LabelStudioClient
    project: Project
    truth: Mapping[int, str]
    board: Scoreboard


def run(*, labels: int | None, port: int | None, pace: float, keep: bool) -> int:
    """Run the demo until Ctrl-C, or until a script has put so many labels; return an exit code.

    Returns
    -------
    int
        1 if the script was ever handed a task that was not in our queue.
    """
    signal.signal(signal.SIGTERM, _stop)
    try:
        with ExitStack() as stack:
            stage = _set_up(stack, port)
            _introduce(stage)
            if labels is None:
                _follow(stage)
            code = _label(stage, labels or 0, pace)
            if keep:
                terminal.say("Everything goes on running. Ctrl-C stops.")
                _follow(stage)
            return code
    except KeyboardInterrupt:
        terminal.say("Stopped.")
        return 0 if labels is None else 130


def _stop(_number: int, _frame: object) -> NoReturn:
    # As an exception, so that all that was started is stopped on the way out.
    sys.exit(143)


# Setting the stage


def _set_up(stack: ExitStack, port: int | None) -> Stage:
    articles = demo_data.articles()
    folder = stack.enter_context(_demo_folder(FOLDER.expanduser()))
    installation = _installation()
    thread = stack.enter_context(ThreadPoolExecutor(1))
    with terminal.working("") as say:
        say("Starting Label Studio (some 10 s) …")
        features = thread.submit(featurize, articles)
        studio = stack.enter_context(
            Studio.start(installation, folder / "label-studio", port=port or free_port(PORT))
        )
        service = stack.enter_context(demo_service(folder / "service", studio))
        client = stack.enter_context(LabelStudioClient(studio.url, studio.api_key))
        say(f"Filling a project with {len(articles):,} articles …")
        project, truth = _fill(client, articles)
        say("Starting our service …")
        service.wait()
        since = time.time()
        say("Connecting it through Label Studio's API …")
        # One person labels here, and wants to see the queue move.
        client.connect_ml_backend(
            project.id, service.url, "active learning", extra_params={"busy_share": 0.25}
        )
    wait_for_queue(service.store, client, project, since)
    board = Scoreboard(service.store, project.uid, truth, features.result())
    return Stage(studio, service, client, project, truth, board)


@contextmanager
def _demo_folder(folder: Path) -> Iterator[Path]:
    """Clear the demo's own folder, unless another demo is using it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotDone("another demo is running: stop it with Ctrl-C first") from None
        for name in ("label-studio", "service"):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        yield folder


def _installation() -> Installation:
    with terminal.working(f"Looking for Label Studio {VERSION} …") as say:
        return ensure_label_studio(
            say,
            cache_dir=HOME,
            base_env=plain_environment(),
            venv=read_settings().label_studio_venv,
        )


def _fill(client: LabelStudioClient, articles: Sequence[Article]) -> tuple[Project, dict[int, str]]:
    project = client.create_project("BBC News", demo_data.LABEL_CONFIG)
    ids = client.import_tasks(project.id, [{"data": {"text": item.text}} for item in articles])
    return project, {task: item.topic for task, item in zip(ids, articles, strict=True)}


def _introduce(stage: Stage) -> None:
    for name, value in (
        ("Label Studio", f"{stage.studio.url}/projects/{stage.project.id}/data"),
        ("login", stage.studio.username),
        ("password", stage.studio.password),
        ("our page", stage.service.url),
        ("our log", str(stage.service.log)),
    ):
        terminal.say(f"{name:>13}  {value}")
    terminal.say()


# Following it


def _follow(stage: Stage) -> NoReturn:
    """Print a line for each retrain, whoever labels."""
    terminal.say("Press Label All Tasks and label. A line follows for each retrain; Ctrl-C stops.")
    terminal.say(demo_report.HEADER)
    said = ""
    while True:
        stage.service.check()
        for retrain in stage.board.retrains(lambda: _labelled(stage)):
            terminal.say(demo_report.line(retrain))
        said = _trouble(stage, said)
        time.sleep(LOOK_EVERY)


def _labelled(stage: Stage) -> Collection[int]:
    pages = stage.client.tasks(stage.project.id, filters=(query.labeled(True),), include=("id",))
    return {task["id"] for page in pages for task in page}


def _trouble(stage: Stage, said: str) -> str:
    """Say what goes wrong in the service, once."""
    status = ProjectStatus.load(stage.service.store, stage.project.uid)
    trouble = status.detail if status.state == State.FAILING else ""
    if trouble and trouble != said:
        terminal.complain(f"{trouble}; {status.remedy}")
    return trouble


# Labelling by a script


def _label(stage: Stage, labels: int, pace: float) -> int:
    """Label, print a line for each retrain, sum up; return an exit code."""
    annotator = ScriptedAnnotator(stage.client, stage.project.id, stage.truth, pace)
    board, seen = stage.board, list[Retrain]()

    def look() -> None:
        stage.service.check()
        for retrain in board.retrains(lambda: {item.task for item in annotator.served}):
            seen.append(retrain)
            waits = demo_report.waits(retrain, board.records, annotator.served)
            order = keep_order(annotator.served, board.records)
            terminal.say(demo_report.line(retrain, order, waits))

    terminal.say(f"A script labels {labels} articles, {pace:g} a second at most, as they come.")
    terminal.say(demo_report.SCRIPT_HEADER)
    annotator.label(labels, look)
    ends = time.monotonic() + LAST_RETRAIN_SECONDS
    while not seen or seen[-1].labels < labels:
        look()
        if time.monotonic() > ends:
            terminal.complain(f"The last labels were not learned in {LAST_RETRAIN_SECONDS:g} s.")
            break
        time.sleep(LOOK_EVERY)
    order = keep_order(annotator.served, board.records)
    terminal.show(demo_report.summary(seen, board.records, annotator.served, order))
    return int(order.inside < order.served)
