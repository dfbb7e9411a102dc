"""Long bodies, many and slow: what is held of them has an end, and hints come through."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from ls_active.schemas import PredictReply, PredictRequest
from ls_active.web import bodies
from ls_active.web.app import AT_ONCE, create_app
from tests.http_fakes import EVENT, UID, FakeDesk, FakeService, make_settings

LONG = b" " * 2**20
PREDICT = {"tasks": [{"id": 1, "data": {"text": "a"}}], "project": UID}


class Uploads:
    """Sends bodies of almost 1 MiB, which is all that may be, up to their last byte."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.go_on = asyncio.Event()
        self._client = client
        self._tasks: list[asyncio.Task[httpx.Response]] = []

    async def begin(self, route: str) -> asyncio.Task[httpx.Response]:
        arrived = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield LONG[1:]
            arrived.set()
            await self.go_on.wait()
            yield b"1"

        task = asyncio.create_task(self._client.post(route, content=body()))
        await arrived.wait()
        self._tasks.append(task)
        return task

    async def end(self) -> list[int]:
        self.go_on.set()
        return [answer.status_code for answer in await asyncio.gather(*self._tasks)]


def with_uploads(
    folder: Path,
    scene: Callable[[httpx.AsyncClient, Uploads], Awaitable[None]],
    service: FakeService | None = None,
) -> None:
    """Play a scene at an app that takes bodies of up to 1 MiB."""
    settings = make_settings(folder, max_body_mb=1)
    app = create_app(settings, service=service or FakeService(), jobs=FakeDesk())

    async def play() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://al") as client:
            await scene(client, Uploads(client))

    asyncio.run(play())


@pytest.mark.parametrize("route", ["/predict", "/setup", "/webhook"])
def test_no_more_than_a_few_long_ones_are_held(tmp_path: Path, route: str) -> None:
    async def scene(client: httpx.AsyncClient, uploads: Uploads) -> None:
        for _ in range(AT_ONCE):
            await uploads.begin(route)
        refused = await client.post(route, content=LONG)
        assert (refused.status_code, refused.json()["error"]) == (503, "busy")
        # Small ones are not held up.
        assert (await client.post("/webhook", json=EVENT)).status_code == 200
        assert (await client.post("/predict", json=PREDICT)).status_code == 200
        assert set(await uploads.end()) == {400}
        assert (await client.post(route, content=LONG)).status_code == 400

    with_uploads(tmp_path, scene)


def test_long_webhooks_hold_up_nobody_with_a_password(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, uploads: Uploads) -> None:
        for _ in range(AT_ONCE):
            await uploads.begin("/webhook")
        assert (await client.post("/predict", content=LONG)).status_code == 400
        await uploads.end()

    with_uploads(tmp_path, scene)


class Gate(FakeService):
    """Answers when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()

    def predict(self, request: PredictRequest) -> PredictReply:
        self.asked.set()
        assert self.open.wait(30)
        return super().predict(request)


def test_one_is_held_until_it_is_answered(tmp_path: Path) -> None:
    gate = Gate()
    whole = {**PREDICT, "more": "x" * (2**20 - 2**10)}

    async def scene(client: httpx.AsyncClient, _: Uploads) -> None:
        first = asyncio.create_task(client.post("/predict", json=whole))
        await asyncio.to_thread(gate.asked.wait, 30)
        second = asyncio.create_task(client.post("/predict", json=whole))
        third = asyncio.create_task(client.post("/predict", json=whole))
        done, _ = await asyncio.wait([second, third], return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().status_code for task in done] == [503]
        gate.open.set()
        answers = await asyncio.gather(first, second, third)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
        assert (await client.post("/predict", json=whole)).status_code == 200

    with_uploads(tmp_path, scene, gate)


def test_one_whose_sender_leaves_is_held_no_longer(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, uploads: Uploads) -> None:
        for upload in [await uploads.begin("/predict") for _ in range(AT_ONCE)]:
            upload.cancel()
            await asyncio.wait([upload])
        assert (await client.post("/predict", content=LONG)).status_code == 400

    with_uploads(tmp_path, scene)


def test_one_that_does_not_come_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)

    async def scene(client: httpx.AsyncClient, uploads: Uploads) -> None:
        for _ in range(AT_ONCE):
            answer = await (await uploads.begin("/webhook"))
            assert (answer.status_code, answer.json()["error"]) == (408, "request_too_slow")
        assert (await client.post("/webhook", content=LONG)).status_code == 400

    with_uploads(tmp_path, scene)
