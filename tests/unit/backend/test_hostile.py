"""What somebody hostile may send to a door, write into a file, or put into the queue."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import inspect
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ls_active import jobs
from ls_active.errors import BadRequest, NotFound, Unauthorized
from ls_active.job_desk import JobDesk
from ls_active.loop.models import ModelShelf
from ls_active.records.secret import SECRET_HEADER
from ls_active.service import Service
from ls_active.web.app import create_app
from ls_active.web.auth import Guard
from tests.harness.desk import desk_of_jobs
from tests.harness.rig import TEXTS, Rig, settings_in
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import CONFIG, UID
from tests.http_fakes import make_settings, serve

OUTSIDE = ("..", "../../1.2", "1.2/../../x", "/etc/1.2", "1.2\x00", "1.2\n", "%2e%2e/1.2", "1.-2")
NAMES = [*OUTSIDE, "1" * 5000 + ".1", "\u0661.\u0662", "", 3, None, ["1.2"], {"1": "2"}]

ENTRY_POINTS = {
    name: function
    for name, function in inspect.getmembers(jobs, inspect.isfunction)
    if function.__module__ == jobs.__name__ and not name.startswith("_")
}


pytestmark = pytest.mark.usefixtures("quickly")


@pytest.fixture
def desk(tmp_path, valkey) -> Iterator[JobDesk]:
    with desk_of_jobs(settings_in(tmp_path / "data"), valkey) as desk:
        yield desk


@pytest.fixture
def client(desk: JobDesk) -> Iterator[httpx.Client]:
    with serve(create_app(desk.settings, service=Service(desk.settings), jobs=desk)) as opened:
        yield opened


class TestNamesOfProjects:
    def test_that_are_none_touch_no_file_and_no_key(self, client, desk, tmp_path):
        for name in NAMES:
            setup = {"project": name, "schema": CONFIG}
            assert client.post("/setup", json=setup).status_code == 400, name
            predict = {"tasks": [], "project": name, "label_config": CONFIG}
            expected = 200 if name is None else 400
            assert client.post("/predict", json=predict).status_code == expected, name
            event = {"action": "TASKS_CREATED", "project": {"id": name, "created_at": name}}
            assert client.post("/webhook", json=event).status_code == 400, name
        assert desk.redis.keys() == []
        assert [path.name for path in tmp_path.iterdir()] in ([], ["data"])
        assert list((tmp_path / "data").rglob("*")) == []

    @pytest.mark.parametrize("job", ENTRY_POINTS)
    def test_in_a_planted_job_touch_no_file(self, desk, tmp_path, job):
        more = {"version": 1, "extra_params": "null", "kind": "queue"}
        wanted = list(inspect.signature(ENTRY_POINTS[job]).parameters)[1:]
        local = desk.settings.local_dir
        for folder in (local, local / "mirror", local.parent, tmp_path, tmp_path / "x"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "kept").touch()
        before = sorted(tmp_path.rglob("*"))
        for name in (*OUTSIDE, str(tmp_path / "x"), "..", "../..", "../../x"):
            with pytest.raises(BadRequest):
                ENTRY_POINTS[job](name, *(more[parameter] for parameter in wanted))
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("name", ["1.2%2f..%2fx", "..%2f..%2f1.2", "%2e%2e", "1.2%00", "1.-2"])
    def test_in_an_address_touch_no_file(self, client, tmp_path, name):
        for page in ("", "/queue", "/versions", "/jobs", "/charts", "/charts/..%2f..%2fx.svg"):
            assert client.get(f"/projects/{name}{page}").status_code in (400, 404)
            assert client.get(f"/api/projects/{name}{page}").status_code in (404, 422)
        assert client.get("/static/..%2fpages.py").status_code == 404
        assert list((tmp_path / "data").rglob("*")) == []

    @pytest.mark.parametrize("version", ["../../x", -1, 0, 10**30, None, 1.5, [1]])
    def test_versions_that_are_none_are_not_pinned(self, desk, version):
        if version is None:
            jobs.pin(UID, version)
        else:
            with pytest.raises(NotFound, match="cannot be served"):
                jobs.pin(UID, version)
        assert desk.store.read(UID, "pin") is None


class TestPackedBodies:
    @pytest.mark.parametrize("route", ["/predict", "/setup", "/webhook"])
    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
    def test_are_not_unpacked(self, client, route, encoding):
        bomb = gzip.compress(b'{"tasks": [], "action": "x", "project": "' + bytes(10**7), 1)
        answer = client.post(route, content=bomb, headers={"Content-Encoding": encoding})
        assert answer.status_code == 400
        assert "JSON" in answer.json()["detail"]


class TestTamperedModels:
    """Whoever can write into the data folder gets no code run, and no answer of theirs served."""

    @pytest.fixture
    def rig(self, tmp_path):
        rig = Rig(tmp_path, SimulatedLabelStudio(TEXTS[:16]))
        rig.connect()
        rig.label(6)
        rig.run()
        return rig

    @pytest.fixture
    def model(self, tmp_path):
        [path] = tmp_path.rglob("*.npz")
        return path

    def test_are_refused_before_they_are_opened(self, rig, model, monkeypatch, caplog):
        arrays = dict(np.load(model))
        opened: list[object] = []
        monkeypatch.setattr(np, "load", lambda *args, **kwargs: opened.append(args))
        for content in (_archive(arrays, extra=np.ones(1)), _pickled(), b"", b"PK\x05\x06"):
            model.write_bytes(content)
            with caplog.at_level(logging.WARNING):
                assert ModelShelf(rig.store, UID).current() is None
            assert "refusing to load it" in caplog.text
            caplog.clear()
        assert opened == []

    def test_are_made_anew(self, rig, model):
        model.write_bytes(_pickled())
        rig.run()
        assert rig.status.version == 2
        assert rig.studio.serves_whole()

    @pytest.mark.parametrize(
        "changes",
        [
            {"sha256": None},
            {"heads": None},
            {"heads": 3},
            {"heads": ["x"]},
            {"heads": [{}]},
            {"heads": [{"fitted": True, "kind": "os.system", "classes": ["a"]}]},
            {"heads": [{"fitted": True, "kind": "single", "classes": None}]},
            {"signature": None, "features": None},
        ],
        ids=range(8),
    )
    def test_and_their_records_are_refused_or_made_anew(self, rig, tmp_path, changes):
        [path] = [p for p in tmp_path.rglob("000001.json") if p.parent.name == "versions"]
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        rig.run()
        assert (rig.status.state, rig.status.version) == ("ready", 2)
        assert rig.studio.serves_whole()

    @pytest.mark.parametrize("kind", ["pickle", "nothing", "no archive", "torn archive"])
    def test_are_refused_although_the_record_vouches_for_them(self, rig, model, tmp_path, kind):
        content = {
            "pickle": _pickled(),
            "nothing": b"",
            "no archive": b"PK\x03\x04 and then nothing",
            "torn archive": model.read_bytes()[:-400],
        }[kind]
        model.write_bytes(content)
        [path] = [p for p in tmp_path.rglob("000001.json") if p.parent.name == "versions"]
        digest = hashlib.sha256(content).hexdigest()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": digest}))
        assert ModelShelf(rig.store, UID).current() is None


class TestComparing:
    """Secrets are compared by what takes as long whichever byte differs."""

    @pytest.fixture
    def compared(self, monkeypatch) -> list[tuple[bytes, bytes]]:
        seen: list[tuple[bytes, bytes]] = []
        compare = hmac.compare_digest

        def watched(given: bytes, expected: bytes) -> bool:
            seen.append((given, expected))
            return compare(given, expected)

        monkeypatch.setattr(hmac, "compare_digest", watched)
        return seen

    @pytest.mark.parametrize("given", [b"ann:p\xc3\xa4ss", b"ann:p\xe4ss", b"\xff\xfe", b"ann:p"])
    def test_of_credentials_is_whole_whatever_was_given(self, compared, given):
        guard = Guard(make_settings(Path(), basic_auth_user="ann", basic_auth_pass="päss"))
        header = base64.b64encode(given).decode()
        guard.admits({"authorization": f"Basic {header}"})
        # Both spellings, also where the first one fitted.
        assert compared == [(given, "ann:päss".encode()), (given, "ann:päss".encode("latin-1"))]

    @pytest.mark.parametrize("given", ["x", "\xff\xe4", "right", "righ"])
    def test_of_a_webhooks_secret_takes_any_header(self, compared, given):
        guard = Guard(make_settings(Path()))
        headers = {SECRET_HEADER.lower(): given}
        if given == "right":
            guard.check_webhook(headers, "right")
        else:
            with pytest.raises(Unauthorized):
                guard.check_webhook(headers, "right")
        assert compared == [(given.encode(), b"right")]


def _archive(arrays: dict[str, Any], **more: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, **more)
    return buffer.getvalue()


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)


def _pickled() -> bytes:
    return _archive({"0.x": np.array([_Bomb()], dtype=object)})
