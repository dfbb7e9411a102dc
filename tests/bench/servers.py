"""The servers that are compared: our API alone, and that of label-studio-ml."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from pydantic import SecretStr

from active_learning import audit
from active_learning.types import UNLABELED, Pool, Serving
from ls_active.engine.processes import spawn, stop
from ls_active.labeling import label_config
from ls_active.labeling.inputs import Inputs
from ls_active.labeling.plan import make_plan
from ls_active.loop.dataset import Dataset
from ls_active.loop.models import ModelShelf
from ls_active.records.project import Connection
from ls_active.records.store import Store
from ls_active.settings import Settings, as_environment
from ls_active.stack import ONE_THREAD
from tests.harness import data
from tests.harness.stack import ROOT, free_port

UID = "1.1763000000"
START_SECONDS = 120.0

Labelled = Sequence[data.Labelled]


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    url: str
    pid: int


def fit_version(folder: Path, texts: Labelled) -> None:
    """Put a connected project with one model version into a data folder."""
    store = Store(str(folder))
    Connection(UID, adopted=True).save(store)
    plan = make_plan(label_config.parse(data.LABEL_CONFIG))
    ids = np.arange(1, len(texts) + 1)
    pool = Pool(
        ids=ids,
        X=Inputs(plan).read([{"data": {"text": text}} for text, _ in texts]).X,
        y=np.array([data.CLASSES.index(label) for _, label in texts]),
        serving=np.full(len(texts), Serving.NO, dtype=np.int8),
        resolved=np.ones(len(texts), dtype=np.bool_),
        u=audit.uniform_order(UID, 0, ids),
        classes=data.CLASSES,
    )
    assert not (pool.y == UNLABELED).any()
    dataset = Dataset((pool,), plan.signature, "benchmark", annotators=1, tied=0)
    ModelShelf(store, UID).fit(dataset, plan, 0, "margin")


@contextlib.contextmanager
def ours(folder: Path, redis_url: str, *, processes: int) -> Iterator[Server]:
    """Run our API alone, with so many predict processes."""
    settings = Settings(
        data_dir=str(folder),
        cache_dir=folder / "local",
        port=free_port(),
        redis_url=SecretStr(redis_url),
        predict_processes=processes,
        log_level="WARNING",
    )
    argv = [sys.executable, "-m", "ls_active.stack", "api"]
    environment = {**as_environment(settings), **ONE_THREAD, **_PATH}
    name = f"ours, {processes} process{'es' if processes > 1 else ''}"
    with _running(name, argv, environment, settings.port, folder / f"api-{processes}.log") as found:
        yield found


@contextlib.contextmanager
def theirs(folder: Path, *, labels: int) -> Iterator[Server]:
    """Run the same pipeline under the server of label-studio-ml."""
    folder.mkdir(parents=True)
    port = free_port()
    argv = [sys.executable, "-m", "tests.bench.sdk_backend", str(folder), str(port), str(labels)]
    log = folder / "server.log"
    with _running("label-studio-ml 1.0.9", argv, {**ONE_THREAD, **_PATH}, port, log) as found:
        connection = {"project": UID, "schema": data.LABEL_CONFIG, "hostname": "http://localhost"}
        httpx.post(f"{found.url}/setup", json=connection, trust_env=False).raise_for_status()
        yield found


_PATH = {"PYTHONPATH": f"{ROOT / 'backend'}:{ROOT / 'model'}:{ROOT}"}


@contextlib.contextmanager
def _running(
    name: str, argv: Sequence[str], env: dict[str, str], port: int, log: Path
) -> Iterator[Server]:
    with log.open("wb") as output:
        process = spawn(argv, env=env, output=output)
    server = Server(name, f"http://127.0.0.1:{port}", process.pid)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(server):
            running = process.poll() is None and time.monotonic() < deadline
            assert running, f"{name} does not answer; its log ends:\n{log.read_text()[-2000:]}"
            time.sleep(0.1)
        yield server
    finally:
        stop(process, 10)


def _answers(server: Server) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{server.url}/health", timeout=1, trust_env=False).status_code == 200
    return False
