"""Why a link is down is said in the reader's language."""

from __future__ import annotations

from gateway.alerts.link_words import LINK_WORDS
from gateway.alerts.wording import message
from gateway.links import broker_address, hid_link, listening, serial_port, web_client
from tests.alerts.watch import SITE


def said() -> set[str]:
    tables = (serial_port.WORDS, hid_link.WORDS, listening.WORDS, broker_address.REFUSALS)
    found = {sentence for table in tables for row in table.values() for sentence in row}
    troubles = [each for each in vars(web_client).values() if isinstance(each, web_client.Trouble)]
    troubles += web_client._BY_ERRNO.values()
    return found | {sentence for each in troubles for sentence in (each.reason, each.hint) if sentence}


def test_each_reason_and_hint_of_a_link_has_its_words_in_chinese():
    assert said() - LINK_WORDS.keys() == set()


def test_the_alert_of_a_link_gives_the_reason_in_the_reader_s_language():
    details = {"reason": "no such port"}
    assert "：没有这个端口。" in message(SITE, "link_down", "lamp-1", details, "zh_CN")
    assert ": no such port." in message(SITE, "link_down", "lamp-1", details, "en")
