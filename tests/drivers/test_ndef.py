"""Contents of NFC tags: what is taken, what is refused, and what names a tag."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.driver import DeviceSettings, Readings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.ndef.decoder import digest
from device_drivers.ndef.device import block, text_message, uri_message
from device_drivers.ndef.record import DRIVERS
from device_drivers.ndef.records import Text, Uri, read_message
from device_drivers.ntag424.device import encrypted_url, plain_url
from device_drivers.observations import TagRead
from device_drivers.phone.decoder import tag_of

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
META, FILE, UID = bytes(range(16)), bytes(range(1, 17)), bytes.fromhex("04112233445566")


def tag(payload: bytes, **settings: Any) -> str | None:
    make = DRIVERS[0].message_decoder
    assert make is not None
    found = make("s", DeviceSettings(id="phone-1", settings=settings)).decode("", payload, NOW)
    assert all(isinstance(each.observation, TagRead) for each in found)
    return found[0].observation.tag if found else None  # type: ignore[union-attr]


URIS = st.from_regex(r"https?://(www\.)?[a-z]{1,12}\.cn/[a-z0-9/]{0,30}(\?[a-z]=[a-z0-9]{1,9})?", fullmatch=True)


@given(uri=URIS)
def test_a_uri_is_read_however_it_is_passed(uri: str) -> None:
    message = uri_message(uri)
    payload = message[message.index(b"U") + 1 :]
    for passed in (message, block(message), message.hex().encode(), payload, uri.encode(), block(message) + bytes(9)):
        assert read_message(passed) == [Uri(uri)]


GATE, YARD = "https://tap.example/t?uid=04A1B2C3D4E580", "https://tap.example/t?uid=04A1B2C3D4E581"
DAMAGED = bytes.fromhex("d101045524616263")


def taps(payload: bytes, **settings: Any) -> tuple[list[str], int]:
    """The tags of one message, and how many rejects stand beside them."""
    make = DRIVERS[0].message_decoder
    assert make is not None
    found = make("s", DeviceSettings(id="phone-1", settings=settings)).decode("", payload, NOW)
    rejects = found.rejects if isinstance(found, Readings) else ()
    assert all(reject.data == payload for reject in rejects)
    return [each.observation.tag for each in found if isinstance(each.observation, TagRead)], len(rejects)


@pytest.mark.parametrize("between", ["\n", "\r\n", "\r\n\r\n"])
def test_each_line_that_is_a_url_is_a_tap(between: str) -> None:
    lines = (GATE + between + YARD + between + GATE + between).encode()
    assert taps(lines) == (["04A1B2C3D4E580", "04A1B2C3D4E581"], 0)
    assert taps(lines + b"hello") == (["04A1B2C3D4E580", "04A1B2C3D4E581"], 1)


@pytest.mark.parametrize("before", [b" ", b"\r\n", b"\t", b"\xef\xbb\xbf"])
def test_what_stands_before_a_url_makes_no_other_tag_of_it(before: bytes) -> None:
    assert tag(before + b"https://tap.example/gate") == digest("https://tap.example/gate")


@pytest.mark.parametrize(
    "payload",
    [uri_message(GATE) + DAMAGED, DAMAGED + uri_message(GATE), uri_message(GATE) + uri_message(YARD)[:9]],
    ids=["before", "behind", "cut"],
)
def test_a_tap_is_kept_beside_a_message_that_cannot_be_read(payload: bytes) -> None:
    assert taps(payload) == (["04A1B2C3D4E580"], 1)
    assert taps(payload) == (["04A1B2C3D4E580"], 1)


def test_a_signed_tap_is_kept_beside_one_that_is_forged() -> None:
    sun = {"meta_key": META.hex(), "file_key": FILE.hex()}
    good, other = (encrypted_url(UID, counter, meta_key=META, file_key=FILE) for counter in (7, 8))
    forged = other[:-1] + ("0" if other[-1] != "0" else "1")
    for first, second in ((good, forged), (forged, good)):
        assert taps(f"{first}\n{second}".encode(), sun=sun) == ([UID.hex()], 1)
        assert taps(uri_message(first) + uri_message(second), sun=sun) == ([UID.hex()], 1)


@given(text=st.text(min_size=1, max_size=60), language=st.sampled_from(["en", "zh", "zh-Hans"]))
def test_a_text_is_read(text: str, language: str) -> None:
    assert read_message(text_message(text, language)) == [Text(text, language)]


def test_a_text_in_utf_16_is_read() -> None:
    payload = b"\x82zh" + "南门".encode("utf-16")
    assert read_message(b"\xd1\x01" + bytes([len(payload)]) + b"T" + payload) == [Text("南门", "zh")]


@pytest.mark.parametrize("text", ["04A1B2C3D4E5F6", "南门", "ß Südtor"])
def test_a_text_in_utf_16_without_a_mark_of_its_byte_order_is_big_endian(text: str) -> None:
    payload = b"\x82zh" + text.encode("utf-16-be")
    record = b"T" + payload
    assert read_message(b"\xd1\x01" + bytes([len(payload)]) + record) == [Text(text, "zh")]
    for mark, order in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")):
        marked = b"\x82zh" + mark + text.encode(order)
        assert read_message(b"\xd1\x01" + bytes([len(marked)]) + b"T" + marked) == [Text(text, "zh")]
    inner = (
        b"\x91\x01" + bytes([len(payload)]) + record + b"\x51" + uri_message("https://tap.example/t?tag=04A1B2C3")[1:]
    )
    assert read_message(b"\xd1\x02" + bytes([len(inner)]) + b"Sp" + inner) == [
        Uri("https://tap.example/t?tag=04A1B2C3")
    ]


def test_a_smart_poster_gives_its_url() -> None:
    inner = uri_message("https://tap.example/t?tag=04A1B2C3")
    assert read_message(b"\xd1\x02" + bytes([len(inner)]) + b"Sp" + inner) == [
        Uri("https://tap.example/t?tag=04A1B2C3")
    ]


@pytest.mark.parametrize("before", ["0103A00C34", "0103A0104400", "0203F03033", "00", "0103A00C340203F03033"])
def test_the_message_in_a_memory_is_read_behind_what_a_tag_has_from_the_factory(before: str) -> None:
    memory = bytes.fromhex(before) + block(uri_message("https://tap.example/t?tag=04A1B2C3")) + bytes(9)
    assert read_message(memory) == [Uri("https://tap.example/t?tag=04A1B2C3")]
    assert tag(memory.hex().encode()) == "04A1B2C3"


@pytest.mark.parametrize("memory", ["0103A00C340300FE", "0300FE", "0300", "0103A0104403000000000000"])
def test_a_tag_on_which_nothing_is_written_is_refused_in_words(memory: str) -> None:
    with pytest.raises(DecodeError, match="nothing is written on this tag"):
        read_message(bytes.fromhex(memory))


@pytest.mark.parametrize("code", range(0x24))
def test_a_bare_uri_of_digits_only_is_not_taken_for_hexadecimal(code: int) -> None:
    (found,) = read_message(bytes([code]) + b"123456")
    assert isinstance(found, Uri)
    assert found.uri.endswith("123456")


@pytest.mark.parametrize("mark", ["", " ", ":", "-"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", " "])
def test_a_message_in_hexadecimal_is_read_with_marks_between_its_octets_and_a_line_end(mark: str, end: str) -> None:
    message = uri_message("https://tap.example/t?tag=04A1B2C3")
    sent = message.hex(mark) if mark else message.hex()
    assert tag((sent.upper() + end).encode()) == "04A1B2C3"


def test_glued_messages_of_two_tags_are_two_taps_and_of_one_tag_one() -> None:
    def tags(*urls: str) -> list[str]:
        make = DRIVERS[0].message_decoder
        assert make is not None
        sun = {"meta_key": META.hex(), "file_key": FILE.hex()}
        payload = b"".join(uri_message(url) for url in urls)
        found = make("s", DeviceSettings(id="phone-1", settings={"sun": sun})).decode("", payload, NOW)
        return [each.observation.tag for each in found if isinstance(each.observation, TagRead)]

    gate, roof = "https://tap.example/t/04A1B2C3D40001", "https://tap.example/t?uid=04A1B2C3D40002"
    signed = encrypted_url(UID, 7, meta_key=META, file_key=FILE)
    assert tags(gate, roof) == ["04A1B2C3D40001", "04A1B2C3D40002"]
    assert tags(gate, gate) == ["04A1B2C3D40001"]
    assert tags(signed, signed) == [UID.hex().upper()]
    assert tags(gate, signed, roof) == ["04A1B2C3D40001", UID.hex().upper(), "04A1B2C3D40002"]


def test_an_empty_record_before_a_text_or_url_hides_neither() -> None:
    empty, record = text_message(""), uri_message("https://tap.example/gate")
    message = bytes([empty[0] & ~0x40]) + empty[1:] + bytes([record[0] & ~0x80]) + record[1:]
    assert read_message(message) == [Text("", "en"), Uri("https://tap.example/gate")]
    assert tag(message) == digest("https://tap.example/gate")


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("https://console.example/t/04A1B2C3D40001", "04A1B2C3D40001"),
        ("https://console.example/lamps/t/04:a1:b2:c3:d4:00:01?from=wall#x", "04A1B2C3D40001"),
        ("https://console.example/t/04%3AA1%3AB2%3AC3%3AD4%3A00%3A01", "04A1B2C3D40001"),
        ("https://console.example/t/gate-3?uid=04A1B2C3D40001", "04A1B2C3D40001"),
        ("https://console.example/x?uid=04%3AA1%3AB2%3AC3%3AD4%3A00%3A01", "04A1B2C3D40001"),
        ("https://console.example/t/gate-3", None),
        ("https://console.example/04A1B2C3D40001", None),
        ("https://console.example/t/[", None),
        ("https://[/t/04A1B2C3D40001", None),
    ],
)
def test_a_url_names_the_same_tag_to_a_reader_as_to_a_phone(url: str, number: str | None) -> None:
    assert tag(uri_message(url)) == (number or digest(url))
    assert tag_of(url) == (number or digest(url))


@pytest.mark.parametrize("code", range(0x24))
def test_every_prefix_of_a_bare_uri_is_known_and_none_behind(code: int) -> None:
    assert len(read_message(bytes([code]) + b"a:b.cn/x")) == 1
    assert len(read_message(b"\xd1\x01\x09U" + bytes([code]) + b"a:b.cn/x")) == 1


@pytest.mark.parametrize("code", [0x24, 0x25, 0x3F, 0x7F])
def test_a_prefix_that_does_not_exist_is_refused_by_number(code: int) -> None:
    with pytest.raises(DecodeError, match=f"{code} is out of range"):
        read_message(bytes([code]) + b"a:b.cn/x")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("19", "underflow"),
        ("1101075402656e54455854", "MB flag"),
        ("5101075402656e54455854", "MB flag"),
        ("9101075402656e54455854", "ME flag"),
        ("9101075402656e544558549101075402656e54455854", "MB flag set in middle"),
        ("d70000", "TNF"),
        ("d101ff54", "underflow"),
        ("d1010154ff", "language"),
        ("d1010455046e66ff", "^URI record: .*UTF-8"),
        ("d101065402656eff8081", "^text record: .*UTF-8"),
        ("d10103543f6565", "^text record: language code length exceeds payload"),
        ("c101ffffffff54", "octets"),
        ("d00100", "TYPE_LENGTH"),
        ("d10000", "TYPE_LENGTH"),
        ("", "empty"),
        ("00", "underflow"),
        ("100000", "MB flag"),
        ("04", "underflow"),
        ("f1010754026565454558544500", "CF flag"),
        ("ffffffff", "TNF"),
    ],
)
def test_what_is_no_message_is_refused(message: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        read_message(bytes.fromhex(message))


def test_empty_and_unknown_records_are_understood_and_name_no_tag() -> None:
    assert tag(bytes.fromhex("900000100000500000")) is None
    assert tag(b"\xd2\x0a\x03text/plainabc") is None


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("https://tap.example/t?tag=04A1B2C3", "04A1B2C3"),
        ("https://tap.example/t?uid=04:a1:b2:c3:d4:e5:f6", "04A1B2C3D4E5F6"),
        ("https://tap.example/t?uid=04A1B2C3D4E5F6x00001A", "04A1B2C3D4E5F6"),
        ("https://tap.example/t?x=1&id=04A1B2C3#id=9", "04A1B2C3"),
        ("https://tap.example/t?id=12", None),
        ("https://tap.example/gate", None),
    ],
)
def test_what_names_a_tag_in_a_url(written: str, named: str | None) -> None:
    assert tag(uri_message(written)) == (named or digest(written))


def test_the_number_counts_more_than_a_text_before_it() -> None:
    first = text_message("南门", "zh")
    number = uri_message("https://tap.example/t?tag=04A1B2C3")
    glued = bytes([first[0] & 0xBF]) + first[1:] + bytes([number[0] & 0x7F]) + number[1:]
    assert tag(glued) == "04A1B2C3"


def test_the_same_content_has_the_same_tag_and_another_has_another() -> None:
    assert tag(text_message("gate")) == tag(text_message("gate")) != tag(text_message("roof"))
    assert len(digest("gate")) == 16


@pytest.mark.parametrize(
    "make", [lambda: encrypted_url(UID, 9, meta_key=META, file_key=FILE), lambda: plain_url(UID, 9, file_key=FILE)]
)
def test_a_signed_url_is_verified_or_refused_never_taken_for_a_plain_one(make: Any) -> None:
    message = uri_message(make())
    with pytest.raises(DecodeError, match="no keys"):
        tag(message)
    keys = {"meta_key": META.hex(), "file_key": FILE.hex()}
    assert tag(message, sun=keys) == UID.hex().upper()
    with pytest.raises(DecodeError, match="CMAC"):
        tag(message, sun={**keys, "file_key": META.hex()})


def test_a_signed_url_that_is_shown_again_is_verified_again() -> None:
    make = DRIVERS[0].message_decoder
    assert make is not None
    decoder = make("s", DeviceSettings(id="p", settings={"sun": {"meta_key": META.hex(), "file_key": FILE.hex()}}))
    message = uri_message(encrypted_url(UID, 9, meta_key=META, file_key=FILE))
    assert decoder.decode("", message, NOW) == decoder.decode("", message, NOW)
    assert decoder.decode("", message, NOW)[0].observation.counter == 9  # type: ignore[union-attr]


@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(DecodeError):
        tag(data)


@given(data=st.data(), uri=URIS)
def test_a_damaged_message_is_read_or_refused(data: st.DataObject, uri: str) -> None:
    damaged = bytearray(data.draw(st.sampled_from([uri_message(uri), block(uri_message(uri)), text_message(uri)])))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged)))
        damaged[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    with suppress(DecodeError):
        tag(bytes(damaged))


def test_a_message_longer_than_any_tag_is_refused() -> None:
    with pytest.raises(DecodeError, match="more than a tag holds"):
        tag(bytes(10_000))


@pytest.mark.parametrize(
    ("key", "value"),
    [("parameters", "tag"), ("parameters", []), ("parameters", [1]), ("sun", "x"), ("colour", 1)],
)
def test_settings_that_cannot_be_used_are_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        DRIVERS[0].check(DeviceSettings(id="p", settings={key: value}))
    assert caught.value.key == f"settings.{key}"


def test_a_key_inside_sun_is_refused_by_its_whole_name() -> None:
    with pytest.raises(SettingsError) as caught:
        DRIVERS[0].check(DeviceSettings(id="p", settings={"sun": {"file_key": "abc"}}))
    assert caught.value.key == "settings.sun.file_key"
    assert "abc" not in str(caught.value)
