"""Taps made of reads as they come are those made of all of them at once, and cost no more the longer a card lies on its reader."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.instants import SECOND
from gateway.rules.clocks import UNMEASURED, Correction
from gateway.rules.intervals import BEGINNING, END
from gateway.rules.taps import Owner, Read, Reads
from gateway.site.tags import TagIndex

TAGS: TagIndex[Owner] = TagIndex([("0001AAAA", Owner(person="wang")), ("0001BBBB", Owner(person="li"))])
PEOPLE = {"wang", "li"}

READS = st.lists(
    st.builds(
        lambda at, tag, boot, late: Read(at * SECOND, boot, at, tag, (at + late) * SECOND, ""),
        st.integers(0, 200),
        st.sampled_from(["0001AAAA", "0001BBBB", "0001CCCC"]),
        st.sampled_from(["a", "a", "b"]),
        st.integers(0, 30),
    ),
    max_size=40,
)


def fixed() -> Reads:
    return Reads("rdr", "gate", portable=False, login=False, own_clock=True)


def corrected(_: Read) -> Correction:
    return UNMEASURED


@settings(max_examples=300)
@given(READS)
def test_as_they_come_or_all_at_once(reads: list[Read]) -> None:
    one, taps = fixed(), set()
    for read in reads:
        if one.add(read):
            gone, come = one.derive(read.at, read.at, TAGS, PEOPLE, corrected)
            assert gone <= taps
            taps = (taps - gone) | come
    whole = fixed()
    for read in reads:
        whole.add(read)
    _, wanted = whole.derive(BEGINNING, END, TAGS, PEOPLE, corrected)
    assert taps == wanted
    assert set(one.loose) == set(whole.loose)


def test_a_card_that_lies_on_the_reader_costs_as_much_after_a_night_as_after_a_minute() -> None:
    reads, asked = fixed(), [0]

    def counted(read: Read) -> Correction:
        asked[0] += 1
        return UNMEASURED

    for second in range(5000):
        at = second * SECOND
        reads.add(Read(at, "a", second, "0001AAAA", at, ""))
        reads.derive(at, at, TAGS, PEOPLE, counted)
    assert asked[0] < 5000 * 62
