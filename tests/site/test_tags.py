"""One card, many ways to write its number (site.md, Tag identity)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.site.tags import TagIndex, parse_tag


@pytest.mark.parametrize(
    ("typed", "tag"),
    [
        ("0008075634", "007B3972"),
        ("dec:0008075634", "007B3972"),
        ("12314706", "7B3972"),
        ("123,14706", "7B3972"),
        ("dec:123,14706", "7B3972"),
        ("1,2", "010002"),
        ("hex:12345678", "12345678"),
        ("HEX:12 34-56:78", "12345678"),
        ("04A1B2C3D4E5F6", "04A1B2C3D4E5F6"),
        ("04:a1:b2:c3:d4:e5:f6", "04A1B2C3D4E5F6"),
        ("04-a1-b2 c3", "04A1B2C3"),
        ("0C007B3972", "0C007B3972"),
        ("4294967295", "FFFFFFFF"),
        ("dec:8075634", "007B3972"),
        ("dec:1099511627775", "FFFFFFFFFF"),
        ("123456", "123456"),
        (" 0008075634 ", "007B3972"),
    ],
)
def test_a_typed_number_is_the_bytes_of_its_card(typed, tag):
    assert parse_tag(typed) == tag


@pytest.mark.parametrize(
    "typed",
    ["", "hex:", "dec:", "123", "XYZ1", "4294967296", "25600001", "256,1", "1,65536", "12,34,56", "dec:12AB", "00" * 33, "１２３４５６７８９０", "dec:" + "9" * 65],
)  # fmt: skip
def test_what_is_no_tag_is_refused_with_what_would_be(typed):
    with pytest.raises(ValueError, match="is not a tag"):
        parse_tag(typed)


@given(st.text(max_size=40))
def test_any_text_is_whole_bytes_or_refused(text):
    try:
        tag = parse_tag(text)
    except ValueError:
        return
    assert bytes.fromhex(tag).hex().upper() == tag
    assert parse_tag(f"hex:{tag}") == tag


@given(st.integers(0, 0xFFFF_FFFF))
def test_a_printed_number_ends_with_its_facility_and_number(value):
    low = value & 0xFF_FFFF
    short = parse_tag(f"{low >> 16:03d},{low & 0xFFFF:05d}")
    assert parse_tag(f"{value:010d}").endswith(short)
    assert parse_tag(f"{low >> 16:03d}{low & 0xFFFF:05d}") == short


def test_a_reader_may_give_more_bytes_than_the_list():
    assert TagIndex([("7B3972", "wang")]).find("0C007B3972") == "wang"


def test_a_reader_may_give_fewer_bytes_than_the_list():
    assert TagIndex([("0C007B3972", "wang")]).find("7B3972") == "wang"


def test_an_end_of_two_bytes_is_too_common():
    assert TagIndex([("0C007B3972", "wang")]).find("3972") is None
    assert TagIndex([("3972", "wang")]).find("0C007B3972") is None


def test_two_enrolled_tags_that_fit_are_nobody():
    index = TagIndex([("0C007B3972", "wang"), ("0D007B3972", "li")])
    assert index.find("7B3972") is None
    assert index.find("0D007B3972") == "li"
    assert TagIndex([("7B3972", "wang"), ("007B3972", "li")]).find("0C007B3972") is None


def test_an_equal_tag_wins_over_one_that_fits():
    index = TagIndex([("7B3972", "wang"), ("0C007B3972", "li")])
    assert index.find("7B3972") == "wang"
    assert index.find("0C007B3972") == "li"


def test_half_a_byte_is_no_end():
    assert TagIndex([("0A1B2C3D", "wang")]).find("5A1B2C3D") is None


def test_an_unknown_tag_is_nobodys():
    assert TagIndex([("7B3972", "wang")]).find("AAAAAAAA") is None
    assert TagIndex[str]().find("AAAAAAAA") is None


def test_one_tag_has_one_owner():
    with pytest.raises(ValueError, match="enrolled twice"):
        TagIndex([("7B3972", "wang"), ("7B3972", "li")])
    assert TagIndex([("7B3972", "wang"), ("7B3972", "wang")]).find("7B3972") == "wang"


tags = st.binary(min_size=2, max_size=6).map(lambda data: data.hex().upper())
near = st.lists(st.sampled_from(("00", "7B", "39", "72")), min_size=2, max_size=6).map("".join)


@given(st.sets(tags | near, max_size=8), tags | near)
def test_find_is_the_rule_as_written(enrolled, tag):
    def fits(one: str, other: str) -> bool:
        short, long = sorted((one, other), key=len)
        return one == other or (len(short) >= 6 and long.endswith(short))

    fitting = [other for other in enrolled if fits(tag, other)]
    expected = tag if tag in enrolled else fitting[0] if len(fitting) == 1 else None
    assert TagIndex((other, other) for other in enrolled).find(tag) == expected


def test_a_full_width_digit_in_a_number_is_named() -> None:
    with pytest.raises(ValueError, match="type `8` instead of the full-width `８`"):
        parse_tag("000８075634")
