"""What a checker reads when a check comes near, in the site's language."""

from __future__ import annotations

from gateway.alerts import wording
from gateway.duty_checks.plan import Planned
from gateway.instants import MINUTE, moment
from gateway.site.model import DutyCheck, Site

TITLES = {"zh_CN": "查岗提醒 · {site}", "en": "Duty check · {site}"}
BODIES = {
    "zh_CN": "请于 {since}–{until} 到 {post} 查岗打卡；值守人员应在 {minutes} 分钟内打卡应答。请勿事先通知。",
    "en": "Please check {post} between {since} and {until} by tapping there; whoever is on post answers within {minutes} min. Please tell nobody.",
}


def telling(site: Site, check: DutyCheck, planned: Planned, contact: str) -> tuple[str, str]:
    """Title and text of the word to the checker, in the language of his contact."""
    language = wording.language_of(site, contact)
    zone = site.zone_info
    words = {
        "site": site.name,
        "post": wording.name(site, planned.post, language),
        "since": moment(planned.at - check.told, zone).strftime("%H:%M"),
        "until": moment(planned.at + check.checker_within, zone).strftime("%H:%M"),
        "minutes": check.guard_within // MINUTE,
    }
    return TITLES[language].format(**words), BODIES[language].format(**words)
