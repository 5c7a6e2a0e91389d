"""Every rule that can raise an alert, as a row: severity, kind of evidence, work order, and what it says.

Severities are those of ITU-T X.733. `absence`: the alert rests on something not heard, so a fallen reader, link or gateway
inhibits it; `presence`: it rests on something heard or proved, and nothing inhibits it (alerts.md, Inhibition).

Texts are for a captain at three in the morning: what, where, since when, what to do. `{key}` is a value of the signal's
details, `{name}` the subject as people call it, `{thing}` that without its time; `[[…]]` is left out if one of its keys is missing. What could not be
verified accuses nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from gateway.instants import DAY, HOUR, Duration
from gateway.site.model import Severity

Basis = Literal["absence", "presence"]
Urgency = Literal["emergency", "ordinary"]


class Rule(NamedTuple):
    """One row. `title_*` names the kind of alert, `text_*` is the template; `work_order` None: none is opened.

    `reminders`: how long after it opened whoever was told is reminded that it still stands.
    `accuses`: the detail that lists what somebody is charged with; what evidence takes off it is told to whoever was told.
    """

    id: str
    severity: Severity
    basis: Basis
    work_order: Urgency | None
    title_zh: str
    text_zh: str
    title_en: str
    text_en: str
    reminders: tuple[Duration, ...] = ()
    accuses: str | None = None


CALL = "panic"
"""A call for help."""

LASTING = (HOUR, DAY)
"""A camera that is lost says nothing more: people are reminded at 1 h and 1 day (cameras.md, Cameras); of a blind zone, too, since
it tells of its cameras in their place."""

ROWS: tuple[Rule, ...] = (
    # Rounds (rounds.md, Alerts)
    Rule(
        "round_not_started", "minor", "absence", None,
        "巡更未开始", "{name} 尚未开始：首点应到时间已过[[（{due}）]]，[[{heard} 工作正常，]][[{unheard} 从未上线，]]无有效打点。请联系当班人员。",
        "Round not started", "{name} has not begun: its first point was due[[ at {due}]], no tap counts yet[[ ({heard}: in order)]][[ ({unheard}: never heard)]]. Please call the guard on duty.",
    ),
    Rule(
        "round_missed", "major", "absence", None,
        "巡更漏检", "{name} 整轮无有效打点，读卡器记录完整。[[漏检点：{missed}。]]",
        "Round missed", "{name}: no tap counts at any point, and the readers' records are complete.[[ Missed: {missed}.]]",
        accuses="missed",
    ),
    Rule(
        "round_incomplete", "minor", "absence", None,
        "巡更不完整", "{name} 有漏检点[[：{missed}]]。其余各点已到或另行核实。",
        "Round incomplete", "{name} has missed points[[: {missed}]].",
        accuses="missed",
    ),
    Rule(
        "round_unverifiable", "warning", "absence", None,
        "巡更无法核实", "{name} 无法核实[[：{unverifiable}]]，原因在设备或记录[[（{cause}）]]，不计入考核。请了解情况。",
        "Round unverifiable", "{name} cannot be verified[[: {unverifiable}]]; the cause lies in devices or records[[ ({cause})]], nobody is charged. Please find out.",
    ),
    Rule(
        "gap_exceeded", "major", "absence", None,
        "巡更间隔超时", "{thing} 超过允许间隔无有效打点[[：{from} 起已 {length}]][[（允许 {at_most}）]]。请派人前往。",
        "Gap exceeded", "{thing}: no tap counts for too long[[: {length} since {from}]][[ (allowed: {at_most})]]. Please send someone.",
    ),
    Rule(
        "compensating_patrol", "minor", "presence", None,
        "加强巡查", "{name} 需加强巡查：[[自 {from} 起]][[每 {at_most} 至少打点一次]]，直至修复得到证实。[[盲区：{zones}。]][[熄灯回路：{circuits}。]]",
        "Compensating patrol", "{name} is to be tapped[[ at least every {at_most}]][[ from {from} on]], until the repair is proved.[[ No camera sees: {zones}.]][[ Dark circuit: {circuits}.]]",
    ),
    Rule(
        "reader_offline", "minor", "absence", "ordinary",
        "读卡器离线", "{name} 无信号[[，最后收到 {last_heard}]]。期间打点可能稍后补传，不判漏检。请检查供电和线路，巡更棒请插回充电座。",
        "Reader offline", "{name} is silent[[, last heard {last_heard}]]. Taps may arrive later; nothing is judged missed. Please check power and line, or dock the wand.",
    ),
    Rule(
        "panic", "critical", "presence", None,
        "紧急求助", "{name} 发出紧急求助！[[人员：{person}。]]请立即联系并派人。",
        "Panic", "{name} calls for help![[ Person: {person}.]] Answer and send someone now.",
    ),
    Rule(
        "incident", "minor", "presence", None,
        "巡更上报", "{name} 上报异常[[：{text}]][[（代码 {code}）]][[，地点 {checkpoint}]]。",
        "Incident reported", "{name} reports an incident[[: {text}]][[ (code {code})]][[ at {checkpoint}]].",
    ),
    Rule(
        "tag_cloned", "major", "presence", None,
        "标签疑似复制", "{name} 的标签[[ {tag} ]]计数异常[[：{reason}]][[（计数 {counter}，由 {device} 上传）]][[，该计数首次由 {first} 上传]][[，其前 {missing} 次读取从未上传]]。打点仍有效，请现场核实标签和上传人。",
        "Tag may be copied", "The tag[[ {tag}]] of {name} shows an odd count[[: {reason}]][[ (count {counter}, handed over by {device})]][[, first by {first}]][[, {missing} readings before it were never handed over]]. The tap still counts; please look at the tag and ask who handed it over.",
    ),
    # Lighting (lighting.md, table of faults)
    Rule(
        "lamp_failure", "minor", "presence", "ordinary",
        "灯不亮", "{name} 应亮未亮[[，照度 {lux} lx]][[，功率 {watts} W]]。请安排维修。",
        "Lamp out", "{name} should be lit and is dark[[, {lux} lx]][[, {watts} W]]. Please have it repaired.",
    ),
    Rule(
        "day_burner", "warning", "presence", "ordinary",
        "常亮", "{name} 不应亮却亮着。请检查开关或继电器。",
        "Day burner", "{name} burns when it should be off. Please check its switch or relay.",
    ),
    Rule(
        "no_trigger", "minor", "presence", "ordinary",
        "声光控失灵", "{name} 多次有人经过未亮。请检查声光控开关。",
        "Switch does not trigger", "{name} stayed dark on several motions. Please check its sound-light switch.",
    ),
    Rule(
        "cycling_failure", "minor", "presence", "ordinary",
        "闪烁", "{name} 反复亮灭。请检查接线和驱动电源。",
        "Lamp cycling", "{name} keeps going on and off. Please check wiring and driver.",
    ),
    Rule(
        "dim", "warning", "presence", "ordinary",
        "光衰", "{name} 亮度明显低于以往。请清洁或更换。",
        "Lamp dim", "{name} is far below its own past light. Please clean or replace it.",
    ),
    Rule(
        "control_gear_failure", "minor", "presence", "ordinary",
        "驱动电源故障", "{name} 自报驱动电源故障。请安排维修。",
        "Control gear failure", "{name} reports a failure of its control gear. Please have it repaired.",
    ),
    Rule(
        "relay_failure", "minor", "presence", "ordinary",
        "继电器故障", "{name} 自报继电器故障。请安排维修。",
        "Relay failure", "{name} reports a failure of its relay. Please have it repaired.",
    ),
    Rule(
        "thermal_shutdown", "minor", "presence", "ordinary",
        "过热保护", "{name} 自报过热关断。请安排检查。",
        "Thermal shutdown", "{name} reports that it shut down for heat. Please have it checked.",
    ),
    Rule(
        "emergency_battery", "major", "presence", "ordinary",
        "应急电池故障", "{name} 应急照明电池故障或测试超期。请安排维修。",
        "Emergency battery", "{name}: its emergency battery failed, or its test is overdue. Please have it repaired.",
    ),
    Rule(
        "circuit_fault", "major", "presence", "emergency",
        "回路故障", "{name} 多灯同时熄灭[[（{count}/{of} 盏）]][[：{lamps}]]。疑似跳闸，请电工 30 分钟内到场。",
        "Circuit fault", "{name}: lamps went dark together[[ ({count} of {of})]][[: {lamps}]]. Its breaker may have tripped; an electrician is due within 30 min.",
    ),
    Rule(
        "schedule_fault", "minor", "presence", "ordinary",
        "时控故障", "{name} 整组在不应亮时亮着[[：{lamps}]]。请检查时控器、光控器及其时钟。",
        "Schedule fault", "{name}: the whole group burns when it should be off[[: {lamps}]]. Please check timer, photocell and clock.",
    ),
    Rule(
        "sensor_stuck", "warning", "presence", "ordinary",
        "传感器卡死", "{name} 长时间读数不变[[（{lux} lx）]]，而灯已多次亮灭；其读数暂不作依据。请检查传感器。",
        "Sensor stuck", "{name} keeps one value[[ ({lux} lx)]] while its lamp changed; until it changes it proves nothing. Please check the sensor.",
    ),
    Rule(
        "lamps_unknown", "warning", "absence", "ordinary",
        "灯具状态未知", "{name} 的灯 24 小时以上状态未知[[：{lamps}]][[（{causes}）]]。请检查传感器和网关链路。",
        "Lamps unknown", "{name}: the state of its lamps has been unknown for 24 h[[: {lamps}]][[ ({causes})]]. Please check sensors and links.",
    ),
    # Devices (cameras.md, Any device)
    Rule(
        "device_never_heard", "warning", "absence", "ordinary",
        "设备从未上线", "{name} 登记 24 小时以来从未有信号。请检查安装和编号。",
        "Device never heard", "{name} was enrolled 24 h ago and never heard. Please check its installation and its id.",
    ),
    Rule(
        "device_offline", "minor", "absence", "ordinary",
        "设备离线", "{name} 离线[[，最后收到 {last_heard}]]。[[受影响：{children}。]]请检查供电和网络。",
        "Device offline", "{name} is offline[[, last heard {last_heard}]].[[ Below it: {children}.]] Please check power and network.",
    ),
    Rule(
        "link_down", "major", "absence", "ordinary",
        "链路中断", "{name} 的链路中断[[：{reason}]]。[[受影响：{children}。]]期间缺失的数据不作为判定依据。",
        "Link down", "The link of {name} is down[[: {reason}]].[[ Below it: {children}.]] What is missing meanwhile proves nothing.",
    ),
    Rule(
        "device_impaired", "minor", "presence", "ordinary",
        "设备故障", "{name} 自报故障[[：{impairments}]]。请安排检查。",
        "Device impaired", "{name} reports a fault of itself[[: {impairments}]]. Please have it checked.",
    ),
    Rule(
        "gateway_restarting", "major", "presence", "ordinary",
        "网关反复重启", "网关反复启动[[（1 小时内 {starts} 次）]]，其间的静默不作为判定依据。请检查网关供电和日志。",
        "Gateway restarting", "The gateway keeps restarting[[ ({starts} starts within 1 h)]]; silence meanwhile proves nothing. Please check its power and its log.",
    ),
    Rule(
        "parent_fault", "major", "presence", "emergency",
        "上级故障", "{name} 疑似故障：其下多台设备同时失联[[（{count} 台）]][[：{children}]]。请先检查该处供电和网络。",
        "Common cause", "{name} seems to have failed: what hangs below it fell silent together[[ ({count})]][[: {children}]]. Check its power and network first.",
    ),
    # Duty checks (alerts.md)
    Rule(
        "duty_check_missed", "major", "absence", None,
        "查岗未执行", "{name} 查岗未执行[[（岗位：{post}）]][[，应由 {checkers} 执行]]。记录完整，期间无查岗打卡。请项目经理了解原因。",
        "Duty check not made", "{name}: the duty check was not made[[ (post: {post})]][[, it was up to {checkers}]]. The record is complete and holds no tap of theirs. The manager should ask why.",
    ),
    # Cameras and zones (cameras.md)
    Rule(
        "camera_offline", "minor", "absence", "ordinary",
        "摄像机离线", "{name} 离线[[，最后收到 {last_heard}]]。请检查供电和网络。",
        "Camera offline", "{name} is offline[[, last heard {last_heard}]]. Please check power and network.",
        reminders=LASTING,
    ),
    Rule(
        "camera_impaired", "minor", "presence", "ordinary",
        "摄像机异常", "{name} 异常[[：{impairments}]]。请查看画面并安排检修。",
        "Camera impaired", "{name} is impaired[[: {impairments}]]. Please look at its picture and have it repaired.",
        reminders=LASTING,
    ),
    Rule(
        "recording_stopped", "major", "presence", "ordinary",
        "录像中断", "{name} 应录未录。请检查录像计划和硬盘。",
        "Recording stopped", "{name} is not being recorded. Please check the recorder's schedule and disk.",
        reminders=LASTING,
    ),
    Rule(
        "flapping", "warning", "presence", "ordinary",
        "频繁掉线", "{name} 状态反复变化，期间不另行报警。请检查线缆、接头和供电。",
        "Flapping", "{name} keeps changing its state; no other alert of it is raised meanwhile. Please check cable, plugs and power.",
    ),
    Rule(
        "zone_blind", "major", "presence", "ordinary",
        "盲区", "{name} 无可用画面[[：{cameras}]][[（{reason}）]]。请加强该处巡查并检修。",
        "Zone blind", "No camera sees {name}[[: {cameras}]][[ ({reason})]]. Please walk it more often and repair.",
        reminders=LASTING,
    ),
    Rule(
        "zone_degraded", "minor", "presence", "ordinary",
        "监控降级", "{name} 可用摄像机不足[[（{ok}/{need}）]][[：{cameras}]]。请安排检修。",
        "Zone degraded", "Too few cameras see {name}[[ ({ok} of {need})]][[: {cameras}]]. Please repair.",
    ),
    Rule(
        "zone_unknown", "warning", "absence", "ordinary",
        "监控状态未知", "{name} 是否有画面未知[[：{cameras}]]。请人工查看。",
        "Zone unknown", "Whether {name} is covered is unknown[[: {cameras}]]. Please look.",
    ),
    # Work orders (alerts.md, Work order)
    Rule(
        "work_order_late", "major", "absence", None,
        "维修单超时", "维修单 {name}[[（{place}）]]超时：[[应于 {arrive_by} 前到场，尚无到场记录。]][[应于 {repair_by} 前修复，尚无修复记录。]][[维修人：{assignee}。]]请跟进，已到场或已修复的请补录。",
        "Work order late", "Work order {name}[[ ({place})]] is late:[[ somebody was due there by {arrive_by}, and no arrival is recorded.]][[ the repair was due by {repair_by}, and none is recorded.]][[ Assigned to {assignee}.]] Please see to it, or record what has been done.",
    ),
)  # fmt: skip

CATALOGUE: dict[str, Rule] = {row.id: row for row in ROWS}

_REPORTED = Rule(
    "", "minor", "presence", "ordinary",
    "设备自报故障", "{name} 自报故障 {rule}。请安排检查。",
    "Reported fault", "{name} reports the fault {rule}. Please have it checked.",
)  # fmt: skip


def rule_of(rule_id: str) -> Rule:
    """The row of a rule; a fault that a device names itself and the catalogue does not know gets a common row."""
    row = CATALOGUE.get(rule_id)
    return row if row is not None else _REPORTED._replace(id=rule_id)


def accused(rule_id: str, details: Mapping[str, str | int | float | list[str]]) -> list[str]:
    """What an alert with these details charges somebody with, each as often as it is listed."""
    listed = details.get(rule_of(rule_id).accuses or "")
    return listed if isinstance(listed, list) else []
