"""The admin's page: every route, its doors, and hostile tasks on it; real store and Valkey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ls_active.dashboard import books, previews
from ls_active.dashboard.door import TOKEN_HEADER, Door
from ls_active.dashboard.views import Preview
from ls_active.errors import Forbidden, LabelStudioUnreachable
from ls_active.job_desk import JobDesk
from ls_active.loop.gate import Gate
from ls_active.loop.models import ModelShelf
from ls_active.records.ledger import Ledger, note_job
from ls_active.records.project import ProjectStatus
from ls_active.settings import Settings
from ls_active.web.app import create_app
from tests.harness.quick import quick
from tests.harness.rig import TEXTS, Rig
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID
from tests.http_fakes import FakeService, serve

PAGES = ["", "/queue", "/suspects", "/versions", "/jobs"]
HOSTILE = "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=alert(1)>"


@pytest.fixture(scope="module")
def rig(tmp_path_factory) -> Rig:
    """Two versions, learned from a project whose title is an attack."""
    with quick():
        made = Rig(tmp_path_factory.mktemp("rig"), SimulatedLabelStudio(TEXTS, title=HOSTILE))
        made.connect()
        for _ in range(2):
            made.label(6)
            made.run()
            note_job(made.store, UID, 0.0, why="new labels", publication=made.status.publication)
    assert len(made.store.versions(UID)) == 2
    return made


@pytest.fixture(scope="module")
def settings(rig, valkey) -> Settings:
    return rig.settings.model_copy(update={"redis_url": SecretStr(valkey)})


@pytest.fixture(scope="module")
def shared_desk(settings) -> Iterator[JobDesk]:
    made = JobDesk(settings)
    yield made
    made.redis.close()


@pytest.fixture
def desk(shared_desk) -> JobDesk:
    shared_desk.redis.flushall()
    return shared_desk


@pytest.fixture(autouse=True)
def tasks(monkeypatch) -> dict[str, list[Preview]]:
    """What every task shows."""
    shown = {"previews": [Preview("text", "text", HOSTILE)]}
    monkeypatch.setattr(
        previews, "previews_of", lambda _s, _p, ids: dict.fromkeys(ids, shown["previews"])
    )
    return shown


@pytest.fixture(scope="module")
def client(settings, shared_desk) -> Iterator[httpx.Client]:
    with serve(create_app(settings, service=FakeService(), jobs=shared_desk)) as opened:
        yield opened


def press(client: httpx.Client, action: str, **fields: Any) -> httpx.Response:
    token = client.get("/api/token").json()["token"]
    headers = {TOKEN_HEADER: token}
    return client.post(f"/api/projects/{UID}/actions/{action}", json=fields, headers=headers)


def charts_of(client: httpx.Client) -> dict[str, Any]:
    return {chart["name"]: chart for chart in client.get(f"/api/projects/{UID}/charts").json()}


class TestPages:
    @pytest.mark.parametrize("path", ["/projects", *(f"/projects/{UID}{page}" for page in PAGES)])
    def test_each_is_html_that_loads_nothing_from_elsewhere(self, client, path):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        # Links may lead to Label Studio; nothing is loaded from it.
        loaded = re.findall(r'(?:src|srcset|action)="([^"]+)"', answer.text)
        loaded += re.findall(r'<link[^>]+href="([^"]+)"', answer.text)
        assert loaded
        assert all(address.startswith("/") and not address.startswith("//") for address in loaded)

    @pytest.mark.parametrize("path", ["/projects", *(f"/projects/{UID}{page}" for page in PAGES)])
    def test_no_script_or_style_or_handler_is_in_the_page(self, client, path):
        html = client.get(path).text
        assert re.findall(r"<script(?![^>]* src=)", html) == []
        assert "<style" not in html
        assert re.findall(r"<[a-z][^>]* (?:style|on\w+)=", html) == []

    @pytest.mark.parametrize("path", ["/projects", f"/projects/{UID}", f"/projects/{UID}/queue"])
    def test_what_a_stranger_wrote_is_text(self, client, path):
        html = client.get(path).text
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert" not in html
        assert "<img src=//evil" not in html

    def test_the_root_leads_people_there_and_programs_not(self, client):
        answer = client.get("/", headers={"Accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/projects")
        assert client.get("/").json() == {"status": "UP"}

    def test_an_unknown_project_is_said_in_words(self, client):
        answer = client.get("/projects/9.9")
        assert answer.status_code == 404
        assert "project 9.9 was ever connected here" in answer.text

    def test_static_files_are_there_and_others_not(self, client):
        for name in ("page.css", "page.js", "mark.svg"):
            assert client.get(f"/static/{name}").status_code == 200
        assert client.get("/static/..%2froutes.py").status_code == 404

    def test_a_path_before_ours_is_in_every_link(self, settings, desk):
        behind = settings.model_copy(update={"public_url": "https://al.example/base"})
        app = create_app(behind, service=FakeService(), jobs=desk)
        with serve(app) as client:
            html = client.get(f"/base/projects/{UID}").text
            links = re.findall(r'(?:href|src|srcset)="(/[^"]*)"', html)
            assert links
            assert all(link.startswith("/base/") for link in links)


class TestQueue:
    def test_it_is_the_publication_in_its_order(self, client, rig):
        shown = client.get(f"/api/projects/{UID}/queue").json()
        record = rig.record
        n = len(shown["items"])
        assert n
        assert [item["task"] for item in shown["items"]] == record["tasks"][:n]
        assert [item["confidence"] for item in shown["items"]] == record["confidences"][:n]
        assert [item["reason"] for item in shown["items"]] == record["reasons"][:n]
        answers = [p[0]["value"]["choices"][0] if p else "" for p in record["predictions"][:n]]
        assert [item["label"] for item in shown["items"]] == answers

    def test_without_label_studio_tasks_are_shown_by_number(self, client, monkeypatch, rig):
        def away(*_: object) -> None:
            raise LabelStudioUnreachable("Label Studio does not answer")

        monkeypatch.setattr(previews, "previews_of", away)
        html = client.get(f"/projects/{UID}/queue").text
        assert "Label Studio does not answer" in html
        assert f"Task {rig.record['tasks'][0]}" in html

    def test_markup_is_shown_in_a_sandbox(self, client, tasks):
        tasks["previews"] = [Preview("page", "page", HOSTILE)]
        html = client.get(f"/projects/{UID}/queue").text
        frames = re.findall(r"<iframe[^>]*>", html)
        assert frames
        assert all('sandbox=""' in frame and "allow-" not in frame for frame in frames)
        assert "<script>alert" not in html

    def test_pictures_come_from_us(self, client, tasks, rig):
        tasks["previews"] = [Preview("im/ge", "image", "http://evil.example/x.png")]
        html = client.get(f"/projects/{UID}/queue").text
        assert f'src="/projects/{UID}/tasks/{rig.record["tasks"][0]}/media/' in html
        assert "evil.example/x.png" not in html


class TestFigures:
    """Every figure shown is the record's."""

    def test_the_curve_is_the_manifests_and_the_evaluations(self, client, rig):
        charts = {
            chart["name"]: chart for chart in client.get(f"/api/projects/{UID}/charts").json()
        }
        rows = charts["learning-0"]["rows"]
        chosen = [rig.store.manifest(UID, n)["heads"][0]["chosen"] for n in (1, 2)]
        labels = [rig.store.manifest(UID, n)["labels"] for n in (1, 2)]
        assert [(row[0], row[4]) for row in rows] == [
            (n, c["value"]) for n, c in zip(labels, chosen, strict=True) if c
        ]

    def test_classes_are_the_versions_in_force(self, client, rig):
        charts = {
            chart["name"]: chart for chart in client.get(f"/api/projects/{UID}/charts").json()
        }
        chosen = rig.store.manifest(UID, rig.status.version)["heads"][0]["chosen"]
        rows = {row[0]: (row[1], row[3]) for row in charts["classes-0"]["rows"]}
        assert rows == {k: (n, chosen["recall"].get(k)) for k, n in chosen["support"].items()}

    def test_what_was_not_recorded_is_not_shown(self, client, rig):
        calibration = charts_of(client)["calibration-0"]
        assert calibration["rows"] == []
        assert calibration["note"]

    def test_numbers_of_the_project_are_the_status(self, client, rig):
        shown = client.get(f"/api/projects/{UID}").json()
        for name in ("labels", "tasks", "askable", "version", "publication", "strategy"):
            assert shown[name] == getattr(rig.status, name)

    def test_jobs_are_the_ledgers(self, client, rig):
        past = client.get(f"/api/projects/{UID}/jobs").json()["past"]
        assert [job["publication"] for job in past] == [
            line.publication for line in Ledger.load(rig.store, UID).jobs
        ]

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("size", ["wide", "narrow"])
    def test_charts_are_pictures(self, client, theme, size):
        path = f"/projects/{UID}/charts/classes-0.svg?theme={theme}&size={size}"
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert answer.content.startswith(b"<?xml")

    def test_versions_are_compared(self, client, rig):
        compared = client.get(f"/api/projects/{UID}/versions/compare?one=2&other=1").json()
        rows = {row[0]: row[1:] for row in compared["rows"]}
        assert rows["labels"] == [rig.store.manifest(UID, n)["labels"] for n in (2, 1)]
        assert "al-1" in client.get(f"/projects/{UID}/versions?one=2&other=1").text
        assert client.get(f"/projects/{UID}/versions?one=2&other=7").status_code == 404


class TestDoors:
    def test_every_route_wants_the_password(self, settings, desk):
        guarded = settings.model_copy(
            update={"basic_auth_user": "ann", "basic_auth_pass": SecretStr("pass")}
        )
        app = create_app(guarded, service=FakeService(), jobs=desk)
        values = {"uid": UID, "action": "retrain", "name": "learning-0", "task": 1, "field": "text"}
        paths = [
            (method, route.path.replace(":path", "").format(**values))
            for route in _routes(app.router)
            for method in route.methods - {"HEAD"}
            if route.path.startswith(("/projects", "/api", "/static"))
        ]
        assert len(paths) > 20
        with serve(app) as client:
            for method, path in paths:
                assert client.request(method, path).status_code == 401, path

    def test_a_name_of_the_public_internet_is_refused_where_no_password_is(self, client):
        for path in (f"/projects/{UID}", "/api/token", f"/api/projects/{UID}"):
            assert client.get(path, headers={"Host": "rebound.example.com"}).status_code == 403
        assert client.get("/api/token", headers={"Host": "localhost:9090"}).status_code == 200
        assert client.get("/api/token", headers={"Host": "[::1]:9090"}).status_code == 200

    def test_an_action_needs_a_token(self, client, desk):
        path = f"/api/projects/{UID}/actions/retrain"
        assert client.post(path, json={"confirmed": True}).status_code == 403
        forged = {TOKEN_HEADER: "1795351743.abc"}
        assert client.post(path, json={"confirmed": True}, headers=forged).status_code == 403
        assert not desk.trains(UID)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_an_action_from_elsewhere_is_refused_even_with_a_token(self, client, headers, desk):
        token = client.get("/api/token").json()["token"]
        form = {"token": token, "confirmed": "yes"}
        answer = client.post(f"/projects/{UID}/actions/retrain", data=form, headers=headers)
        assert answer.status_code == 403
        assert not desk.trains(UID)

    def test_a_token_grows_old(self, settings, monkeypatch):
        door = Door(settings)
        token = door.token()
        door.check_action({}, token)
        monkeypatch.setattr("ls_active.dashboard.door.TOKEN_SECONDS", 0)
        with pytest.raises(Forbidden):
            door.check_action({}, token)


class TestActions:
    def test_retraining_asks_first_and_is_asked_for_once(self, client, desk):
        answer = press(client, "retrain")
        assert answer.status_code == 409
        assert "annotators" in answer.json()["detail"]
        assert not desk.trains(UID)
        first = press(client, "retrain", confirmed=True).json()
        assert (bool(first["job"]), first["asked"]) == (True, desk.coalescer.forced(UID))
        again = press(client, "retrain", confirmed=True).json()
        assert (again["job"], again["asked"]) == ("", first["asked"])
        assert desk.coalescer.forced(UID) == first["asked"]
        assert [wish.end for wish in desk.wishes.all(UID)] == ["asked"]

    def test_what_label_studio_asked_for_is_found_by_who_presses_then(self, client, desk):
        desk.start_training(UID)
        reply = press(client, "retrain", confirmed=True).json()
        assert reply["asked"] == desk.trains(UID)
        assert (
            "Retrain now: asked for."
            in client.get(f"/projects/{UID}/jobs?asked={reply['asked']}").text
        )

    def test_the_page_asks_before_it_changes_the_queue(self, client, desk):
        html = client.get(f"/projects/{UID}/confirm/hold?version=1").text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)">', html))
        assert form["version"] == "1"
        answer = client.post(f"/projects/{UID}/actions/hold", data=form)
        assert answer.status_code == 303
        [job] = desk.in_hand()
        assert answer.headers["location"] == f"/projects/{UID}/versions?asked={job.id}"
        assert (job.name, job.uid) == ("pin", UID)
        assert "waits for a worker" in client.get(f"/projects/{UID}/jobs").text

    def test_only_a_version_that_is_kept_can_be_held(self, client, desk):
        answer = press(client, "hold", version=9, confirmed=True)
        assert answer.status_code == 404
        assert "these can: al-1, al-2" in answer.json()["detail"]
        assert desk.in_hand() == []

    def test_nothing_is_let_go_where_nothing_is_held(self, client, desk):
        assert press(client, "release", confirmed=True).json()["said"].endswith("nothing to do")
        assert desk.in_hand() == []

    def test_a_resync_is_asked_for_once(self, client, desk):
        for _ in range(2):
            press(client, "resync", confirmed=True)
        assert [job.name for job in desk.in_hand()] == ["resync"]
        assert [wish.end for wish in desk.wishes.all(UID)] == ["asked"]

    def test_what_no_job_sees_to_any_more_is_found_out(self, client, desk, monkeypatch):
        def asked() -> dict[str, Any]:
            return client.get(f"/api/projects/{UID}/jobs").json()["asked"][0]

        press(client, "retrain", confirmed=True)
        desk.queue.empty()
        monkeypatch.setattr(books, "LOST_AFTER", -1.0)
        assert asked()["end"] == "asked"  # The next job of the project makes the version.
        desk.coalescer.clear_force(UID, desk.trains(UID))
        assert (asked()["end"], asked()["remedy"]) == ("failed", "press again")
        assert asked()["said"] == "nobody knows what became of it"

    def test_a_version_can_be_made_where_a_pinned_one_cannot_be_used(self, client, desk, rig):
        before = rig.status
        replace(before, state="waiting", detail="al-1 is pinned", pinned=1).save(rig.store)
        try:
            assert press(client, "retrain", confirmed=True).status_code == 200
        finally:
            before.save(rig.store)

    def test_tabs_are_made_by_a_job(self, client, desk):
        assert press(client, "tab", tab="suspects").status_code == 200
        assert press(client, "tab", tab="tabs").status_code == 400
        assert [job.name for job in desk.in_hand()] == ["tab"]

    def test_a_version_that_the_gate_holds_back_can_be_promoted(self, client, desk, rig):
        assert press(client, "promote", version=2, confirmed=True).json()["job"] == ""
        gate = Gate(rig.store, UID)
        gate._write({2: "al-2 is held back: worse on <b>random</b> tasks"})
        try:
            html = client.get(f"/projects/{UID}/versions").text
            assert "al-2 is held back: worse on &lt;b&gt;random" in html
            assert f"/projects/{UID}/confirm/promote?version=2" in html
            assert press(client, "promote", version=2, confirmed=True).json()["job"]
        finally:
            gate.open()
        assert [job.name for job in desk.in_hand()] == ["promote"]

    def test_a_version_that_is_held_is_said_and_not_held_twice(self, client, desk, rig):
        shelf = ModelShelf(rig.store, UID)
        shelf.pin(1)
        try:
            assert press(client, "hold", version=1, confirmed=True).json()["job"] == ""
            assert press(client, "release", confirmed=True).json()["job"]
        finally:
            shelf.pin(None)
        assert [job.name for job in desk.in_hand()] == ["pin"]

    def test_an_unknown_action_lists_those_there_are(self, client):
        answer = press(client, "explode")
        assert answer.status_code == 404
        assert "retrain" in answer.json()["detail"]

    def test_a_disconnected_project_is_not_touched(self, client, desk, rig):
        rig.change(active=False)
        try:
            assert press(client, "retrain", confirmed=True).status_code == 404
        finally:
            rig.change(active=True)
        assert not desk.trains(UID)


class TestTrouble:
    def test_an_error_comes_with_its_remedy(self, client, rig, settings):
        before = rig.status
        replace(
            before, state="failing", detail="Label Studio <b>hides</b>", remedy="start it"
        ).save(rig.store)
        try:
            for path in ("/projects", f"/projects/{UID}"):
                html = client.get(path).text
                assert "Label Studio &lt;b&gt;hides&lt;/b&gt;." in html
                assert "Start it." in html
        finally:
            before.save(rig.store)

    def test_without_redis_pages_are_still_there(self, settings):
        down = settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1")})
        app = create_app(down, service=FakeService(), jobs=JobDesk(down))
        with serve(app) as client:
            assert client.get(f"/projects/{UID}").status_code == 200
            assert "Redis does not answer" in client.get(f"/projects/{UID}/jobs").text
            assert press(client, "retrain", confirmed=True).status_code == 503


def test_the_document_describes_what_is_shown(client):
    document = client.get("/api/openapi.json").json()
    shown = document["components"]["schemas"]["ProjectView"]["properties"]
    assert {"labels", "advice", "publication"} <= set(shown)


def test_an_empty_service_says_how_to_begin(tmp_path: Path, valkey):
    settings = Settings(_env_file=None, data_dir=str(tmp_path), redis_url=SecretStr(valkey))
    with serve(create_app(settings, service=FakeService(), jobs=JobDesk(settings))) as client:
        assert "Connect Model" in client.get("/projects").text


def test_an_old_record_without_the_new_figures_is_shown(client, rig):
    before = rig.status
    ProjectStatus(UID, title="Old", version=0, state="waiting", detail="few labels").save(rig.store)
    try:
        for page in PAGES:
            assert client.get(f"/projects/{UID}{page}").status_code == 200
    finally:
        before.save(rig.store)


def _routes(router: Any) -> Iterator[Any]:
    for route in router.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            yield from _routes(inner)
        elif hasattr(route, "methods"):
            yield route
