"""`lamplighter discover` against cameras on loopback."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from api.cli import main
from device_drivers.onvif.device import probe_match


@contextmanager
def a_camera(answer: Callable[[bytes], list[bytes]]) -> Iterator[str]:
    """A camera that answers to a probe at the address that is given."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera:
        camera.bind(("127.0.0.1", 0))
        camera.settimeout(0.05)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    question, peer = camera.recvfrom(65536)
                except TimeoutError:
                    continue
                for each in answer(question):
                    camera.sendto(each, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{camera.getsockname()[1]}"
        finally:
            ended.set()
            thread.join(5)


def message_id(question: bytes) -> str:
    found = re.search(rb"MessageID>([^<]+)<", question)
    assert found is not None
    return found[1].decode()


def match(question: bytes) -> list[bytes]:
    assert b"NetworkVideoTransmitter" in question
    return [probe_match("urn:uuid:42", "http://10.0.0.5/onvif/device_service", relates_to=message_id(question))]


def test_what_answers_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    with a_camera(match) as address:
        assert main(["discover", "--address", address, "--seconds", "0.6"]) == 0
    assert capsys.readouterr().out == "127.0.0.1  IPC-42  Gate East  http://10.0.0.5/onvif/device_service\n"


def test_it_can_be_had_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with a_camera(match) as address:
        main(["discover", "--address", address, "--seconds", "0.4", "--json"])
    device = json.loads(capsys.readouterr().out)
    assert device["endpoint"] == "urn:uuid:42"
    assert device["addresses"] == ["http://10.0.0.5/onvif/device_service"]


def test_answers_to_other_questions_and_nonsense_are_no_devices(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(_: bytes) -> list[bytes]:
        return [b"\x1b[31mnonsense", probe_match("urn:uuid:1", "http://10.0.0.9/", relates_to="urn:uuid:other")]

    with a_camera(answer) as address:
        assert main(["discover", "--address", address, "--seconds", "0.4"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "not XML" in output.err
    assert "nothing answered" in output.err
    assert "\x1b" not in output.err


@pytest.mark.parametrize("words", [["--address", ":80"], ["--address", "a:x"], ["--seconds", "0"]])
def test_wrong_words_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["discover", *words])
    assert refused.value.code == 2
