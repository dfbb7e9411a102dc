"""Label Studio's own pages, as an annotator's hands use them."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from ls_active.demo.studio import Studio

PATIENCE = 30_000
"""Milliseconds: the machine may be busy."""


def log_in(page: Page, studio: Studio) -> None:
    """Log in by the form."""
    page.goto(f"{studio.url}/user/login/")
    page.fill("input[name=email]", studio.username)
    page.fill("input[name=password]", studio.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "login" not in url)


def label_all(page: Page, studio: Studio, project: int) -> None:
    """Press "Label All Tasks"."""
    page.goto(f"{studio.url}/projects/{project}/data")
    page.get_by_text("Label All Tasks").first.click(timeout=PATIENCE)
    submit_button(page).wait_for(timeout=PATIENCE)


def task_shown(page: Page) -> int:
    """Return the number of the task on the labeling page."""
    shown = page.get_by_text(re.compile(r"^#\d+$")).first
    return int(shown.inner_text(timeout=PATIENCE).removeprefix("#"))


def choose(page: Page, choice: str) -> None:
    """Click a choice; Label Studio writes its hotkey behind the name."""
    page.get_by_text(re.compile(rf"^{re.escape(choice)}")).first.click(timeout=PATIENCE)


def submit(page: Page) -> None:
    """Submit, and wait for the next task."""
    before = task_shown(page)
    submit_button(page).click()
    page.wait_for_function(
        "n => ![...document.querySelectorAll('*')].some(e => e.textContent === `#${n}`)",
        arg=before,
        timeout=PATIENCE,
    )


def update(page: Page) -> None:
    """Save the annotation that is open."""
    with page.expect_response(lambda reply: "/api/annotations/" in reply.url, timeout=PATIENCE):
        page.get_by_role("button", name=re.compile("^Update")).first.click(timeout=PATIENCE)


def submit_button(page: Page):
    return page.get_by_role("button", name=re.compile("^Submit")).first
