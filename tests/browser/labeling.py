"""Label Studio's own pages, as an annotator's hands use them."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Response

from ls_active.demo.studio import Studio

PATIENCE = 60_000
"""Milliseconds: the machine may be busy."""


class LabelingPage:
    """One annotator's browser.

    Attributes
    ----------
    task : int
        What is shown, as Label Studio answered when the page asked for the next one.
    """

    def __init__(self, page: Page, studio: Studio) -> None:
        self.page = page
        self.task = 0
        self._url = studio.url
        page.set_default_timeout(PATIENCE)
        page.goto(f"{studio.url}/user/login/")
        page.fill("input[name=email]", studio.username)
        page.fill("input[name=password]", studio.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "login" not in url)

    def label_all(self, project: int) -> None:
        """Press "Label All Tasks"."""
        self.page.goto(f"{self._url}/projects/{project}/data")
        with self.page.expect_response(_is_next) as answer:
            self.page.get_by_text("Label All Tasks").first.click()
        self.task = answer.value.json()["id"]

    def choose(self, choice: str) -> None:
        """Click a choice; Label Studio writes its hotkey behind the name."""
        self.page.locator("label", has_text=re.compile(rf"^{re.escape(choice)}")).first.click()

    def submit(self) -> None:
        """Submit, and wait for the next task."""
        with self.page.expect_response(_is_next) as answer:
            self.page.get_by_role("button", name=re.compile("^Submit")).first.click()
        self.task = answer.value.json()["id"]

    def correct(self, address: str, choice: str) -> None:
        """Open a labelled task and save another choice."""
        self.page.goto(address)
        self.choose(choice)
        with self.page.expect_response(_is_saved):
            self.page.locator("button", has_text=re.compile("^Update$")).click()


def _is_next(reply: Response) -> bool:
    return "next_task" in reply.url or reply.url.partition("?")[0].endswith("/next")


def _is_saved(reply: Response) -> bool:
    return "/api/annotations/" in reply.url and reply.request.method == "PATCH"
