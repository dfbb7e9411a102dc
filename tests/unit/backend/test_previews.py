"""What of a task is shown, and what of a hostile file is left."""

from __future__ import annotations

import io
import json
import struct

import PIL.Image
import pytest

from ls_active.dashboard import previews
from ls_active.errors import NotFound
from ls_active.labeling import label_config
from ls_active.media import MediaError
from ls_active.media.errors import MediaProblem
from tests.harness.rig import settings_in
from tests.harness.simulated import SimulatedLabelStudio
from tests.harness.simulated_project import UID

CONFIG = (
    '<View><Text name="t" value="$text"/><Image name="i" value="$image"/>'
    '<HyperText name="h" value="$page"/><Audio name="a" value="$sound"/>'
    '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>'
)


def picture(size=(30, 20), kind="PNG", **fields) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, "red").save(buffer, kind, **fields)
    return buffer.getvalue()


def shown(data: dict) -> dict[str, tuple[str, str]]:
    objects = label_config.parse(CONFIG).objects
    return {part.field: (part.kind, part.text) for part in previews._previews(data, objects)}


class TestWhatIsShown:
    def test_each_field_by_its_tag(self):
        data = {"text": "a", "image": "/data/x.png", "page": "<b>x</b>", "sound": "s.wav", "x": 1}
        assert {field: kind for field, (kind, _) in shown(data).items()} == {
            "text": "text", "image": "image", "page": "page", "sound": "audio",
        }  # fmt: skip

    def test_what_is_no_text_is_shown_as_data(self):
        assert shown({"text": {"deep": ["<b>"]}}) == {"text": ("data", '{"deep": ["<b>"]}')}

    def test_a_nested_field_by_the_path_to_it(self):
        objects = label_config.parse(CONFIG.replace("$text", "$meta.title")).objects
        [part] = previews._previews({"meta": {"title": "deep"}}, objects)
        assert (part.field, part.kind, part.text) == ("meta.title", "text", "deep")

    def test_a_task_without_data_shows_nothing(self):
        assert shown(None) == {}

    def test_long_texts_are_cut(self):
        [(_, text)] = shown({"text": "x" * 100_000}).values()
        assert len(text) == previews.LONGEST

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            ({"choices": ["A", "B"]}, "A, B"),
            ({"taxonomy": [["animal", "cat"]]}, "animal > cat"),
            ({"rating": 4}, "4"),
            ({"number": 0.123456}, "0.1235"),
            ({"text": "Berlin", "start": 3, "end": 9, "labels": ["CITY"]}, "CITY: “Berlin”"),
            ({"selected": "left"}, "left"),
            ({}, ""),
        ],
    )
    def test_an_answer_in_words(self, value, words):
        assert previews.said([{"value": value}]) == words


class TestFiles:
    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        """Return what fetches the file behind task 1, whose bytes a test chooses."""
        content: list[bytes | MediaError] = []

        class FakeMedia:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                return None

            def fetch(self, value):
                assert value == "http://files.example/x"
                if isinstance(content[0], MediaError):
                    raise content[0]
                return content[0]

        class Client(SimulatedLabelStudio):
            def __enter__(self):
                return self

            def __exit__(self, *_):
                return None

        address = "http://files.example/x"
        data = {"f": address, "n": 3, "meta": {"sound": address}}
        studio = Client(["x"])
        config = CONFIG.replace("$image", "$f").replace("$text", "$n")
        studio.fields["label_config"] = config.replace("$sound", "$meta.sound")
        studio.http.json = lambda *_, **__: {"tasks": [{"id": 1, "data": data}]}
        monkeypatch.setattr(previews, "connect", lambda *_, **__: studio)
        monkeypatch.setattr(previews, "open_media", lambda *_, **__: FakeMedia())

        def fetch(what: bytes | MediaError, field: str = "f") -> tuple[bytes, str]:
            content[:] = [what]
            return previews.media_of(settings_in(tmp_path), UID, 1, field)

        return fetch

    def test_a_picture_is_drawn_anew_and_small(self, files):
        content, kind = files(picture((3000, 1500)) + b"<script>alert(1)</script>")
        assert kind == "image/jpeg"
        assert b"script" not in content
        assert max(PIL.Image.open(io.BytesIO(content)).size) <= previews.THUMBNAIL

    def test_a_picture_of_too_many_pixels_is_not_unpacked(self, files, monkeypatch):
        monkeypatch.setattr(previews, "MAX_PIXELS", 100)
        with pytest.raises(NotFound):
            files(picture())

    @pytest.mark.parametrize(
        "content",
        [
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            b"<html><script>alert(1)</script></html>",
            picture()[:60],
            b"\xff",
        ],
    )
    def test_what_is_neither_picture_nor_sound_is_not_handed_out(self, files, content):
        with pytest.raises(NotFound):
            files(content)

    def test_a_sound_is_named_by_its_bytes(self, files):
        assert files(b"RIFF....WAVEfmt ")[1] == "audio/wav"

    def test_a_file_of_a_nested_field(self, files):
        assert files(b"RIFF....WAVEfmt ", "meta.sound")[1] == "audio/wav"

    def test_why_a_file_cannot_be_read_is_said(self, files):
        with pytest.raises(NotFound, match="host is not allowed"):
            files(MediaError(MediaProblem.HOST_NOT_ALLOWED, "the host is not allowed"))

    @pytest.mark.parametrize("kind", [2, 5, 7, 12])  # Text, a fraction, anything, a float.
    def test_a_place_in_a_file_that_is_no_number_is_no_picture(self, files, kind):
        content = bytearray(picture(kind="TIFF"))
        where = content.index(struct.pack("<HH", 273, 4))  # Where its pixels begin.
        content[where + 2 : where + 4] = struct.pack("<H", kind)
        with pytest.raises(NotFound):
            files(bytes(content))

    def test_a_field_that_the_config_does_not_show_is_none(self, files):
        with pytest.raises(NotFound, match="no file in 'hidden'"):
            files(picture(), "hidden")

    def test_a_field_that_holds_no_address_is_none(self, files):
        with pytest.raises(NotFound, match="no file in 'n'"):
            files(b"", field="n")


def test_tasks_are_asked_for_by_number_in_one_request():
    asked = []

    class Http:
        def json(self, method, path, params):
            asked.append((method, path, json.loads(params["query"])["filters"]))
            return {"tasks": [{"id": 7, "data": {}}]}

    class Client:
        http = Http()

    assert previews._read(Client(), 3, [7, 9]) == [{"id": 7, "data": {}}]
    [(method, path, filters)] = asked
    assert (method, path, filters["conjunction"]) == ("GET", "/api/tasks", "or")
    assert [item["value"] for item in filters["items"]] == [7, 9]
