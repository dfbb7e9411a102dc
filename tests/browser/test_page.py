"""The admin's page and Label Studio's own, in a browser, on the real stack."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.labeling import LabelingPage
from tests.harness.case import Case
from tests.harness.data import bbc
from tests.harness.stack import serve

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(1200)]

PAGES = ("", "/queue", "/suspects", "/versions", "/jobs", "/doctor")
PATIENCE = 240
"""Seconds, for the machine may be busy."""


@pytest.fixture(scope="module")
def stack(studio, tmp_path_factory):
    """Return a service that knows no project yet."""
    with serve(tmp_path_factory.mktemp("page"), studio.url, studio.api_key) as running:
        yield running


@pytest.fixture(scope="module")
def case(client, stack):
    texts = [(text[:600], label) for text, label in bbc()[:240]]
    made = Case.create(client, stack, "News by topic", texts)
    yield made
    client.delete_project(made.id)


class TestAnAdmin:
    """In this order: each test goes on where the one before left the project."""

    def test_sees_a_project_appear(self, case, stack, open_page):
        page = open_page()
        page.goto(stack.url)
        expect(page.get_by_role("heading", name="No project is connected yet")).to_be_visible()
        case.connect(min_interval=0)
        expect(page.get_by_role("link", name="News by topic", exact=True)).to_be_visible(
            timeout=1000 * PATIENCE
        )

    def test_sees_the_queue_change_and_the_curve_grow_with_labels(
        self, case, stack, studio, open_page
    ):
        queue = open_page()
        queue.goto(f"{stack.url}/projects/{case.uid}/queue")
        first = queue.get_by_role("heading", level=3).first
        before = first.inner_text()
        annotator = LabelingPage(open_page(quiet=True), studio)
        annotator.label_all(case.id)
        for _ in range(12):
            annotator.choose(case.truth[annotator.task])
            annotator.submit()
        case.wait_learned(PATIENCE)
        expect(first).not_to_have_text(before, timeout=1000 * PATIENCE)

        case.label_both_ways(20)
        case.wait_learned(PATIENCE)
        page = open_page()
        page.goto(f"{stack.url}/projects/{case.uid}")
        page.get_by_text("Table: Learning curve").click()
        rows = page.locator("#learning-0 tbody tr")
        here = rows.count()
        case.label(10)
        case.wait_learned(PATIENCE)
        # The page is in use while its table has the focus: it waits until it is let go.
        page.locator("h1").click()
        page.evaluate("document.activeElement.blur()")
        expect(rows.nth(here)).to_be_visible(timeout=1000 * PATIENCE)

    def test_presses_retrain(self, case, stack, open_page):
        before = case.versions[-1]
        page = open_page()
        page.goto(f"{stack.url}/projects/{case.uid}/jobs")
        page.get_by_role("link", name="Retrain now").click()
        page.get_by_role("button", name="Yes, retrain now").click()
        case.wait_until(lambda: case.versions[-1] > before, PATIENCE)
        expect(page.get_by_role("cell", name="asked for").first).to_be_visible(
            timeout=1000 * PATIENCE
        )

    def test_rolls_back_and_the_annotators_next_task_is_of_the_older_queue(
        self, case, stack, studio, open_page
    ):
        case.wait_until(lambda: case.in_force(case.versions[-1]), PATIENCE)
        old = case.versions[1]
        page = open_page()
        page.goto(f"{stack.url}/projects/{case.uid}/versions")
        page.get_by_role("link", name=f"Roll back to al-{old}", exact=True).click()
        page.get_by_role("button", name="Yes").click()
        case.wait_until(lambda: case.in_force(old), PATIENCE)
        annotator = LabelingPage(open_page(quiet=True), studio)
        annotator.label_all(case.id)
        # The task that the annotator had open stays locked for them; the next is the queue's.
        annotator.choose(case.truth[annotator.task])
        annotator.submit()
        done = case.said()
        head = [task for task in case.queue()["tasks"] if task not in done]
        assert annotator.task in head[:2]
        page.goto(f"{stack.url}/projects/{case.uid}/versions")
        page.get_by_role("link", name="Go on with the newest").click()
        page.get_by_role("button", name="Yes").click()
        case.wait_for(lambda status: status.pinned is None, PATIENCE)

    @pytest.mark.parametrize("look", ["light", "dark"])
    def test_can_read_every_page_whatever_their_eyes(self, case, stack, open_page, look):
        page = open_page(color_scheme=look)
        for path in ("/projects", *(f"/projects/{case.uid}{part}" for part in PAGES)):
            page.goto(f"{stack.url}{path}")
            found = Axe().run(page).response["violations"]
            assert [(path, each["id"], each["impact"]) for each in found] == []

    def test_has_everything_on_a_phone(self, case, stack, open_page):
        page = open_page(viewport={"width": 390, "height": 800})
        for path in ("/projects", *(f"/projects/{case.uid}{part}" for part in PAGES)):
            page.goto(f"{stack.url}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


class TestSuspects:
    def test_a_planted_label_is_found_and_corrected(self, client, stack, studio, open_page):
        texts = [(text[:600], label) for text, label in bbc()[300:440]]
        case = Case.create(client, stack, "News with wrong labels", texts)
        planted = [task for task, label in case.truth.items() if label == "sports"][:5]
        annotator = case.annotator()
        for task, label in list(case.truth.items())[:120]:
            annotator.submit(task, "tech" if task in planted else label)
        case.connect(min_interval=0)
        case.wait_learned(PATIENCE)
        page = open_page()
        page.goto(f"{stack.url}/projects/{case.uid}/suspects")
        titles = [f"Task {task}" for task in planted]
        link = page.get_by_role("link", name=re.compile(rf"^({'|'.join(titles)})$")).first
        expect(link).to_be_visible(timeout=1000 * PATIENCE)
        found, address = link.inner_text(), str(link.get_attribute("href"))
        page.get_by_role("button", name="Make the tab").click()
        case.wait_until(lambda: "Suspect labels" in tabs(case), PATIENCE)

        hands = LabelingPage(open_page(quiet=True), studio)
        hands.correct(address, "sports")
        case.wait_until(lambda: case.said()[int(found.removeprefix("Task "))] == "sports", PATIENCE)
        case.wait_learned(PATIENCE)
        page.goto(f"{stack.url}/projects/{case.uid}/suspects")
        expect(page.get_by_role("link", name=found, exact=True)).to_have_count(
            0, timeout=1000 * PATIENCE
        )
        client.delete_project(case.id)


def tabs(case: Case) -> list[str]:
    views = case.client.http.json("GET", "/api/dm/views", params={"project": case.id})
    return [view["data"].get("title", "") for view in views]
