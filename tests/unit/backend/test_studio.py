"""How a Label Studio is installed and started, with a stand-in for the program itself."""

from __future__ import annotations

import json
import socket
import stat
import sys
from pathlib import Path
from threading import Thread

import pytest

from ls_active.demo.studio import VERSION, Installation, Studio, ensure_label_studio
from ls_active.errors import LabelStudioUnreachable
from ls_active.settings import plain_environment

STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

data = pathlib.Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
if sys.argv[1] == "init":
    (data / "label_studio.sqlite3").touch()
    (data / "init.json").write_text(json.dumps(dict(os.environ)))
    sys.exit((data.parent / "broken").exists() and "no disk left")

(data / "start.json").write_text(json.dumps(dict(os.environ)))
port = int(sys.argv[sys.argv.index("--port") + 1])
if (data / "moves").exists():
    (data / "moves").unlink()
    print("* Port", port, "is in use.", flush=True)
    port = 0

class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

if (data / "dies").exists():
    sys.exit("cannot migrate")
HTTPServer(("127.0.0.1", port), Health).serve_forever()
"""


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    made = tmp_path / "venv"
    (made / f"lib/python3/site-packages/label_studio-{VERSION}.dist-info").mkdir(parents=True)
    (made / "bin").mkdir()
    program = made / "bin" / "label-studio"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return made


def install(tmp_path: Path, venv: Path, said: list[str] | None = None) -> Installation:
    return ensure_label_studio(
        (said if said is not None else []).append,
        cache_dir=tmp_path / "cache",
        base_env=plain_environment(),
        venv=venv,
    )


@pytest.fixture
def installation(tmp_path: Path, venv: Path) -> Installation:
    return install(tmp_path, venv)


class TestInstalling:
    def test_the_template_is_made_once(self, tmp_path, venv):
        said: list[str] = []
        first = install(tmp_path, venv, said)
        assert install(tmp_path, venv, said) == first
        assert len(said) == 1
        assert (first.template / "label_studio.sqlite3").exists()

    def test_others_cannot_read_the_credentials_and_nobody_else_has_them(
        self, installation, venv, tmp_path
    ):
        assert stat.S_IMODE(installation.template.stat().st_mode) == 0o700
        other = install(tmp_path / "elsewhere", venv)
        keys = {
            json.loads((each.template / "credentials.json").read_text())["api_key"]
            for each in (installation, other)
        }
        assert len(keys) == 2

    def test_processes_wait_for_one_another(self, tmp_path, venv):
        said: list[str] = []
        threads = [Thread(target=install, args=(tmp_path, venv, said)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum("Preparing" in sentence for sentence in said) == 1

    def test_a_failed_migration_shows_its_end_and_is_done_again(self, tmp_path, venv):
        broken = tmp_path / "cache" / f"label-studio-{VERSION}" / "broken"
        broken.parent.mkdir(parents=True)
        broken.touch()
        with pytest.raises(LabelStudioUnreachable, match="no disk left"):
            install(tmp_path, venv)
        broken.unlink()
        assert install(tmp_path, venv).template.exists()

    def test_a_folder_without_label_studio_is_refused(self, tmp_path):
        with pytest.raises(LabelStudioUnreachable, match="empty holds no Label Studio"):
            install(tmp_path, tmp_path / "empty")

    def test_another_release_has_a_template_of_its_own(self, tmp_path, venv):
        [marker] = venv.glob("lib/*/site-packages/*.dist-info")
        usual = install(tmp_path, venv)
        marker.rename(marker.with_name("label_studio-1.22.0.dist-info"))
        older = install(tmp_path, venv)
        assert (usual.version, older.version) == (VERSION, "1.22.0")
        assert usual.template != older.template

    def test_an_installation_that_was_cut_off_is_made_anew(self, tmp_path, monkeypatch):
        """A folder without its marker goes; pip and venv themselves are left out here."""
        half = tmp_path / "cache" / f"label-studio-{VERSION}" / "venv"
        half.mkdir(parents=True)
        (half / "rest").touch()
        monkeypatch.setattr(sys, "executable", "/usr/bin/false")
        with pytest.raises(LabelStudioUnreachable, match="false failed"):
            ensure_label_studio(print, cache_dir=tmp_path / "cache", base_env={})
        assert not half.exists()


class TestStarting:
    def test_it_answers_and_stops(self, installation, tmp_path):
        with Studio.start(installation, tmp_path / "data") as studio:
            assert studio.url == f"http://localhost:{studio.port}"
            assert socket.create_connection(("localhost", studio.port)).close() is None
            secret = studio.api_key
            assert secret not in repr(studio)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", studio.port))

    def test_it_sees_nothing_of_our_environment_but_what_it_needs(
        self, installation, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("PORT", "1")
        monkeypatch.setenv("DEBUG", "true")
        env = {"SSRF_PROTECTION_ENABLED": "true"}
        with Studio.start(installation, tmp_path / "data", env=env):
            seen = json.loads((tmp_path / "data" / "start.json").read_text())
        assert not {"PORT", "DEBUG", "SSRF_PROTECTION_ENABLED"} & seen.keys()
        assert seen["LABEL_STUDIO_SSRF_PROTECTION_ENABLED"] == "true"
        assert seen["LABEL_STUDIO_ML_BLOCK_LOCAL_IP"] == "false"
        assert "LABEL_STUDIO_PASSWORD" not in seen

    def test_what_is_there_goes_on(self, installation, tmp_path):
        with Studio.start(installation, tmp_path / "data") as first:
            (first.data_dir / "kept").touch()
        with Studio.start(installation, tmp_path / "data") as second:
            assert (second.data_dir / "kept").exists()
            assert second.api_key == first.api_key

    def test_it_is_started_again_when_it_moves_to_another_port(self, installation, tmp_path):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "moves").touch()
        with Studio.start(installation, tmp_path / "data") as studio:
            assert not (tmp_path / "data" / "moves").exists()
            assert "is in use" not in studio.log.read_text()

    def test_a_wanted_port_is_not_exchanged_for_another(self, installation, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(LabelStudioUnreachable, match=f"port {port} cannot be used"):
                Studio.start(installation, tmp_path / "data", port=port)

    def test_one_that_dies_shows_its_last_words(self, installation, tmp_path):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "dies").touch()
        with pytest.raises(LabelStudioUnreachable, match="cannot migrate"):
            Studio.start(installation, tmp_path / "data")
