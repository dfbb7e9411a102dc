"""The page of projects of every shape: many classes, none, numbers, strange names, slow hosts."""

from __future__ import annotations

import asyncio
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from ls_active.dashboard import charts, figures, previews, threads, views
from ls_active.dashboard.answers import answers
from ls_active.dashboard.door import TOKEN_HEADER
from ls_active.dashboard.views import Chart, Preview
from ls_active.errors import Busy
from ls_active.job_desk import JobDesk
from ls_active.records.project import Connection, ProjectStatus, State
from ls_active.records.store import Store
from ls_active.web.app import create_app
from tests.harness import records
from tests.harness.records import Shape
from tests.harness.rig import settings_in
from tests.http_fakes import FakeService, serve
from tests.redis_fixture import fresh_valkey

PAGES = ["", "/queue", "/suspects", "/versions", "/jobs"]
MANY = tuple(f"species {number:03}" for number in range(300))
STRANGE = ("🎓" * 40, "\u0639\u0646\u0648\u0627\u0646", "x" * 1_000, "<b>&amp;\x1b[31m")
SHAPES = {
    "many_classes": Shape(classes=MANY, labels=3_000, audit=600),
    "number": Shape(kind="number", classes=()),
    "multiple": Shape(kind="multiple"),
    "sequence": Shape(kind="sequence"),
    "strange": Shape(title=f"\u202e{STRANGE[1]} 🎓 " * 40, classes=STRANGE, annotators=STRANGE),
    "one_class": Shape(classes=("only",)),
    "crowd": Shape(annotators=[f"annotator {number}" for number in range(30)]),
    "few_random": Shape(audit=40),
}
LONGEST = 150_000
"""Bytes of a page."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    with fresh_valkey() as url:
        made = settings_in(tmp_path_factory.mktemp("shapes"), redis_url=SecretStr(url))
        store = Store(made.data_dir)
        for number, shape in enumerate(SHAPES.values(), 1):
            records.write(store, f"{number}.1", shape)
        yield made


@pytest.fixture(scope="module")
def client(settings) -> Iterator[httpx.Client]:
    desk = JobDesk(settings)
    with serve(create_app(settings, service=FakeService(), jobs=desk)) as opened:
        yield opened
    desk.redis.close()


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    shown = [Preview("text", "text", "a text")]
    monkeypatch.setattr(previews, "previews_of", lambda _s, _p, ids: dict.fromkeys(ids, shown))


def uid_of(name: str) -> str:
    return f"{list(SHAPES).index(name) + 1}.1"


def charts_of(client: httpx.Client, name: str) -> dict[str, dict]:
    found = client.get(f"/api/projects/{uid_of(name)}/charts").json()
    return {chart["name"]: chart for chart in found}


class TestEveryShape:
    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("name", SHAPES)
    def test_each_page_is_there_and_not_long(self, client, name, page):
        answer = client.get(f"/projects/{uid_of(name)}{page}")
        assert answer.status_code == 200
        assert len(answer.content) < LONGEST
        assert "<b>&amp;\x1b" not in answer.text

    @pytest.mark.parametrize("name", SHAPES)
    def test_each_picture_can_be_drawn(self, client, name):
        html = client.get(f"/projects/{uid_of(name)}").text
        pictures = re.findall(r'<img width="(\d+)" height="(\d+)" src="([^"]+)"', html)
        assert pictures
        for wide, high, address in pictures:
            answer = client.get(address.replace("&amp;", "&"))
            assert answer.status_code == 200
            box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', answer.text)
            assert box is not None
            # In points, three quarters of a dot: room is left for just this.
            assert [float(side) / 0.75 for side in box.groups()] == [
                pytest.approx(int(wide), abs=1),
                pytest.approx(int(high), abs=1),
            ]
            assert int(high) < 700

    def test_of_many_classes_the_worst_and_the_most_mixed_up_are_shown(self, client):
        found = charts_of(client, "many_classes")
        rows = found["confusion-chosen-0"]["rows"]
        assert len(rows) == 20
        assert all(truth != said for truth, said, _ in rows)
        assert [times for *_, times in rows] == sorted((r[2] for r in rows), reverse=True)
        recall = [row[3] for row in found["classes-0"]["rows"] if row[3] is not None]
        assert len(found["classes-0"]["rows"]) == 300
        assert recall == sorted(recall)

    def test_a_number_has_no_classes_and_no_confidence(self, client):
        found = charts_of(client, "number")
        assert set(found) == {"learning-0", "uncertainty-0", "throughput"}
        assert "R²" in found["learning-0"]["says"]

    @pytest.mark.parametrize("name", ["multiple", "sequence"])
    def test_classes_that_go_together_have_recall_but_no_confusion(self, client, name):
        found = charts_of(client, name)
        assert "classes-0" in found
        assert not {"confusion-chosen-0", "calibration-0"} & set(found)


class TestReliability:
    def test_the_bins_are_the_records(self, client, settings):
        [head] = ProjectStatus.load(Store(settings.data_dir), uid_of("crowd")).heads
        chart = charts_of(client, "crowd")["calibration-0"]
        assert chart["rows"] == [list(each) for each in head["audit"]["figures"]["reliability"]]
        assert sum(row[-1] for row in chart["rows"]) == head["audit"]["labels"]

    def test_below_a_hundred_random_labels_it_says_how_many_are_missing(self, client):
        chart = charts_of(client, "few_random")["calibration-0"]
        assert chart["rows"] == []
        assert chart["note"] == "60 more random labels are needed (40 of 100)"


class TestSpeed:
    def test_a_page_and_its_pictures_read_the_records_once(self, client, monkeypatch):
        read, plain = [], Store.read

        def counted(store, uid, name):
            read.append(name)
            return plain(store, uid, name)

        monkeypatch.setattr(Store, "read", counted)
        monkeypatch.setattr(Store, "evaluation", lambda *_: pytest.fail("evaluations are long"))
        html = client.get(f"/projects/{uid_of('crowd')}").text
        assert sorted(read) == ["connection", "history", "ledger", "state"]
        for address in re.findall(r'<img [^>]*src="(/projects[^"]+)"', html):
            answer = client.get(address.replace("&amp;", "&"))
            assert "immutable" in answer.headers["cache-control"]
        assert len(read) == 4

    def test_a_picture_of_figures_that_are_no_more_is_drawn_anew_and_not_kept(self, client):
        address = f"/projects/{uid_of('crowd')}/charts/learning-0.svg"
        answer = client.get(f"{address}?v=0123456789abcdef")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"

    def test_the_page_waits_for_no_script_and_its_files_are_kept(self, client):
        html = client.get(f"/projects/{uid_of('crowd')}").text
        assert re.findall(r"<script(?![^>]* defer)", html) == []
        for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', html):
            assert "immutable" in client.get(address).headers["cache-control"]
        assert client.get("/static/page.css").headers["cache-control"] == "no-store"

    def test_a_slow_host_of_pictures_keeps_no_button_waiting(self, client, monkeypatch):
        release = threading.Event()

        def slow(*_: object) -> tuple[bytes, str]:
            release.wait(30)
            return b"x", "image/jpeg"

        monkeypatch.setattr(previews, "media_of", slow)
        uid, base = uid_of("crowd"), str(client.base_url)
        address = f"{base}/projects/{uid}/tasks/1/media/image"
        waiting = [threading.Thread(target=httpx.get, args=(address,)) for _ in range(12)]
        for thread in waiting:
            thread.start()
        try:
            token = client.get("/api/token").json()["token"]
            answer = client.post(
                f"/api/projects/{uid}/actions/tab",
                json={"tab": "queue"},
                headers={TOKEN_HEADER: token},
                timeout=threads.PATIENCE / 2,
            )
            assert answer.status_code == 200
            assert client.get(f"/projects/{uid}").status_code == 200
            assert all(thread.is_alive() for thread in waiting)
        finally:
            release.set()
            for thread in waiting:
                thread.join()

    def test_a_call_that_nobody_waits_for_has_its_thread_until_it_returns(self, monkeypatch):
        monkeypatch.setattr(threads, "PATIENCE", 0.1)
        release, begun = threading.Event(), []

        def slow() -> None:
            begun.append(1)
            release.wait(30)

        async def press() -> None:
            few = threads.Threads()
            for _ in range(2):
                with pytest.raises(Busy):
                    await few.draw(slow)
            assert await few.read(len, "ab") == 2
            release.set()
            monkeypatch.setattr(threads, "PATIENCE", 20.0)
            assert await few.draw(len, "abc") == 3

        asyncio.run(press())
        assert len(begun) == 1


class TestLists:
    def test_a_place_behind_the_last_says_how_many_there_are(self, client):
        html = client.get(f"/projects/{uid_of('crowd')}/queue?start=100000").text
        assert "There are only 100" in html
        assert 'href="?start=88" rel="prev"' in html

    def test_more_of_the_queue_can_be_asked_for(self, client):
        path = f"/projects/{uid_of('crowd')}/queue"
        first, last = client.get(path).text, client.get(f"{path}?start=96").text
        assert "1 to 12 of 100" in first
        assert 'href="?start=12"' in first
        assert re.findall(r">Task (\d+)<", last) == ["97", "98", "99", "100"]
        assert 'rel="next"' not in last
        items = client.get(f"/api{path}?start=12").json()["items"]
        assert [item["place"] for item in items] == list(range(13, 25))

    @pytest.mark.parametrize("start", ["-1", "x", "1000", "9" * 30])
    def test_a_place_that_is_none_is_no_error(self, client, start):
        for page in ("queue", "suspects"):
            path = f"/projects/{uid_of('crowd')}/{page}?start={start}"
            assert client.get(path).status_code == 200


class TestProjects:
    def test_those_in_trouble_come_first(self, client, settings):
        store = Store(settings.data_dir)
        before = ProjectStatus.load(store, uid_of("crowd"))
        before.now(State.FAILING, "Label Studio does not answer", "start it").save(store)
        try:
            assert client.get("/api/projects").json()[0]["uid"] == uid_of("crowd")
        finally:
            before.save(store)

    def test_one_that_vanishes_does_not_take_the_others_with_it(self, client, settings):
        store = Store(settings.data_dir)
        ProjectStatus("99.1", title="half made").save(store)
        try:
            assert client.get("/projects").status_code == 200
            assert len(client.get("/api/projects").json()) == len(SHAPES)
            assert client.get("/projects/99.1").status_code == 404
        finally:
            shutil.rmtree(Path(settings.data_dir, "projects", "99.1"))


class TestAnswers:
    def test_before_the_first_label_it_is_said_what_is_missing(self, client, settings):
        store = Store(settings.data_dir)
        Connection("77.1", adopted=True).save(store)
        empty = ProjectStatus("77.1", title="New", tasks=5, askable=5)
        empty.now(State.WAITING, "a model needs 2 labels", "press Label All Tasks").save(store)
        try:
            html = client.get("/projects/77.1").text
            assert "Not known yet: a model needs 2 labels." in html
            assert "Press Label All Tasks." in html
            assert "bad at" not in html
            token = client.get("/api/token").json()["token"]
            answer = client.post(
                "/api/projects/77.1/actions/retrain",
                json={"confirmed": True},
                headers={TOKEN_HEADER: token},
            )
            assert answer.status_code == 409
            assert "a model needs 2 labels. Press Label All Tasks." in answer.json()["detail"]
            assert "Yes, retrain" not in client.get("/projects/77.1/confirm/retrain").text
            [asked] = client.get("/api/projects/77.1/jobs").json()["asked"]
            assert (asked["action"], asked["end"]) == ("retrain", "refused")
        finally:
            shutil.rmtree(Path(settings.data_dir, "projects", "77.1"))

    def test_the_weakest_classes_are_named_by_the_record(self, settings):
        status = ProjectStatus.load(Store(settings.data_dir), uid_of("many_classes"))
        recall = status.first["chosen"]["recall"]
        support = status.first["chosen"]["support"]
        worst = min((name for name in recall if support[name] >= 5), key=lambda n: (recall[n], n))
        assert answers(status).weak[0].startswith(f"it finds only {100 * recall[worst]:.0f} %")
        assert worst in answers(status).weak[0]


def test_the_distance_of_the_bins_is_told_of_the_bins_that_are_drawn(settings):
    head = {
        "control": "c",
        "audit": {
            "labels": 100,
            "figures": {
                "measure": "accuracy",
                "calibration_error": 0.5,
                "reliability": [[0.6, 0.5, 0.3, 0.7, 75], [0.9, 0.6, 0.4, 0.8, 25]],
            },
        },
    }
    [chart] = figures._calibration(0, "", head, head["audit"])
    assert "they are 15 points apart" in chart.says


def test_a_picture_of_another_release_has_another_name(monkeypatch):
    chart = Chart("c", "C", "bars", ("class",))
    before = chart.key
    monkeypatch.setattr(views, "__version__", "0.0.1")
    assert chart.key != before


def test_a_class_that_is_mostly_found_is_not_called_bad():
    figures = {"support": {"a": 9, "b": 9}, "recall": {"a": 0.897, "b": 0.797}}
    status = ProjectStatus("1.1", heads=({"control": "c", "chosen": figures},))
    assert answers(status).weak == ("it finds only 80 % of b, on the tasks we chose",)


def test_a_picture_has_no_more_bars_than_can_be_read():
    rows = tuple((f"class {n}", n, None, 0.5) for n in range(300))
    chart = Chart("c", "C", "bars", ("class", "labels", "a", "recall"), rows)
    assert charts.size_of(chart, "wide")[1] < 600
    assert "285 more in the table" in charts.draw(chart, "light", "wide").decode()
