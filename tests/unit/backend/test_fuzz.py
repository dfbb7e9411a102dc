"""Anything that may be sent to any route, by the thousand: never a 5xx but a declared 503."""

from __future__ import annotations

import copy
import json
import random
import string
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.harness.figures import memory
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_http import KEY, on_a_socket
from tests.harness.simulated_project import CONFIG, UID
from tests.harness.stack import Stack, serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

TASK = {
    "id": 1,
    "data": {"text": "my cat purrs"},
    "annotations": [{"id": 1, "result": [{"type": "choices", "value": {"choices": ["cat"]}}]}],
}
WHOLE: dict[str, dict[str, Any]] = {
    "/predict": {
        "tasks": [TASK, TASK], "project": UID, "label_config": CONFIG, "params": {"context": None},
    },
    "/setup": {
        "project": UID, "schema": CONFIG, "hostname": "http://a.b", "access_token": "t",
        "extra_params": {"seed": 1},
    },
    "/webhook": {
        "action": "ANNOTATION_CREATED",
        "project": {"id": 1, "created_at": "2026-01-01T00:00:00Z", "label_config": CONFIG},
        "task": TASK,
    },
}  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**400, 1e308, "", "\x00", "\ud83d\ude00", "../../etc", "a" * 10_000,
    [], [[]], {}, [None], {"": None}, {"text": None}, {"text": ["x"]}, "1.1", "99.1767225600",
    "<View>", '<!DOCTYPE a [<!ENTITY b "c">]><View/>', "file:///etc/passwd", "http://127.0.0.1/x",
    '<View><Choices name="a" toName="b"/></View>', "2026-13-99T00:00:00Z", "START_TRAINING",
)  # fmt: skip
TAGS = ("Text", "Image", "Choices", "Labels", "Number", "Rating", "Taxonomy", "Pairwise", "Table")


class Fuzzer:
    """Bodies that are nearly right, in any way wrong, or no bodies at all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def body(self, route: str) -> bytes:
        ways: tuple[Callable[[str], bytes], ...] = (
            self._changed, self._changed, self._config, self._torn, self._noise, self._deep,
        )  # fmt: skip
        return self.random.choice(ways)(route)

    def _changed(self, route: str) -> bytes:
        whole = json.loads(json.dumps(WHOLE[route]))
        for _ in range(self.random.randint(1, 3)):
            self._change(whole)
        return json.dumps(whole).encode()

    def _change(self, place: Any) -> None:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = self.random.choice(keys)
        if isinstance(place[key], dict | list) and self.random.random() < 0.6:
            self._change(place[key])
        elif self.random.random() < 0.2 and isinstance(place, dict):
            del place[key]
        else:
            place[key] = copy.deepcopy(self.random.choice(ODD))

    def _config(self, route: str) -> bytes:
        pick = self.random.choice
        tags = "".join(
            f'<{pick(TAGS)} name="{pick("abc")}" toName="{pick("abcd")}" value="{pick("$")}'
            f'{self._word()}" {pick(["", "choice", "perRegion"])}="{pick(["true", "-1", ""])}"'
            f"{pick(['/>', '>', f'><Choice value={self._word()!r}/></{pick(TAGS)}>'])}"
            for _ in range(self.random.randint(0, 6))
        )
        key = {"/predict": "label_config", "/setup": "schema", "/webhook": "label_config"}[route]
        whole = {**WHOLE[route]}
        target = whole
        if route == "/webhook":
            target = whole["project"] = {**whole["project"]}
        target[key] = pick([f"<View>{tags}</View>", tags, CONFIG + tags])
        return json.dumps(whole).encode()

    def _torn(self, route: str) -> bytes:
        raw = bytearray(json.dumps(WHOLE[route]).encode())
        for _ in range(self.random.randint(1, 4)):
            raw[self.random.randrange(len(raw))] = self.random.randrange(256)
        return bytes(raw[: self.random.randint(0, len(raw))])

    def _noise(self, route: str) -> bytes:
        return self.random.randbytes(self.random.randint(0, 300))

    def _deep(self, route: str) -> bytes:
        depth = self.random.choice([10, 1_000, 100_000])
        opening, closing = self.random.choice([("[", "]"), ('{"a":', "}")])
        return (opening * depth + "1" + closing * depth).encode()

    def _word(self) -> str:
        return "".join(self.random.choices(string.printable, k=self.random.randint(0, 8)))


@pytest.mark.parametrize("requests", [2_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_any_body(tmp_path, requests: int) -> None:
    with on_a_socket(SimulatedLabelStudio(TEXTS[:16])) as wire:
        env = {"WORKERS": "1", "PREDICT_PROCESSES": "1"}
        with serve(tmp_path, wire.url, KEY, env) as stack:
            _learn(stack, Rig(tmp_path / "data", wire.studio))
            [api] = stack.pids("api")
            fuzzer, statuses = Fuzzer(requests), Counter[tuple[str, int]]()
            _send(stack, fuzzer, requests // 5, statuses)
            before = memory(api)
            _send(stack, fuzzer, requests, statuses)
            grown = memory(api) - before
            log = stack.log.read_text()
    print(f"{requests * 6 // 5} requests: {dict(sorted(statuses.items()))}, API {grown:+.1f} MiB")
    assert {status for _, status in statuses} <= {200, 400, 401, 404, 413, 422, 503}
    assert "Traceback" not in log
    assert grown < 64


def _learn(stack: Stack, rig: Rig) -> None:
    rig.studio.connect(stack.url, "our model", {"min_interval": 0, "head_size": 10})
    setup = {"project": UID, "schema": CONFIG, "hostname": rig.studio.url}
    httpx.post(f"{stack.url}/setup", json=setup).raise_for_status()
    stack.wait_for(UID, lambda status: status.state == "waiting")
    rig.label(6)
    httpx.post(f"{stack.url}/webhook", json=WHOLE["/webhook"]).raise_for_status()
    stack.wait_for(UID, lambda status: status.version >= 1)


def _send(stack: Stack, fuzzer: Fuzzer, requests: int, statuses: Counter[tuple[str, int]]) -> None:
    routes = sorted(WHOLE)
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        for number in range(requests):
            route = routes[number % len(routes)]
            body = fuzzer.body(route)
            answer = client.post(route, content=body)
            statuses[route, answer.status_code] += 1
            if answer.status_code != 200:
                assert set(answer.json()) == {"error", "detail"}, (body[:500], answer.text)
