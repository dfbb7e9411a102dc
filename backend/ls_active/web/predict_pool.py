"""`/predict` in processes of its own, so that a batch of images never delays a health check.

Bytes in, bytes out: the API process neither parses nor serialises the tasks.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ClassVar, NamedTuple, Protocol

import anyio
import anyio.to_thread
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from active_learning.errors import ActiveLearningError
from ls_active import schemas
from ls_active.engine.processes import die_with_parent
from ls_active.errors import BackendError, Busy
from ls_active.settings import Settings

logger = logging.getLogger(__name__)


class Predictor(Protocol):
    """What answers a batch; `service.Service` does."""

    def predict(self, request: schemas.PredictRequest) -> schemas.PredictReply:
        """Return one prediction a task, in order."""
        ...


class Answer(NamedTuple):
    """An HTTP status and a JSON body."""

    status: int
    body: bytes


def answer(predictor: Predictor, body: bytes) -> Answer:
    """Answer one /predict body. Never raises: it ends at a process boundary."""
    try:
        reply = predictor.predict(schemas.parse(schemas.PredictRequest, body))
        return Answer(200, reply.model_dump_json().encode())
    except BackendError as error:
        return Answer(error.status, schemas.problem(error.code, str(error)))
    except ActiveLearningError as error:
        # An encoder that is not installed, say: for the person who must act as well.
        logger.warning("/predict: %s", error)
        return Answer(503, schemas.problem("cannot_predict", str(error)))
    except Exception:
        logger.exception("/predict failed")
        return Answer(500, schemas.problem(BackendError.code, schemas.UNEXPECTED))


class InlinePool:
    """Answers in a thread of this process, one batch at a time: for a service that was given."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._limiter = anyio.CapacityLimiter(1)

    def start(self) -> None:
        """Do nothing: the thread starts when needed."""

    def close(self) -> None:
        """Do nothing: the thread ends by itself."""

    async def answer(self, body: bytes) -> Answer:
        """Answer one body."""
        return await anyio.to_thread.run_sync(answer, self._predictor, body, limiter=self._limiter)


class PredictPool:
    """A bounded pool of processes.

    Parameters
    ----------
    settings : Settings
        `predict_processes` work; `predict_backlog` batches may wait for them.
    build : callable
        Makes each process's predictor from the settings; importable by name.
    """

    def __init__(self, settings: Settings, build: Callable[[Settings], Predictor]) -> None:
        self._settings = settings
        self._build = build
        self._limit = settings.predict_processes + settings.predict_backlog
        self._in_flight = 0
        self._executor = self._fresh()

    def start(self) -> None:
        """Start all processes now: the first batch should not wait for their imports."""
        for _ in range(self._settings.predict_processes):
            self._executor.submit(os.getpid)

    def close(self) -> None:
        """Stop the processes; batches that wait are dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def answer(self, body: bytes) -> Answer:
        """Answer one body in one of the processes.

        Raises
        ------
        Busy
            Too many batches wait already, or the process died over this one. Ask again.
        """
        if self._in_flight >= self._limit:
            raise Busy(f"{self._in_flight} batches are waiting already; ask again in a moment")
        executor = self._executor
        self._in_flight += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, _answer, body)
        except BrokenProcessPool:
            self._replace(executor)
            raise Busy("a predict process died and was replaced; ask again") from None
        finally:
            self._in_flight -= 1

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        if broken is not self._executor:
            return
        logger.error(
            "a predict process died; starting %d new ones", self._settings.predict_processes
        )
        self._executor = self._fresh()
        self.start()
        broken.shutdown(wait=False, cancel_futures=True)

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=self._settings.predict_processes,
            # Not fork: this process has threads.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self._settings, self._build, os.getpid()),
        )


class _Process:
    """What a predict process keeps between batches."""

    predictor: ClassVar[Predictor]


def _begin(settings: Settings, build: Callable[[Settings], Predictor], parent: int) -> None:
    die_with_parent(parent)
    # Ctrl-C reaches the whole terminal group; the API process stops us in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=settings.log_level)
    _Process.predictor = build(settings)
    # Several processes, each with as many BLAS threads as there are cores, slow each other down.
    threadpool_limits(limits=1)


def _answer(body: bytes) -> Answer:
    return answer(_Process.predictor, body)
