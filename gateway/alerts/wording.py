"""What people read: an alert's message, and the title and text of a notice, in the site's language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, get_args

from gateway.alerts.alert import Alert
from gateway.alerts.catalogue import rule_of
from gateway.alerts.link_words import LINK_WORDS
from gateway.instants import told_s
from gateway.site.model import Severity, Site

Language = Literal["zh_CN", "en"]
Detail = str | int | float | list[str]
NoticeKind = Literal["raised", "escalated", "reminder", "resolved", "retracted", "corrected", "merged"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

CORRECTED = "corrected"
"""Why an alert's history has a row where evidence withdrew a part of it."""

LISTED = 6
"""Of a longer list only so many are named in a message, and the rest counted."""

SEVERITIES: dict[Language, dict[Severity, str]] = {
    "zh_CN": {"critical": "紧急", "major": "重要", "minor": "次要", "warning": "提示"},
    "en": {"critical": "CRITICAL", "major": "Major", "minor": "Minor", "warning": "Warning"},
}

KINDS: dict[Language, dict[NoticeKind, str]] = {
    "zh_CN": {
        "raised": "{severity}报警：{title}",
        "escalated": "{severity}报警未处理（第 {level} 级）：{title}",
        "reminder": "{severity}报警仍未恢复：{title}",
        "resolved": "已恢复：{title}",
        "retracted": "撤回：{title}",
        "corrected": "更正：{title}",
        "merged": "已并入上级原因：{title}",
    },
    "en": {
        "raised": "{severity}: {title}",
        "escalated": "{severity}, nobody has answered (level {level}): {title}",
        "reminder": "{severity}, and it still stands: {title}",
        "resolved": "Resolved: {title}",
        "retracted": "Withdrawn: {title}",
        "corrected": "Corrected: {title}",
        "merged": "Part of a larger fault: {title}",
    },
}

CLOSINGS: dict[Language, dict[NoticeKind, str]] = {
    "zh_CN": {
        "raised": "开始 {raised}。",
        "escalated": "开始 {raised}，至今无人确认。",
        "reminder": "开始 {raised}，已持续 {lasted}，{standing}。",
        "resolved": "{raised} 开始，{ended} 结束（{by}）。",
        "retracted": "此前通知的内容经新证据证明不成立，现予撤回；原通知：{message}",
        "corrected": "此前通知的 {withdrawn} 经新证据证明不成立，现予撤回；其余不变。",
        "merged": "原因见 {cause}，不再单独通知。",
    },
    "en": {
        "raised": "Since {raised}.",
        "escalated": "Since {raised}; nobody has acknowledged it.",
        "reminder": "Since {raised}, {lasted} by now; {standing}.",
        "resolved": "Began {raised}, ended {ended} ({by}).",
        "retracted": "New evidence shows that this never was, and it is withdrawn. We had told you: {message}",
        "corrected": "New evidence withdraws what we had told you of {withdrawn}; the rest stands.",
        "merged": "See {cause}; it is not told separately any more.",
    },
}

STANDINGS: dict[Language, dict[str, str]] = {
    "zh_CN": {"open": "无人确认", "acknowledged": "已确认，尚未开始处理", "in_progress": "处理中"},
    "en": {"open": "nobody has acknowledged it", "acknowledged": "acknowledged, no work begun", "in_progress": "work is under way"},
}  # fmt: skip
"""What a reminder says of the state of an alert."""

CODES: dict[str, tuple[str, str]] = {
    # causes of what cannot be judged (rounds.md, Verdicts; lighting.md, State)
    "gateway_down": ("网关停机", "gateway down"),
    "reader_clock": ("读卡器时钟不可信", "reader's clock not to be trusted"),
    "reader_gap": ("读卡器记录有缺口", "gap in the reader's record"),
    "reader_offline": ("读卡器离线", "reader offline"),
    "no_reader": ("无可用读卡器", "no reader heard"),
    "awaiting_reader": ("等待读卡器数据", "awaiting the reader"),
    "never_heard": ("从未上线", "never heard"),
    "stale": ("数据过时", "data too old"),
    "sensor_stuck": ("传感器卡死", "sensor stuck"),
    "no_proof": ("无有效证据", "nothing proves it"),
    "rejudging": ("重新判定中", "being judged anew"),
    # counts of signed tags (gateway/rules/counters.py)
    "counter_replayed": ("同一计数再次出现", "the same count was shown again"),
    "counter_jumped": ("计数大幅跳跃", "its count jumped"),
    # impairments of cameras and devices (cameras.md)
    "service_dead": ("服务无响应", "service dead"),
    "unreachable": ("网络不通", "unreachable"),
    "loss": ("视频丢失", "video loss"),
    "blind": ("遮挡", "covered"),
    "frozen": ("画面冻结", "frozen"),
    "moved": ("场景变更", "moved"),
    "defocused": ("失焦", "out of focus"),
    "not_recording": ("未录像", "not recording"),
    "storage_fault": ("存储故障", "storage fault"),
    "reported_fault": ("自报故障", "fault reported"),
    "no_enabled_camera": ("无启用的摄像机", "no camera in service"),
}
"""Codes of the rules as people say them: Chinese, English."""

DURATIONS = frozenset({"length", "at_most"})
"""Details that are durations, in seconds."""

_OPTIONAL = re.compile(r"\[\[(.*?)\]\]")
_KEY = re.compile(r"\{(\w+)\}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def language_of(site: Site, contact: str) -> Language:
    """In which language a contact is told."""
    known = site.alerting.contacts.get(contact)
    return site.language if known is None or known.language is None else known.language


def message(site: Site, rule: str, subject: str, details: Mapping[str, Detail], language: Language) -> str:
    """What the alert says, in one or two sentences."""
    row = rule_of(rule)
    words = {key: _word(site, key, value, language) for key, value in details.items() if value not in ("", [])}
    thing = _placed(site, subject.partition("@")[0], language)
    words |= {"name": name(site, subject, language), "thing": thing, "rule": rule}
    return _fill(row.text_zh if language == "zh_CN" else row.text_en, words)


def notice_title(site: Site, alert: Alert, kind: NoticeKind, language: Language) -> str:
    """The first line of a notice: what it is about and where."""
    row = rule_of(alert.rule)
    title = KINDS[language][kind].format(
        severity=SEVERITIES[language][alert.severity],
        level=alert.level,
        title=row.title_zh if language == "zh_CN" else row.title_en,
    )
    return f"{title} · {site.name}"


def notice_body(site: Site, alert: Alert, kind: NoticeKind, language: Language, withdrawn: Sequence[str] = ()) -> str:
    """The text of a notice: the message, then what it is now; `withdrawn`: what of it evidence took back."""
    told = message(site, alert.rule, alert.subject, alert.details, language)
    ended = alert.details.get("ended")
    closing = CLOSINGS[language][kind].format(
        raised=clock(site, alert.raised),
        ended=_time(site, ended) if isinstance(ended, str) else clock(site, alert.updated),
        by=_actor(site, alert.history[-1].by if alert.history else "", language),
        message=told,
        withdrawn=_list(site, withdrawn, language),
        cause=cause_name(site, alert.caused_by, language),
        lasted=duration((alert.updated - alert.raised).total_seconds() // 60 * 60, language),
        standing=STANDINGS[language].get(alert.state, alert.state),
    )
    said = name(site, alert.subject, language) if kind in ("retracted", "merged") else told
    return f"{said}\n{closing}"


def cause_name(site: Site, alert_id: str | None, language: Language) -> str:
    """The causing alert as people call it, from its id `rule/subject/occurrence`."""
    if alert_id is None:
        return "—"
    rule, _, rest = alert_id.partition("/")
    row = rule_of(rule)
    return f"{row.title_zh if language == 'zh_CN' else row.title_en}: {name(site, rest.rpartition('/')[0], language)}"


def name(site: Site, subject: str, language: Language) -> str:
    """A subject as people call it: the names of its place, and its id; a dated one with its local time, and without the number after it."""
    thing, _, when = subject.partition("@")
    if when and _TIME.match(when):
        at = _time(site, when.partition("~")[0])
        route = site.routes.get(thing)
        if route is None:
            return f"{_placed(site, thing, language)} {at}"
        word = "线路" if language == "zh_CN" else "round"
        return f"{word} {route.name or thing} {at}"
    if thing == site.id:
        return site.name
    return _placed(site, subject, language)


def place_name(site: Site, place_id: str) -> str:
    """A place with what it lies in: `1号楼 3层`, but `1号楼大堂` where the name says it already; ids where there is no name."""
    parts = place_id.split("/")
    words: list[str] = []
    for path in ("/".join(parts[: count + 1]) for count in range(len(parts))):
        name = site.places[path].name if path in site.places else path.rpartition("/")[2]
        if words and name.startswith(words[-1]):
            words.pop()
        words.append(name)
    return " ".join(words)


def given_name(site: Site, thing: str) -> str:
    """What lies nowhere, a circuit or what feeds others, as the site file calls it; "" where it does not."""
    known = site.circuits.get(thing) or site.parents.get(thing)
    return "" if known is None else known.name


def link_words(said: str, language: Language) -> str:
    """Why a link is down, or what to look at: as the reader says it, else as it is said in English."""
    return LINK_WORDS.get(said, said) if language == "zh_CN" else said


def clock(site: Site, moment: datetime) -> str:
    """A moment on the site's clock: month, day, hour, minute."""
    return moment.astimezone(site.zone_info).strftime("%m-%d %H:%M")


def _actor(site: Site, by: str, language: Language) -> str:
    if by in site.people:
        return site.people[by].name
    if by.startswith("rule:") or not by:
        return "系统判定" if language == "zh_CN" else "as the system judged"
    return by


def _placed(site: Site, thing: str, language: Language) -> str:
    place = thing if thing in site.places else _place_of(site, thing)
    where = given_name(site, thing) if place is None else place_name(site, place)
    if not where:
        return thing
    if thing in site.places:
        return where
    return f"{where}（{thing}）" if language == "zh_CN" else f"{where} ({thing})"


def _place_of(site: Site, thing: str) -> str | None:
    for section in (site.checkpoints, site.lamps, site.zones, site.devices):
        found = section.get(thing)
        if found is not None:
            return found.place
    return None


def _word(site: Site, key: str, value: Detail, language: Language) -> str:
    match value:
        case list():
            return _list(site, value, language)
        case str():
            return _time(site, value) if _TIME.match(value) else _said(site, value, language)
        case int() | float() if key in DURATIONS:
            return duration(value, language)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _list(site: Site, values: Sequence[str], language: Language) -> str:
    shown = [_said(site, value, language) for value in values[:LISTED]]
    more = len(values) - len(shown)
    if language == "zh_CN":
        return "、".join(shown) + (f" 等 {len(values)} 个" if more else "")
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _said(site: Site, value: str, language: Language) -> str:
    if value in CODES:
        return CODES[value][language == "en"]
    if value in LINK_WORDS:
        return link_words(value, language)
    return _placed(site, value, language)


def duration(seconds: float, language: Language) -> str:
    """How long something lasts, in hours, minutes and seconds."""
    minutes, rest = divmod(told_s(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    units = ("小时", "分", "秒") if language == "zh_CN" else (" h", " min", " s")
    gap = "" if language == "zh_CN" else " "
    parts = [f"{count}{unit}" for count, unit in zip((hours, minutes, rest), units, strict=True) if count]
    return gap.join(parts) or f"0{units[2]}"


def _time(site: Site, text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return clock(site, moment) if moment.tzinfo else text


def _fill(template: str, words: Mapping[str, str]) -> str:
    def optional(match: re.Match[str]) -> str:
        return match[1] if all(key in words for key in _KEY.findall(match[1])) else ""

    return _KEY.sub(lambda match: words.get(match[1], "—"), _OPTIONAL.sub(optional, template))
