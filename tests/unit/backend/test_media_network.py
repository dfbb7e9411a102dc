"""A connection goes to the address that was checked, and our key no other way."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_active.media import Media, MediaError, MediaPolicy, MediaProblem
from ls_active.media.download import trusted_certificates
from ls_active.media.network import Network, is_public
from tests.harness.media_server import Scripted, Town, content, moved

WAYS = [
    "http://studio.example:8080/data/upload/1",
    "http://studio.example:8080/api/users",
    "http://studio.example/data/upload/1",
    "https://studio.example:8080/data/upload/1",
    "http://studio.example:8080@evil.example/data/upload/1",
    "//evil.example:8080/data/upload/1",
    "/data/upload/2",
    "/data/upload/../../api/users",
    "http://evil.example/data/upload/1",
    "http://127.0.0.1:8080/data/upload/1",
    "http://169.254.169.254/latest/meta-data",
    "\\\\evil.example\\data\\upload",
]


@pytest.fixture
def town() -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(stack)


def failure(media: Media, value: str) -> MediaError:
    with pytest.raises(MediaError) as caught:
        media.fetch(value)
    return caught.value


def problem(media: Media, value: str) -> MediaProblem:
    return failure(media, value).problem


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            *(
                "127.0.0.1",
                "10.0.0.1",
                "172.16.0.1",
                "192.168.1.1",
                "169.254.169.254",
                "100.64.0.1",
                "0.0.0.0",
            ),
            *(
                "192.0.0.9",
                "192.0.0.192",
                "198.18.0.1",
                "192.0.2.1",
                "224.0.0.1",
                "239.1.1.1",
                "255.255.255.255",
            ),
            *(
                "168.63.129.16",
                "::",
                "::1",
                "::127.0.0.1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "64:ff9b::7f00:1",
            ),
            *(
                "0",
                "64:ff9b::a00:1",
                "64:ff9b:1::1",
                "100::1",
                "2001::1",
                "2001:db8::1",
                "2002:7f00:1::1",
                "2002:808:808::1",
            ),
            *("fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "5f00::1"),
        ],
    )
    def test_not_of_the_internet(self, address):
        assert not is_public(address)

    @pytest.mark.parametrize(
        "address",
        ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
    )
    def test_of_the_internet(self, address):
        assert is_public(address)

    @given(st.ip_addresses(v=4))
    def test_ipv4_in_ipv6_is_judged_alike(self, address):
        assert is_public(f"::ffff:{address}") == is_public(str(address))
        assert is_public(f"64:ff9b::{address}") == is_public(str(address))

    @pytest.mark.parametrize(
        "host",
        ["localhost", "127.1", "2130706433", "0x7f000001", "017700000001", "[::1]", "0", "[::]"],
    )
    def test_every_spelling_of_this_machine_is_refused(self, town, host):
        media = town.media(hosts=("*",), network=Network())
        assert problem(media, f"http://{host}:{town.images.port}/cat.png") in {
            MediaProblem.PRIVATE_ADDRESS,
            MediaProblem.UNREACHABLE,  # Not every resolver knows every spelling.
        }
        assert town.images.requests == []

    def test_the_one_checked_is_the_one_connected_to(self, town):
        town.network.names["images.example"] = [[Town.IMAGES], ["127.0.0.1"]]
        media = town.media(hosts=("images.example",))
        value = f"http://images.example:{town.studio.port}/cat.png"
        assert media.fetch(value) == b"cat"
        assert town.network.looked_up == ["images.example"]
        assert town.network.connected == [Town.IMAGES]
        # The connection is kept; a new one is checked anew.
        town.images.answers["/other.png"] = content(b"cat", Connection="close")
        media.fetch(value.replace("cat", "other"))
        media.close()
        assert problem(town.media(hosts=("images.example",)), value) == MediaProblem.PRIVATE_ADDRESS
        assert town.network.connected == [Town.IMAGES]
        assert town.studio.requests == []

    def test_only_the_public_ones_of_a_host_are_tried(self, town):
        town.network.names["images.example"] = [["127.0.0.1", "10.0.0.1", Town.IMAGES]]
        media = town.media(hosts=("images.example",))
        assert media.fetch("http://images.example/cat.png") == b"cat"
        assert town.network.connected == [Town.IMAGES]

    def test_a_dead_one_is_passed_over(self, town):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            town.network.ports["1.1.1.1"] = closed.getsockname()[1]
        town.network.names["images.example"] = [["1.1.1.1", Town.IMAGES]]
        media = town.media(hosts=("images.example",))
        assert media.fetch("http://images.example/cat.png") == b"cat"
        assert town.network.connected == ["1.1.1.1", Town.IMAGES]

    def test_a_host_without_any_is_unreachable(self, town):
        town.network.names["images.example"] = [[]]
        media = town.media(hosts=("images.example",))
        assert problem(media, "http://images.example/cat.png") == MediaProblem.UNREACHABLE

    def test_no_way_leads_our_key_elsewhere_or_us_inside(self):
        network = Scripted()
        policy = MediaPolicy(hosts=("*",))

        @given(st.lists(st.sampled_from(WAYS), min_size=1, max_size=7))
        def check(ways: list[str]) -> None:
            network.sent.clear()
            network.answers = [moved(way) for way in ways[1:]]
            media.fetch_all(ways[:1])
            for address, port, request in network.sent:
                assert is_public(address)
                if b"0123456789abcdef" in request:
                    assert port == 8080
                    assert b"Host: studio.example:8080\r\n" in request
                    assert request.startswith(b"GET /data/upload/")

        with Media("http://studio.example:8080", lambda: Town.KEY, policy, None, network) as media:
            check()


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path, monkeypatch):
        """Of images.example, trusted by itself."""
        if shutil.which("openssl") is None:
            pytest.skip("needs openssl")
        pem = tmp_path / "images.pem"
        command = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
        subject = "-subj /CN=images.example -addext subjectAltName=DNS:images.example"
        subprocess.run(
            [*command.split(), *subject.split(), "-keyout", pem, "-out", tmp_path / "c.pem"],
            check=True,
            capture_output=True,
        )
        pem.write_text(pem.read_text() + (tmp_path / "c.pem").read_text())
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c.pem"))
        trusted_certificates.cache_clear()
        yield pem
        trusted_certificates.cache_clear()

    def test_is_about_the_name_though_the_address_was_connected_to(self, town, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        asked: list[str | None] = []
        context.sni_callback = lambda _, name, __: asked.append(name)
        town.bucket.use_tls(context)
        town.network.names["images.example"] = [[Town.BUCKET]]
        media = town.media(hosts=("*",))
        assert media.fetch("https://images.example/cat.png") == b"stored cat"
        assert asked == ["images.example"]
        error = failure(media, "https://bucket.example/cat.png")
        assert error.problem == MediaProblem.UNREACHABLE
        assert "certificate" in str(error)
        assert asked == ["images.example", "bucket.example"]
        assert len(town.bucket.requests) == 1
