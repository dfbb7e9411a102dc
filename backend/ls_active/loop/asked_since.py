"""Since when each control has been asked.

An annotation that says nothing under a control may mean "none of these", or be older than the
control. Label Studio keeps no history of label configs, so we note when we first saw each name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ls_active.records.store import Store
from ls_active.sync.rows import Annotation

DOCUMENT = "controls"


def asked_since(store: Store, uid: str, names: Iterable[str]) -> Mapping[str, str]:
    """Return the moment from which each control was asked, as Label Studio writes times.

    Empty for those that were there when the project was first looked at: they are taken to have
    been there from its beginning. A name is never forgotten: one that is missing for a look, and
    comes back, must not lose what was said of it before.
    """
    document = store.read(uid, DOCUMENT)
    known = {} if document is None else document["since"]
    moment = "" if document is None else datetime.now(UTC).isoformat().replace("+00:00", "Z")
    found = {**dict.fromkeys(names, moment), **known}
    if document is None or found != known:
        store.write(uid, DOCUMENT, {"since": found})
    return found


def was_asked(annotation: Annotation, control: str, since: str) -> bool:
    """Whether an annotation can say something about a control by saying nothing."""
    named = any(region.get("from_name") == control for region in annotation.result)
    return named or annotation.updated_at >= since
