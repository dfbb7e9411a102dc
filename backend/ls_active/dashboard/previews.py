"""Tasks as they may be shown. Whoever imports a task chooses what is in it: nothing is trusted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import PIL.Image

from ls_active.dashboard.views import Preview
from ls_active.errors import NotFound
from ls_active.label_studio.client import LabelStudioClient
from ls_active.label_studio.project import Project
from ls_active.labeling import label_config
from ls_active.labeling.fields import ABSENT, value_at
from ls_active.labeling.label_config import ObjectTag
from ls_active.loop.workshop import connect, find_project, open_media
from ls_active.media import MediaError
from ls_active.settings import Settings

PATIENCE = 4.0
"""Seconds that a page waits for Label Studio before it shows tasks by number only."""

LONGEST = 600
"""Characters of a field that are shown."""

MAX_PIXELS = 50_000_000
THUMBNAIL = 640
"""Longer side of a picture, in pixels."""

_KINDS = {"Text": "text", "Image": "image", "Audio": "audio", "AudioPlus": "audio"}
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_SOUNDS = ((b"RIFF", "audio/wav"), (b"fLaC", "audio/flac"), (b"OggS", "audio/ogg"))
_MP3 = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


def previews_of(settings: Settings, uid: str, tasks: Sequence[int]) -> dict[int, list[Preview]]:
    """Return what tasks show, by id; a task that is gone is missing.

    Raises
    ------
    NotFound
        If the project is gone, and its number another's by now.
    LabelStudioError, NotConfigured
        If Label Studio does not tell.
    """
    if not tasks:
        return {}
    with connect(settings, timeout=PATIENCE, retries=0) as client:
        project = _found(client, uid)
        config = label_config.parse(project.label_config)
        return {
            int(task["id"]): list(_previews(task.get("data"), config.objects))
            for task in _read(client, project.id, tasks)
        }


def media_of(settings: Settings, uid: str, task: int, field: str) -> tuple[bytes, str]:
    """Return a file behind a task, made harmless, and its type.

    Raises
    ------
    NotFound
        If there is no such file, or nothing that we show.
    """
    with connect(settings, timeout=PATIENCE, retries=0) as client:
        project = _found(client, uid)
        shown = {item.field for item in label_config.parse(project.label_config).objects}
        found = _read(client, project.id, [task]) if field in shown else []
        value = value_at(found[0].get("data"), field) if found else None
        if not isinstance(value, str):
            raise NotFound(f"task {task} has no file in {field[:40]!r}")
        try:
            with open_media(settings, client, most_seconds=PATIENCE) as media:
                content = media.fetch(value)
        except MediaError as error:
            raise NotFound(str(error)) from None
    return _picture(content) or _sound(content) or _nothing()


def said(regions: Iterable[Mapping[str, Any]]) -> str:
    """Return a prediction, or an answer, in words."""
    return "; ".join(filter(None, (_answer(region.get("value") or {}) for region in regions)))


def _found(client: LabelStudioClient, uid: str) -> Project:
    project = find_project(client, uid)
    if project is None:
        raise NotFound(f"Label Studio has no project {uid} any more")
    return project


def _read(client: LabelStudioClient, project_id: int, tasks: Sequence[int]) -> list[dict[str, Any]]:
    """Read some tasks in one request."""
    items = [
        {"filter": "filter:tasks:id", "operator": "equal", "type": "Number", "value": task}
        for task in tasks
    ]
    params = {
        "project": project_id,
        "fields": "task_only",
        "include": "id,data",
        "page_size": len(tasks),
        # As stored: without addresses of Label Studio's proxy in it.
        "resolve_uri": False,
        "query": json.dumps({"filters": {"conjunction": "or", "items": items}}),
    }
    return cast(
        "list[dict[str, Any]]", client.http.json("GET", "/api/tasks", params=params)["tasks"]
    )


def _previews(data: Any, objects: Iterable[ObjectTag]) -> Iterable[Preview]:
    for shown in objects:
        value = ABSENT if shown.field is None else value_at(data, shown.field)
        if value is not ABSENT:
            yield _preview(shown, value)


def _preview(shown: ObjectTag, value: Any) -> Preview:
    field = str(shown.field)
    if not isinstance(value, str):
        return Preview(field, "data", _cut(json.dumps(value, ensure_ascii=False)))
    by_address = shown.attribute("valueType").lower() == "url"
    if shown.tag == "HyperText" and not by_address:
        return Preview(field, "page", value[: 20 * LONGEST])
    kind = "data" if by_address else _KINDS.get(shown.tag, "data")
    return Preview(field, kind, _cut(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _answer(value: Mapping[str, Any]) -> str:
    for key, content in value.items():
        if key == "text":
            continue
        if isinstance(content, list) and content:
            words = ", ".join(" > ".join(c) if isinstance(c, list) else str(c) for c in content)
            quoted = value.get("text")
            return f"{words}: “{_cut(quoted)[:60]}”" if isinstance(quoted, str) else words
        if key in ("number", "rating", "selected"):
            return f"{content:.4g}" if isinstance(content, float) else str(content)
    return ""


def _picture(content: bytes) -> tuple[bytes, str] | None:
    """Return a small copy: what else the file holds stays behind."""
    try:
        with PIL.Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            image.draft("RGB", (THUMBNAIL, THUMBNAIL))
            small = image.convert("RGB")
    except Exception:  # noqa: BLE001 - decoders of foreign bytes raise whatever they like
        return None
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue(), "image/jpeg"


def _sound(content: bytes) -> tuple[bytes, str] | None:
    for magic, kind in _SOUNDS:
        if content.startswith(magic):
            return content, kind
    return (content, "audio/mpeg") if content.startswith(_MP3) else None


def _nothing() -> tuple[bytes, str]:
    raise NotFound("the file is no picture or sound that can be shown here")
