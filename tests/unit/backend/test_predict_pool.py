from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from active_learning.encoders.packaged import EncoderUnavailable
from ls_active.errors import Busy
from ls_active.web.predict_pool import Answer, PredictPool, answer
from tests.http_fakes import make_settings
from tests.predictors import Obedient


def order(text: str) -> bytes:
    return json.dumps({"tasks": [{"data": {"text": text}}]}).encode()


def pid_of(answer: Answer) -> int:
    assert answer.status == 200
    return int(json.loads(answer.body)["model_version"].removeprefix("pid-"))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PredictPool]:
    settings = make_settings(
        tmp_path_factory.mktemp("data"), predict_processes=1, predict_backlog=2
    )
    pool = PredictPool(settings, Obedient)
    yield pool
    pool.close()


async def together(*calls: Coroutine[Any, Any, Answer]) -> list[Answer | BaseException]:
    return await asyncio.gather(*calls, return_exceptions=True)


def test_a_process_that_dies_costs_its_batch_and_is_replaced(pool: PredictPool) -> None:
    async def run() -> None:
        first = pid_of(await pool.answer(order("")))
        assert first != os.getpid()
        with pytest.raises(Busy, match="died"):
            await pool.answer(order("die"))
        second = pid_of(await pool.answer(order("")))
        assert second != first

    asyncio.run(run())


def test_a_process_that_was_killed_is_replaced(pool: PredictPool) -> None:
    async def run() -> None:
        os.kill(pid_of(await pool.answer(order(""))), signal.SIGKILL)
        # Whether the kill is noticed before or in the next batch is a race: one may be lost.
        answers = [await together(pool.answer(order(""))) for _ in range(2)]
        assert pid_of(answers[1][0])  # type: ignore[arg-type]

    asyncio.run(run())


def test_beyond_the_backlog_batches_are_turned_away_at_once(pool: PredictPool) -> None:
    async def run() -> None:
        answers = await together(*(pool.answer(order("wait")) for _ in range(5)))
        assert [isinstance(answer, Busy) for answer in answers] == [False] * 3 + [True] * 2
        # And the places are given back.
        assert pid_of(await pool.answer(order("")))

    asyncio.run(run())


def test_errors_come_back_as_answers_and_the_process_lives_on(pool: PredictPool) -> None:
    async def run() -> None:
        before = pid_of(await pool.answer(order("")))

        status, body = await pool.answer(order("fail"))
        assert (status, json.loads(body)["error"]) == (500, "internal_error")
        assert b"hunter2" not in body
        status, body = await pool.answer(b"no JSON")
        assert (status, json.loads(body)["error"]) == (400, "bad_request")

        assert pid_of(await pool.answer(order(""))) == before

    asyncio.run(run())


def test_an_encoder_that_is_missing_is_said_with_what_to_do() -> None:
    class Poor:
        def predict(self, _: Any) -> Any:
            raise EncoderUnavailable("ears is not installed; run: pip install ears==1")

    said = answer(Poor(), order("x"))
    assert said.status == 503
    assert json.loads(said.body) == {
        "error": "cannot_predict",
        "detail": "ears is not installed; run: pip install ears==1",
    }
