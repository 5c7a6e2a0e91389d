"""Acknowledgements leave in receive order, each once; waits grow and stay within their bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.links.backoff import Backoff
from gateway.links.link import Token
from gateway.links.receipts import QOS_2, Receipts


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=5))
def test_whatever_the_order_of_settling_receipts_leave_in_receive_order_once(
    order: list[int], again: list[int]
) -> None:
    receipts = Receipts(epoch=3)
    tokens = {number: receipts.arrived(number * 100, 1) for number in range(1, 9)}
    left = []
    for number in [*order, *again]:
        left += receipts.settle([tokens[number], tokens[number]])
    assert left == [number * 100 for number in range(1, 9)]
    assert len(receipts) == 0


def test_a_token_of_another_connection_settles_nothing() -> None:
    receipts = Receipts(epoch=3)
    receipts.arrived(7, 1)
    assert receipts.settle([Token(2, 7)]) == []
    assert receipts.settle([Token(3, 7)]) == [7]


def test_settling_twice_does_not_settle_the_next_message_with_that_packet_id() -> None:
    receipts = Receipts(epoch=1)
    first = receipts.arrived(7, 1)
    assert receipts.settle([first, first]) == [7]
    receipts.arrived(8, 1)
    receipts.arrived(7, 1)
    assert receipts.settle([Token(1, 8)]) == [8]
    assert len(receipts) == 1


def test_qos_0_needs_no_receipt_and_qos_2_is_marked() -> None:
    receipts = Receipts(epoch=1)
    assert receipts.arrived(0, 0) == Token(1, 0)
    two = receipts.arrived(5, 2)
    assert receipts.settle([Token(1, 0), two]) == [5 | QOS_2]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=12, max_size=12))
def test_waits_double_with_jitter_up_to_their_limit(chances: list[float]) -> None:
    draws = iter(chances)
    backoff = Backoff(first_s=1, longest_s=30, chance=lambda: next(draws))
    for bound in (1, 2, 4, 8, 16, 30, 30, 30):
        assert bound / 2 <= backoff.next_s() <= bound
    backoff.reset()
    assert backoff.next_s() <= 1
