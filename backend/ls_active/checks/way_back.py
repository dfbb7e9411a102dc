"""Whether Label Studio reaches us: backend row, address, webhook."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from ls_active.checks import Case, Finding, Tools, note, ok, trouble, warning
from ls_active.checks.mending import mend
from ls_active.label_studio.http import LOCAL_ADDRESS_HINT

_LABEL = re.compile(r"[a-z0-9¡-￿](?:[a-z0-9¡-￿-]{0,61}[a-z0-9¡-￿])?", re.IGNORECASE)
_TOP_LEVEL = re.compile(r"(?!-)(?:[a-z¡-￿-]{2,63}|xn--[a-z0-9]{1,59})(?<!-)", re.IGNORECASE)


def webhook_host_problem(host: str) -> str:
    """Return why Label Studio takes no webhook for a host, empty if it does.

    Its rule is Django's URLValidator, which wants a top-level domain of two letters or more.
    """
    if host == "localhost" or _is_address(host):
        return ""
    labels = host.rstrip(".").split(".")
    if len(labels) == 1:
        return f"{host!r} has no dot"
    if not all(_LABEL.fullmatch(label) for label in labels[:-1]):
        return f"{host!r} has a character that host names may not have, such as an underscore"
    if not _TOP_LEVEL.fullmatch(labels[-1]):
        return f"{host!r} does not end in a top-level domain of two letters or more"
    return ""


def backend(case: Case) -> Iterator[Finding]:
    """Check that Label Studio has a row for us among its backends, and can use it."""
    if not case.active:
        return
    if not case.connection.own_url:
        yield ok("backend", "none in Label Studio, as wished: we ask it every 5 s")
        return
    row = case.our_backend
    if row is None:
        yield trouble(
            "backend",
            f"Label Studio knows no backend at {case.own_url}; nothing is written to the project",
            f"`ls-active connect {case.project.id}`, or `ls-active disconnect {case.project.id}` "
            "to put the project back as it was",
        )
    elif row.get("state") in ("CO", "TR", "PR"):
        yield ok("backend", f"Label Studio reaches us at {row['url']}")
    else:
        why = row.get("error_message") or row.get("readable_state") or "no reason given"
        yield trouble(
            "backend",
            f"Label Studio cannot use {row['url']}: {str(why).strip().splitlines()[-1][:300]}",
            f"see that this address is reachable from Label Studio's machine; {LOCAL_ADDRESS_HINT}",
        )


def address(case: Case) -> Iterator[Finding]:
    """Check that it is the address we think we have."""
    row = case.our_backend
    if row is None or not case.public_url:
        return
    if urlsplit(row["url"]).netloc != urlsplit(case.public_url).netloc:
        yield warning(
            "address",
            f"Label Studio calls us at {row['url']}, PUBLIC_URL says {case.public_url}",
            f"correct PUBLIC_URL, or `ls-active connect {case.project.id}` with it",
        )


def webhook(case: Case) -> Iterator[Finding]:
    """Check for exactly one webhook of ours, switched on and with our secret."""
    if not (case.active and case.own_url and case.our_backend):
        return
    rows = case.our_webhooks
    if not rows:
        yield from _no_webhook(case)
        return
    if len(rows) > 1:
        yield warning("webhook", f"{len(rows)} call us for every label", "--fix leaves one", mend)
    if not rows[0]["is_active"]:
        yield trouble("webhook", "it is switched off", "--fix switches it on", mend)
    elif rows[0]["headers"] != dict(case.headers):
        yield warning(
            "webhook", "it comes without our secret, or with an old one", "--fix renews it", mend
        )
    elif len(rows) == 1:
        yield ok("webhook", f"one, at {rows[0]['url']}")


def arrival(case: Case) -> Iterator[Finding]:
    """Check that webhooks arrive: Label Studio says nothing when it refuses to send them."""
    if case.deaf and case.our_webhooks:
        yield warning(
            "webhook",
            "labels come that it did not announce; we ask every 5 s meanwhile",
            f"see Label Studio's log for `run_webhook_sync`; {LOCAL_ADDRESS_HINT}",
        )


def orphans(case: Case) -> Iterator[Finding]:
    """Check that no webhook calls us for a project that we do not look after."""
    if case.active and (case.our_backend or not case.own_url):
        return
    for row in case.our_webhooks:
        yield warning(
            "webhook",
            f"number {row['id']} still calls {row['url']}, though no backend is connected there",
            "--fix deletes it",
            partial(_delete, row["id"]),
        )


def _no_webhook(case: Case) -> Iterator[Finding]:
    host = urlsplit(case.own_url).hostname or ""
    problem = webhook_host_problem(host)
    if problem:
        yield warning(
            "webhook",
            f"none, and Label Studio takes none: {problem}; we ask every 5 s instead",
            "give us a name with a dot (in compose a network alias such as backend.internal), set "
            "PUBLIC_URL to it and connect again",
        )
        return
    flags = f"; if Label Studio refuses it, {LOCAL_ADDRESS_HINT}"
    yield warning("webhook", "none; we ask every 5 s instead", f"--fix makes one{flags}", mend)


def reserved(case: Case) -> Iterator[Finding]:
    """Warn of an address that Label Studio refuses unless told otherwise."""
    host = urlsplit(case.own_url).hostname or ""
    if case.our_webhooks or not case.active or not _is_private(host):
        return
    yield note(
        "address", f"{host} is a local address, which Label Studio refuses by default",
        LOCAL_ADDRESS_HINT,
    )  # fmt: skip


def _delete(webhook_id: int, tools: Tools) -> str:
    tools.client.delete_webhook(webhook_id)
    return f"deleted webhook {webhook_id}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_private(host: str) -> bool:
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_private
