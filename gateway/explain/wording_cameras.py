"""What is said of cameras and zones, as tables: one row a state, an impairment, a cause."""

from __future__ import annotations

from gateway.explain.phrases import Said

IMPAIRMENTS: dict[str, Said] = {
    "service_dead": Said("网络通，但设备没有服务（死机）", "answers pings, but its service is dead"),
    "unreachable": Said("探测不通", "does not answer the probe"),
    "loss": Said("没有视频信号", "gives no picture"),
    "blind": Said("镜头被遮挡", "is covered or blinded"),
    "frozen": Said("画面冻结", "shows a frozen picture"),
    "moved": Said("镜头被转动，偏离原来的画面", "has been turned away from its view"),
    "defocused": Said("画面模糊", "is out of focus"),
    "not_recording": Said("没有录像", "does not record"),
    "storage_fault": Said("存储故障", "has a storage fault"),
    "reported_fault": Said("自报故障", "reports a fault of itself"),
}

ENDS: dict[str, Said] = {
    "service_dead": Said("收到心跳、事件等服务信号即恢复", "a heartbeat, an event or another sign of service ends it"),
    "unreachable": Said("收到任何信号即恢复", "any sign of life ends it"),
    "loss": Said("设备报告恢复、画面正常或帧率大于 0 即恢复", "its end or a good picture reported, or frames, end it"),
    "blind": Said("设备报告恢复或画面正常即恢复", "its end or a good picture reported ends it"),
    "frozen": Said("设备报告恢复或画面正常即恢复", "its end or a good picture reported ends it"),
    "moved": Said("设备报告恢复或画面正常即恢复", "its end or a good picture reported ends it"),
    "defocused": Said("设备报告恢复或画面正常即恢复", "its end or a good picture reported ends it"),
    "not_recording": Said("设备报告正在录像即恢复", "a report that it records ends it"),
    "storage_fault": Said("所报各项存储故障都结束即恢复", "the end of each storage fault reported ends it"),
    "reported_fault": Said("设备心跳报告正常即恢复", "a heartbeat that says ok ends it"),
}
"""What would end it; an operator may end any."""

CAUSES: dict[str, Said] = {
    "never_heard": Said("自接入以来从未收到它的任何信号", "it has never been heard since it was enrolled"),
    "gateway_down": Said(
        "网关重启后还没有再收到它，宽限到 {until}",
        "it has not been heard since the gateway's start; it has until {until}",
    ),
    "rejudging": Said(
        "上级或链路刚恢复，还没有再收到它，宽限到 {until}",
        "what is above it has just come back and it has not been heard since; it has until {until}",
    ),
    "gateway_restarting": Said(
        "网关反复重启，重启后没收到它说明不了什么", "the gateway keeps restarting, so that its silence proves nothing"
    ),
    "link_down": Said("网关与它之间的链路自 {since} 起断开", "the gateway's link to it has been down since {since}"),
    "failed": Said(
        "{cause} 自 {since} 起断开或离线，它在其下", "{cause}, on which it depends, has been down since {since}"
    ),
}
"""Why nothing is known. `failed`: what is down is named."""

SHORT: dict[str, Said] = {
    "never_heard": Said("从未上线", "never heard"),
    "gateway_down": Said("网关重启后未再收到", "not heard since the gateway's start"),
    "rejudging": Said("恢复后未再收到", "not heard since what is above it came back"),
    "gateway_restarting": Said("网关反复重启", "the gateway keeps restarting"),
    "link_down": Said("链路断开", "its link is down"),
}
"""The same in few words."""

SIGHTS: dict[str, Said] = {
    "seeing": Said("看得见", "sees"),
    "lost": Said("看不见", "does not see"),
    "unknown": Said("不明", "unknown"),
    "disabled": Said("停用", "out of service"),
}

ZONES: dict[str, Said] = {
    "covered": Said("有监控覆盖", "is watched"),
    "degraded": Said("覆盖不足", "is not watched well enough"),
    "blind": Said("没有监控（盲区）", "is blind"),
    "unknown": Said("是否有覆盖不明", "may or may not be watched"),
}
