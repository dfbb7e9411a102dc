"""Our client against the real thing, and the facts about it that the loop stands on."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ls_active.demo.studio import Studio
from ls_active.errors import (
    LabelStudioRejected,
    LabelStudioUnauthorized,
    LabelStudioUnreachable,
    NotFoundInLabelStudio,
)
from ls_active.label_studio.client import (
    ANNOTATION_FIELDS,
    LabelStudioClient,
    Project,
    id_between,
    labeled,
    updated_after,
    with_annotations,
    with_skips,
)
from tests.harness.data import LABEL_CONFIG, bbc
from tests.harness.label_studio import (
    PASSWORD,
    Annotator,
    add_user,
    allow_legacy_tokens,
    data_manager_action,
    installation,
    personal_access_token,
)

pytestmark = [
    pytest.mark.e2e,
    # The SDK itself, whenever it renews an access token.
    pytest.mark.filterwarnings("ignore:The `parse_obj` method is deprecated"),
]


@pytest.fixture(scope="module")
def studio(neighbour: Studio) -> Studio:
    return neighbour


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(studio.url, studio.api_key) as opened:
        yield opened


@pytest.fixture(scope="module")
def token(studio: Studio) -> str:
    """Return a personal access token of the administrator."""
    return personal_access_token(studio)


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[Project]:
    created = client.create_project("client", LABEL_CONFIG, sampling="Uncertainty sampling")
    yield created
    client.delete_project(created.id)


@pytest.fixture
def tasks(client: LabelStudioClient, project: Project) -> list[int]:
    return client.import_tasks(project.id, [{"data": {"text": text}} for text, _ in bbc()[:30]])


@pytest.fixture
def annotator(client: LabelStudioClient, project: Project) -> Annotator:
    return Annotator(client, project.id)


def prediction(task: int, score: float, version: str = "v1", choice: str = "tech") -> dict:
    region = {
        "from_name": "topic",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [choice]},
    }
    return {"task": task, "result": [region], "score": score, "model_version": version}


def ids(pages) -> list[int]:
    return [task["id"] for page in pages for task in page]


class TestConnecting:
    def test_a_good_key_says_who_it_is(self, studio, client):
        identity = client.check()
        assert (identity.email, identity.version) == (studio.username, installation().version)

    def test_a_personal_access_token_works_as_well(self, studio, token):
        with LabelStudioClient(studio.url, token) as client:
            assert client.check().email == studio.username

    def test_an_access_token_that_died_is_renewed_even_for_a_write(self, studio):
        email = "renewed@example.com"
        add_user(studio, email)
        key = personal_access_token(studio, email, PASSWORD)
        with LabelStudioClient(studio.url, key) as client:
            client.check()
            # A token that looks alive and that the server refuses: as when it expires on the way.
            header, payload, _ = client.http._tokens._access_token.split(".")
            client.http._tokens._access_token = f"{header}.{payload}.AAAA"
            created = client.create_project("renewed", LABEL_CONFIG)
            assert created.title == "renewed"
            client.delete_project(created.id)

    def test_an_access_token_is_no_key(self, studio):
        email = "access@example.com"
        add_user(studio, email)
        refresh = personal_access_token(studio, email, PASSWORD)
        with LabelStudioClient(studio.url, refresh) as client:
            access = client.http._tokens.refresh().access
        with (
            LabelStudioClient(studio.url, access) as client,
            pytest.raises(LabelStudioUnauthorized, match="wrong type"),
        ):
            client.check()

    def test_a_disabled_legacy_token_says_which_kind_to_make(self, studio, client, token):
        other = add_user(studio, "legacy@example.com")
        allow_legacy_tokens(client, False)
        try:
            with (
                LabelStudioClient(studio.url, other) as refused,
                pytest.raises(LabelStudioUnauthorized, match=r"legacy.*Personal Access Token"),
            ):
                refused.check()
        finally:
            with LabelStudioClient(studio.url, token) as owner:
                allow_legacy_tokens(owner, True)
        client.check()

    def test_a_wrong_key_is_refused_without_being_shown(self, studio):
        key = "0123456789abcdef0123456789abcdef01234567"
        with LabelStudioClient(studio.url, key) as client:
            with pytest.raises(LabelStudioUnauthorized) as caught:
                client.check()
            assert key not in str(caught.value) + repr(client)

    def test_another_server_is_no_label_studio(self, studio):
        with (
            LabelStudioClient(f"{studio.url}/user/login", studio.api_key) as client,
            pytest.raises((NotFoundInLabelStudio, LabelStudioUnreachable)),
        ):
            client.check()

    def test_a_missing_project_is_named(self, client):
        with pytest.raises(NotFoundInLabelStudio, match="/api/projects/999999"):
            client.project(999_999)


class TestProjects:
    def test_the_uid_is_the_one_label_studio_sends(self, client, project):
        raw = client.http.json("GET", f"/api/projects/{project.id}")
        created = datetime.fromisoformat(raw["created_at"])
        assert project.uid == f"{project.id}.{int(created.timestamp())}"

    def test_change_and_list(self, client, project, tasks):
        changed = client.update_project(project.id, skip_queue="REQUEUE_FOR_ME")
        assert changed.skip_queue == "REQUEUE_FOR_ME"
        assert changed == client.project(project.id)
        listed = {each.id: each for each in client.projects()}
        assert listed[project.id].task_number == len(tasks)

    def test_an_unknown_model_version_is_refused(self, client, project):
        with pytest.raises(LabelStudioRejected, match="Model version doesn't exist") as caught:
            client.update_project(project.id, model_version="al-9.9")
        assert caught.value.http_status == 400


class TestReading:
    def test_pages_hold_every_task_once_in_order(self, client, project, tasks):
        before = datetime.now(UTC) - timedelta(seconds=2)
        pages = client.tasks(project.id, page_size=7)
        assert pages.total == 30
        assert before <= pages.clock <= datetime.now(UTC)
        read = list(pages)
        assert [len(page) for page in read] == [7, 7, 7, 7, 2]
        assert ids(read) == tasks

    def test_rows_deleted_while_paging_shift_nothing(self, client, project, tasks):
        pages = client.tasks(project.id, page_size=10)
        first = next(pages)
        data_manager_action(client, project.id, "delete_tasks", tasks[:5])
        assert [task["id"] for task in first] + ids(pages) == tasks

    def test_an_empty_project_has_no_page(self, client, project):
        pages = client.tasks(project.id)
        assert (pages.total, list(pages)) == (0, [])

    def test_filters_join(self, client, project, tasks, annotator):
        annotator.submit(tasks[3], "tech")
        annotator.skip(tasks[4])
        assert ids(client.tasks(project.id, filters=[labeled(True)])) == [tasks[3]]
        assert ids(client.tasks(project.id, filters=[with_annotations()])) == [tasks[3]]
        assert ids(client.tasks(project.id, filters=[with_skips()])) == [tasks[4]]
        middle = id_between(tasks[2], tasks[5])
        assert ids(client.tasks(project.id, filters=[middle, labeled(False)])) == [
            tasks[2],
            tasks[4],
            tasks[5],
        ]
        assert ids(client.tasks(project.id, after_id=tasks[27])) == tasks[28:]
        assert client.count(project.id, labeled(False)) == 29
        totals = client.totals(project.id)
        assert (totals.total, totals.annotations) == (30, 1)

    def test_the_cursor_sees_exactly_what_moved(self, client, project, tasks, annotator):
        start = datetime.now(UTC)
        annotator.submit(tasks[7], "sports")
        annotator.skip(tasks[8])
        pages = client.tasks(
            project.id,
            filters=[updated_after(start)],
            include=["id", "annotations", "updated_at"],
            fields="all",
        )
        changed = {task["id"]: task["annotations"] for page in pages for task in page}
        assert changed.keys() == {tasks[7], tasks[8]}
        [made] = changed[tasks[7]]
        # Label Studio 1.22 sends all there is, whatever was asked for.
        narrowed = not installation().version.startswith("1.22.")
        assert made.keys() >= set(ANNOTATION_FIELDS)
        assert (made.keys() == set(ANNOTATION_FIELDS)) is narrowed
        assert made["result"] == annotator.result("sports")
        assert changed[tasks[8]][0]["was_cancelled"] is True

    def test_a_server_that_caps_pages_is_read_to_the_end(self, strict):
        with LabelStudioClient(strict.url, strict.api_key) as client:
            project = client.create_project("capped", LABEL_CONFIG)
            tasks = client.import_tasks(project.id, [{"data": {"text": str(n)}} for n in range(20)])
            pages = list(client.tasks(project.id))
            assert [len(page) for page in pages] == [8, 8, 4]
            assert ids(pages) == tasks


class TestPredictions:
    def test_published_scores_are_served_in_ascending_order(
        self, client, project, tasks, annotator
    ):
        order = tasks[::2][::-1] + tasks[1::2]
        client.import_predictions(
            project.id, [prediction(task, rank / 100) for rank, task in enumerate(order)]
        )
        client.update_project(project.id, model_version="v1")
        served = annotator.label_with(lambda task: "tech", 12)
        assert [task["id"] for task in served] == order[:12]

    def test_a_new_version_reorders_and_deleting_the_old_one_keeps_that(
        self, client, project, tasks, annotator
    ):
        up, down = list(enumerate(tasks)), list(enumerate(reversed(tasks)))
        client.import_predictions(project.id, [prediction(t, n / 100, "v1") for n, t in up])
        client.update_project(project.id, model_version="v1")
        assert annotator.label_with(lambda task: "tech", 1)[0]["id"] == tasks[0]
        client.import_predictions(project.id, [prediction(t, n / 100, "v2") for n, t in down])
        assert client.prediction_counts(project.id) == {"v1": 30, "v2": 30}
        assert client.update_project(project.id, model_version="v2").model_version == "v2"
        assert client.delete_model_version(project.id, "v1") == 30
        assert client.project(project.id).model_version == "v2"
        served = annotator.label_with(lambda task: "tech", 3)
        assert [task["id"] for task in served] == tasks[:-4:-1]

    def test_deleting_the_current_version_empties_it(self, client, project, tasks):
        client.import_predictions(project.id, [prediction(tasks[0], 0.5)])
        client.update_project(project.id, model_version="v1")
        assert client.delete_model_version(project.id, "v1") == 1
        assert client.project(project.id).model_version == ""
        assert client.delete_model_version(project.id, "never was") == 0

    def test_invalid_predictions_are_dropped_in_silence(self, client, project, tasks):
        sent = [
            prediction(tasks[0], 0.1),
            prediction(tasks[1], 0.1, choice="no such class"),
            prediction(tasks[2], 1.5),
        ]
        assert client.import_predictions(project.id, sent) == 1
        assert client.prediction_counts(project.id) == {"v1": 1}

    def test_an_empty_result_is_kept(self, client, project, tasks):
        empty = prediction(tasks[0], 0.1) | {"result": []}
        assert client.import_predictions(project.id, [empty]) == 1

    def test_one_unknown_task_refuses_them_all(self, client, project, tasks):
        with pytest.raises(LabelStudioRejected, match="Validation error"):
            client.import_predictions(
                project.id, [prediction(tasks[0], 0.1), prediction(999_999, 0.1)]
            )
        assert client.prediction_counts(project.id) == {}


class TestAnnotators:
    def test_two_annotators_never_hold_the_same_task(self, studio, client, project, tasks):
        client.import_predictions(
            project.id, [prediction(task, rank / 100) for rank, task in enumerate(tasks)]
        )
        client.update_project(project.id, model_version="v1")
        with LabelStudioClient(studio.url, add_user(studio, "two@example.com")) as second:
            pair = [Annotator(client, project.id), Annotator(second, project.id)]
            held = [annotator.next()["id"] for annotator in pair]
            assert held == tasks[:2]
            assert pair[1].submit(held[1], "tech")["completed_by"] == second.check().user_id
            assert pair[1].next()["id"] == tasks[2]

    def test_none_is_left_at_the_end(self, client, project, annotator):
        client.import_tasks(project.id, [{"data": {"text": "the only one"}}])
        assert len(annotator.label_with(lambda task: "tech", 5)) == 1
        assert annotator.next() is None
        assert len(annotator.next_seconds) == 3

    def test_what_can_be_done_to_an_annotation(self, client, project, tasks, annotator):
        made = annotator.submit(tasks[0], "tech")
        changed = annotator.update(made["id"], "sports")
        assert changed["result"] == annotator.result("sports")
        assert annotator.set_ground_truth(made["id"], True)["ground_truth"] is True
        annotator.delete(made["id"])
        skip = annotator.skip(tasks[1])
        assert client.count(project.id, with_skips()) == 1
        annotator.unskip(skip["id"])
        assert client.count(project.id, with_skips()) == 0
        skip = annotator.skip(tasks[2])
        annotator.update(skip["id"], "tech")
        assert client.count(project.id, labeled(True)) == 1
        data_manager_action(client, project.id, "delete_tasks_annotations", tasks)
        assert client.count(project.id, with_annotations()) == 0


class TestConnections:
    URL = "http://127.0.0.1:9/webhook"

    def test_a_webhook_comes_changes_and_goes(self, client, project):
        made = client.create_webhook(
            project.id, self.URL, headers={"X-Secret": "a"}, actions=["ANNOTATION_CREATED"]
        )
        assert made["actions"] == ["ANNOTATION_CREATED"]
        changed = client.update_webhook(made["id"], headers={"X-Secret": "b"})
        assert changed["headers"] == {"X-Secret": "b"}
        assert changed["actions"] == [], "Label Studio clears what is not repeated"
        assert [hook["url"] for hook in client.webhooks(project.id)] == [self.URL]
        client.delete_webhook(made["id"])
        assert client.webhooks(project.id) == []

    def test_a_backend_is_told_uid_and_host_and_stays_as_a_webhook(self, studio, client, project):
        with _tiny_backend() as (url, asked):
            made = client.connect_ml_backend(
                project.id, url, "tiny", extra_params={"k": 9}, basic_auth=("me", "secret")
            )
            [setup, *_] = [body for path, body, _ in asked if path == "/setup"]
            assert (setup["project"], setup["hostname"]) == (project.uid, studio.url)
            assert setup["extra_params"] == {"k": 9}
            assert {key for *_, key in asked} == {"Basic " + b64encode(b"me:secret").decode()}
            assert client.project(project.id).model_version == "tiny"
            assert [each["state"] for each in client.ml_backends(project.id)] == ["CO"]
            client.delete_ml_backend(made["id"])
        assert client.ml_backends(project.id) == []
        assert [hook["url"] for hook in client.webhooks(project.id)] == [f"{url}/webhook"]

    def test_a_dotless_host_gets_no_webhook(self, client, project):
        with pytest.raises(LabelStudioRejected, match="Enter a valid URL"):
            client.create_webhook(project.id, "http://backend:9090/webhook")

    def test_a_backend_that_does_not_answer_is_refused(self, client, project):
        with pytest.raises(LabelStudioRejected) as caught:
            client.connect_ml_backend(project.id, "http://127.0.0.1:9", "nobody")
        assert caught.value.http_status == 400
        assert client.ml_backends(project.id) == []

    def test_a_blocked_address_says_which_flags_to_set(self, strict):
        with LabelStudioClient(strict.url, strict.api_key) as client:
            project = client.create_project("blocked", LABEL_CONFIG)
            with pytest.raises(LabelStudioRejected, match="SSRF_PROTECTION_ENABLED=false"):
                client.connect_ml_backend(project.id, "http://127.0.0.1:9", "local")


@contextmanager
def _tiny_backend() -> Iterator[tuple[str, list[tuple[str, dict, str | None]]]]:
    """Answer health and setup; yield the address and what was asked: path, body, authorization."""
    asked: list[tuple[str, dict, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((self.path, json.loads(body or b"{}"), self.headers["Authorization"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"model_version": "v1", "status": "UP"}')

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()
