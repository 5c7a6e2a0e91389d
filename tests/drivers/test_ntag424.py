"""Signed taps: the ciphers against published values, every public vector in full, and nothing that is forged or bent."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from device_drivers.driver import DeviceSettings, Readings
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.ndef.device import uri_message
from device_drivers.ntag424.aes import Aes
from device_drivers.ntag424.decoder import Ntag424Decoder
from device_drivers.ntag424.device import encrypted_url, plain_url
from device_drivers.ntag424.keys import shared_key, tag_key
from device_drivers.ntag424.lrp import Lrp
from device_drivers.ntag424.message import read_url
from device_drivers.ntag424.record import DRIVERS
from device_drivers.ntag424.settings import settings_of
from device_drivers.ntag424.verification import Keys, Verifier
from device_drivers.observations import TagRead

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
META, FILE, UID = bytes(range(16)), bytes(range(1, 17)), bytes.fromhex("04112233445566")
OWN = {"meta_key": META.hex(), "file_key": FILE.hex()}
VECTORS = os.environ.get("LAMPLIGHTER_TEST_VECTORS")
KEYS = st.binary(min_size=16, max_size=16)


def vectors(wanted: str) -> list[dict[str, Any]]:
    if not VECTORS:
        return []
    every = json.loads(Path(VECTORS).read_text(encoding="utf-8"))
    return [each for each in every if each["format"].startswith(wanted)]


def tap(url: str | bytes, **settings: Any) -> TagRead:
    make = DRIVERS[0].message_decoder
    assert make is not None
    payload = url if isinstance(url, bytes) else url.encode()
    (reading,) = make("s", DeviceSettings(id="phone-1", settings=settings or OWN)).decode("", payload, NOW)
    assert isinstance(reading.observation, TagRead)
    return reading.observation


def taps(payload: bytes) -> tuple[list[int | None], int]:
    """The counters of the taps in one message, and how many rejects stand beside them."""
    make = DRIVERS[0].message_decoder
    assert make is not None
    found = make("s", DeviceSettings(id="phone-1", settings=OWN)).decode("", payload, NOW)
    rejects = found.rejects if isinstance(found, Readings) else ()
    return [each.observation.counter for each in found if isinstance(each.observation, TagRead)], len(rejects)


SEVENTH, EIGHTH = (encrypted_url(UID, counter, meta_key=META, file_key=FILE) for counter in (7, 8))
FORGED = EIGHTH[:-1] + ("0" if EIGHTH[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (SEVENTH, EIGHTH, ([7, 8], 0)),
        (SEVENTH, SEVENTH, ([7], 0)),
        (SEVENTH, FORGED, ([7], 1)),
        (FORGED, SEVENTH, ([7], 1)),
    ],
    ids=["both", "same", "forged-behind", "forged-before"],
)
def test_each_of_several_urls_in_a_message_is_a_tap(first: str, second: str, wanted: tuple[list[int], int]) -> None:
    assert taps(f"{first}\r\n{second}\r\n".encode()) == wanted
    assert taps(uri_message(first) + uri_message(second)) == wanted
    records = bytearray(uri_message(first) + uri_message(second))
    records[0] &= 0xBF
    records[len(uri_message(first))] &= 0x7F
    assert taps(bytes(records)) == wanted


@pytest.mark.parametrize("before", ["\ufeff", " ", "\r\n"])
def test_what_stands_before_a_url_does_not_cost_the_tap(before: str) -> None:
    assert taps((before + SEVENTH).encode()) == ([7], 0)


def test_a_tap_is_found_behind_the_address_of_an_app() -> None:
    app = uri_message("https://tap.example/app")
    assert taps(
        bytes([app[0] & 0xBF]) + app[1:] + bytes([uri_message(SEVENTH)[0] & 0x7F]) + uri_message(SEVENTH)[1:]
    ) == ([7], 0)


# -- ciphers


@given(key=KEYS, data=st.binary(max_size=100))
def test_the_cmac_is_that_of_the_library(key: bytes, data: bytes) -> None:
    theirs = CMAC(algorithms.AES(key))
    theirs.update(data)
    assert Aes(key).cmac(data) == theirs.finalize()


@pytest.mark.parametrize(
    ("key", "message", "mac"),
    [
        ("8195088CE6C393708EBBE6C7914ECB0B", "BBD5B85772C7", "AD8595E0B49C5C0DB18E77355F5AAFF6"),
        ("E2F84A0B0AF40EFEB3EEA215A436605C", "8BF1DDA9FE445560A4F4EB9CE0", "D04382DF71BC293FEC4BB10BDB13805F"),
        ("5AA9F6C6DE5138113DF5D6B6C77D5D52", "A4434D740C2CB665FE5396959189383F", "8B43ADF767E46B692E8F24E837CB5EFC"),
    ],
)
def test_the_lrp_cmac_of_an12304(key: str, message: str, mac: str) -> None:
    assert Lrp(bytes.fromhex(key)).cmac(bytes.fromhex(message)).hex().upper() == mac


def test_the_lrp_block_mode_of_an12304() -> None:
    key, counter = bytes.fromhex("E0C4935FF0C254CD2CEF8FDDC32460CF"), bytes.fromhex("C3315DBF")
    sealed = bytes.fromhex("FCBBACAA4F29182464F99DE41085266F480E863E487BAAF687B43ED1ECE0D623")
    assert Lrp(key).decrypt(sealed, counter).hex().upper() == "012D7F1653CAF6503C6AB0C1010E8CB080" + "00" * 15


@pytest.mark.parametrize(
    ("master", "uid", "number", "key"),
    [
        ("C9EB67DF090AFF47C3B19A2516680B9D", "010203040506AB", 1, "f18cdd9389d47ae7ab381e80e5ab6fe3"),
        ("C9EB67DF090AFF47C3B19A2516680B9D", "03030303030303", 2, "85f7cc459a5b4b2f5d1a5019ded61c88"),
        ("B95F4C27E3D0BC333792EA968545217F", "05050505050505", 2, "89ae686de793fdf48057ee6e78505cfc"),
        ("00" * 16, "03030303030303", 2, "00" * 16),
    ],
)
def test_keys_made_from_a_master_key(master: str, uid: str, number: int, key: str) -> None:
    assert tag_key(bytes.fromhex(master), bytes.fromhex(uid), number).hex() == key


@pytest.mark.parametrize("vector", vectors("ntag424_key_diversification"), ids=lambda vector: vector["id"])
def test_public_vectors_of_key_diversification(vector: dict[str, Any]) -> None:
    master, uid = bytes.fromhex(vector["master_key"]), bytes.fromhex(vector["uid"])
    expected = vector["expected"]
    if "derived_key" in expected:
        assert tag_key(master, uid, vector["key_no"]).hex() == expected["derived_key"].lower()
    if "undiversified_key" in expected:
        assert shared_key(master).hex() == expected["undiversified_key"].lower()


# -- messages


@pytest.mark.parametrize("vector", vectors("ntag424_sdm"), ids=lambda vector: vector["id"])
def test_public_vectors_say_all_that_they_should(vector: dict[str, Any]) -> None:
    file = bytes.fromhex(vector["file_key"])
    verifier = Verifier(Keys(bytes.fromhex(vector.get("meta_key", vector["file_key"])), file))
    if "picc_enc" in vector:
        url = f"https://x.example/?picc_data={vector['picc_enc']}&enc={vector.get('enc', '')}&cmac={vector['cmac']}"
    else:
        url = f"https://x.example/?uid={vector['uid']}&ctr={vector['read_ctr_url_be']}&cmac={vector['cmac']}"
    expected = vector["expected"]
    if vector["kind"] == "negative":
        with pytest.raises(DecodeError, match=expected["error"]):
            verifier.verify(read_url(url))
        return
    said = verifier.verify(read_url(url))
    assert said.mode == expected.get("mode", "AES").lower()
    for name, value in {
        "uid": said.uid.hex().upper(),
        "read_ctr": said.counter,
        "file_data_hex": said.file_data.hex(),
        "file_data_ascii": said.file_data.decode("latin-1"),
    }.items():
        if name in expected:
            assert value == expected[name], name


@given(
    counter=st.integers(0, 2**24 - 1),
    meta=KEYS,
    file=KEYS,
    uid=st.binary(min_size=7, max_size=7),
    blocks=st.integers(0, 3),
)
def test_what_a_tag_signs_is_read(counter: int, meta: bytes, file: bytes, uid: bytes, blocks: int) -> None:
    data = bytes(range(16)) * blocks
    url = encrypted_url(uid, counter, meta_key=meta, file_key=file, file_data=data)
    said = Verifier(Keys(meta, file)).verify(read_url(url))
    assert (said.uid, said.counter, said.file_data) == (uid, counter, data)
    said = Verifier(Keys(file, file)).verify(read_url(plain_url(uid, counter, file_key=file)))
    assert (said.uid, said.counter) == (uid, counter)


def test_a_tap_is_of_its_reception_and_carries_its_count() -> None:
    assert tap(encrypted_url(UID, 7, meta_key=META, file_key=FILE)) == TagRead(
        device="phone-1", at=NOW, tag="04112233445566", method="sun", counter=7
    )


def test_the_ndef_message_around_the_url_is_taken_too() -> None:
    url = encrypted_url(UID, 7, meta_key=META, file_key=FILE)
    assert tap(uri_message(url)) == tap(url)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (
            "start",
            "https://any.domain/?m=65628ED36888CF9C84797E43ECACF114C6ED9A5E101EB592x4ADE304B5AB9474CB40AFFCAB0607A85x87E287E8135BFC06",
        ),
    ],
)
def test_parts_that_are_not_parameters_are_not_guessed_at(place: str, url: str) -> None:
    with pytest.raises(DecodeError):
        tap(url, meta_key="00" * 16, file_key="00" * 16, mac_from=place)


@pytest.mark.parametrize(("place", "begin"), [("picc", "picc_data="), ("start", "://")])
def test_the_place_from_which_the_mac_is_taken_may_be_said(place: str, begin: str) -> None:
    url = encrypted_url(UID, 7, meta_key=META, file_key=FILE)[:-16]
    start = url.index(begin) + len(begin)
    identity = UID + (7).to_bytes(3, "little")
    session = Aes(Aes(FILE).cmac((b"\x3c\xc3\x00\x01\x00\x80" + identity).ljust(16, b"\0")))
    url += session.cmac(url[start:].encode())[1::2].hex().upper()
    assert tap(url).counter == 7
    assert tap(url, **OWN, mac_from=place).counter == 7
    with pytest.raises(DecodeError, match="CMAC"):
        tap(url, **OWN, mac_from="none")


@pytest.mark.parametrize("begin", ["https://", "?", "uid=", "&ctr=", "ctr=", "=000007", "&cmac=", "cmac="])
def test_the_mac_may_be_taken_from_wherever_a_part_of_the_url_begins(begin: str) -> None:
    url = plain_url(UID, 7, file_key=FILE)[:-16]
    start = url.index(begin) + (1 if begin.startswith("=") else 0)
    session = Aes(Aes(FILE).cmac(b"\x3c\xc3\x00\x01\x00\x80" + UID + (7).to_bytes(3, "little")))
    whole = url + session.cmac(url[start:].encode())[1::2].hex().upper()
    assert tap(whole).counter == 7
    assert tap(whole, **OWN, mac_from="parameter").counter == 7
    with pytest.raises(DecodeError, match="CMAC"):
        tap(whole.replace("ctr=000007", "ctr=000008"))
    inside = url + session.cmac(url[start + 2 :].encode())[1::2].hex().upper()
    with pytest.raises(DecodeError, match="CMAC"):
        tap(inside)


def test_a_url_of_very_many_parts_is_tried_at_a_few_places_only() -> None:
    url = plain_url(UID, 7, file_key=FILE)
    message = read_url(url.replace("?", "?" + "a=1&" * 100, 1))
    assert len(message.signed("parameter")) == 24


def test_a_tag_without_a_counter_proves_itself_but_is_no_sun_tap() -> None:
    plain = b"\x87" + UID
    picc = Aes(META).encrypt(plain.ljust(16, b"\1"))
    session = Aes(Aes(FILE).cmac((b"\x3c\xc3\x00\x01\x00\x80" + UID).ljust(16, b"\0")))
    url = f"https://x/?picc_data={picc.hex()}&cmac={session.cmac(b'')[1::2].hex()}"
    said = tap(url)
    assert (said.tag, said.method, said.counter) == (UID.hex().upper(), "nfc", None)


@given(data=st.data())
def test_no_changed_digit_passes(data: st.DataObject) -> None:
    url = encrypted_url(UID, 7, meta_key=META, file_key=FILE, file_data=bytes(16))
    places = [i for i, digit in enumerate(url) if i > url.index("?") and digit in "0123456789ABCDEF"]
    place = data.draw(st.sampled_from(places))
    other = data.draw(st.sampled_from([digit for digit in "0123456789ABCDEF" if digit != url[place]]))
    with pytest.raises(DecodeError):
        tap(url[:place] + other + url[place + 1 :])


@given(meta=KEYS, file=KEYS)
def test_a_message_made_with_other_keys_is_refused(meta: bytes, file: bytes) -> None:
    if file != FILE:
        with pytest.raises(DecodeError, match="CMAC mismatch"):
            tap(encrypted_url(UID, 7, meta_key=meta, file_key=file))


@given(url=st.text(max_size=300))
def test_any_text_is_read_or_refused(url: str) -> None:
    for prefix in ("", "https://x/?picc_data=", "https://x/?uid=04112233445566&cmac="):
        with suppress(DecodeError):
            tap((prefix + url).encode("utf-8", "surrogatepass"))


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(DecodeError):
        tap(data)
    with suppress(DecodeError):
        tap(b"http" + data)


def test_a_url_longer_than_any_tag_is_refused() -> None:
    with pytest.raises(DecodeError, match="characters"):
        tap("https://x/?cmac=" + "0" * 5000)


# -- settings and secrets


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "file_key"),
        ({"file_key": "00"}, "file_key"),
        ({"file_key": "zz" * 16}, "file_key"),
        ({"master_key": "00" * 15}, "master_key"),
        ({"file_key": "00" * 16, "mode": "des"}, "mode"),
        ({"file_key": "00" * 16, "mac_from": "end"}, "mac_from"),
        ({"file_key": "00" * 16, "parameters": {"picc": "e"}}, "parameters"),
        ({"file_key": "00" * 16, "parameters": {"cmac": "a=b"}}, "parameters"),
        ({"master_key": "00" * 16, "file_key_number": 9}, "file_key_number"),
        ({"file_key": "00" * 16, "colour": 1}, "colour"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        DRIVERS[0].check(DeviceSettings(id="p", settings=settings))
    assert caught.value.key == f"settings.{key}"


def test_a_reference_to_a_key_is_accepted_where_secrets_are_not_read_and_proves_nothing() -> None:
    settings = {"file_key": "env:SDM_FILE_KEY", "meta_key": "file:meta"}
    DRIVERS[0].check(DeviceSettings(id="p", settings=settings))
    with pytest.raises(DecodeError, match="no keys"):
        tap(encrypted_url(UID, 7, meta_key=META, file_key=FILE), **settings)


def test_a_key_of_32_decimal_digits_is_a_key() -> None:
    assert settings_of({"file_key": 12345678901234567890123456789012}).file_key == "12345678901234567890123456789012"


def test_keys_are_never_shown() -> None:
    settings = settings_of(OWN)
    for shown in (repr(settings), str(settings), repr(settings.keys()), repr(Ntag424Decoder("p", settings))):
        assert META.hex() not in shown
        assert repr(META) not in shown
    with pytest.raises(SettingsError) as caught:
        settings_of({"file_key": FILE.hex()[:-1]})
    assert FILE.hex()[:-1] not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        (OWN, False),
        ({**OWN, "meta_key": "00" * 16}, True),
        ({"file_key": "00" * 16}, True),
        ({"master_key": "00" * 16}, True),
        ({"master_key": "11" * 16}, False),
    ],
)
def test_the_factorys_key_is_warned_of(
    settings: dict[str, str], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Ntag424Decoder("phone-1", settings_of(settings))
    assert ("anybody can forge" in caplog.text) == warned
