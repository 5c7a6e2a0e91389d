"""What is said of lamps and circuits, as tables: one row a fault, a cause, a plan."""

from __future__ import annotations

from gateway.explain.phrases import Said

FAULTS: dict[str, Said] = {
    "lamp_failure": Said("该亮不亮", "is dark though it should burn"),
    "day_burner": Said("不该亮却亮着", "burns though it should not"),
    "no_trigger": Said("有人经过却不亮", "does not come on when somebody comes"),
    "cycling_failure": Said("反复亮灭（闪烁）", "goes on and off again and again"),
    "dim": Said("明显变暗", "has grown dim"),
    "control_gear_failure": Said("驱动器（镇流器）故障", "control gear failure"),
    "relay_failure": Said("继电器故障", "relay failure"),
    "thermal_shutdown": Said("过热保护关断", "thermal shutdown"),
    "emergency_battery": Said("应急电池故障", "emergency battery failure"),
    "circuit_fault": Said("整路不亮", "is dark as a whole"),
    "schedule_fault": Said("整路在不该亮的时候亮着", "burns as a whole though it should not"),
}
"""Other names are the device's own and are said as they are."""

CHECK: dict[str, Said] = {
    "lamp_failure": Said("请检查灯管和接线。", "Check the lamp and its wiring."),
    "day_burner": Said("请检查开关、光控或时控。", "Check its switch, light control or timer."),
    "no_trigger": Said("请检查声光控开关和灯。", "Check the motion switch and the lamp."),
    "cycling_failure": Said("请检查镇流器、触点和光控。", "Check the ballast, the contacts and the light control."),
    "dim": Said("灯具老化或脏污，请清洁或更换。", "It is worn or dirty: clean or replace it."),
    "circuit_fault": Said(
        "请先查空开和配电箱，不必逐灯更换。", "Look at the breaker and the panel first, not at each lamp."
    ),
    "schedule_fault": Said("请检查时控器、光控和接触器。", "Check the timer, the light control and the contactor."),
}

PLANS: dict[str, Said] = {
    "dusk_to_dawn": Said(
        "天黑到天亮应亮（{since} 至 {until}）", "it should burn from dusk to dawn ({since} to {until})"
    ),
    "times": Said("{since} 至 {until} 应亮", "it should burn from {since} to {until}"),
    "always": Said("应常亮", "it should always burn"),
    "commanded": Said("{since} 收到命令：{word}", "it was told at {since}: {word}"),
    "motion": Said("有人经过后应亮 {hold}", "it should burn for {hold} after somebody passes"),
}
NO_COMMAND = Said("还没有收到过开关命令", "nobody has told it yet to burn or not")

CAUSES: dict[str, Said] = {
    "never_heard": Said("{source}自接入以来从未上报", "{source} has never been heard"),
    "stale": Said(
        "{source}最后一次上报是 {heard}，已超过 {limit}没有消息",
        "{source} was last heard at {heard}, longer ago than the {limit} for which its word holds",
    ),
    "sensor_stuck": Said(
        "{source}自 {since} 起一直报同一个值 {value}，而灯在这期间有过变化，读数不可信",
        "{source} has said the same {value} since {since}, though the lamp changed meanwhile: it is stuck",
    ),
    "gateway_down": Said(
        "网关重启后还没有再收到{source}的数据", "{source} has not been heard again since the gateway's start"
    ),
    "disabled": Said("{source}已停用", "{source} is out of service"),
    "itself": Said("{source}报告下线或链路断开", "{source} said that it goes down, or its link did"),
    "failed": Said("{cause} 已断开或离线，听不到{source}", "{cause} is down, so that {source} cannot be heard"),
}
"""Why a source proves nothing. `itself`: it said so; `failed`: what is down above it is named."""

NO_PROOF: dict[str, Said] = {
    "daylight": Said(
        "它在窗边或室外，天亮时（太阳高于 −6°）照度说明不了灯的亮灭",
        "it hangs at a window or outdoors, where light says nothing of a lamp while the sun is above −6°",
    ),
    "no_command": Said(
        "没有收到过开关命令，不知道该亮还是该灭", "nobody has told it to burn or not, so nothing is expected"
    ),
    "contrary": Said(
        "最新的读数与预期不符，但还不足以认定故障",
        "the newest reading contradicts what is expected, but does not prove a fault yet",
    ),
    "edge": Said(
        "计划切换已过 1 小时，之后没有任何读数能说明亮灭",
        "since the last planned change, over 1 h ago, nothing proved it",
    ),
    "none": Said("没有任何读数能说明亮灭", "no reading has proved anything"),
}

NEITHER: dict[str, Said] = {
    "unknown": Said("状态不明", "nothing is known of it"),
    "off_duty": Said("不在亮灯时间", "off duty"),
    "ok": Said("正在当班", "on duty"),
    "faulty": Said("另有故障", "has another fault"),
    "disabled": Said("已停用", "out of service"),
    "other_time": Said("故障不在同一时间", "failed at another time"),
}
