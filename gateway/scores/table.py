"""What costs points: kinds of deductions, and the table that holds where the site file has none (spec: alerts.md, Scores).

Points are whole thousandths. A table's weights add up to 100 points; an item never loses more than its weight.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from gateway.site.model import ScoreItem

POINT = 1000
"""A point, in thousandths."""

Unit = Literal["each", "percent", "at most"]
FINDING = "finding_"
"""`finding_asleep`: what a finding of that code costs; without such a row it costs what `duty_finding` says."""


class Kind(NamedTuple):
    """A kind of deduction. `unit`: its points are taken for each case, for each percent below the target, or are the most a person may take."""

    zh: str
    en: str
    unit: Unit


KINDS: dict[str, Kind] = {
    "visit_missed": Kind("漏检", "point missed", "each"),
    "visit_late": Kind("迟到打点", "point late", "each"),
    "visit_early": Kind("早到打点", "point early", "each"),
    "guard_absent": Kind("查岗无人应答", "guard did not answer a duty check", "each"),
    "checker_missed": Kind("查岗未执行", "duty check not made", "each"),
    "duty_finding": Kind("查岗发现问题", "finding of a duty check", "each"),
    "lights_below": Kind("楼道照明完好率不达标", "lights below their intact rate", "percent"),
    "cameras_below": Kind("监控完好率不达标", "cameras below their intact rate", "percent"),
    "arrival_late": Kind("急修到场超过 30 分钟", "urgent repair: arrived late", "each"),
    "arrival_very_late": Kind(
        "急修到场超过 1 小时", "urgent repair: arrived more than 1 h after its clock began", "each"
    ),
    "repair_late": Kind("维修不及时", "repaired late", "each"),
    "rework": Kind("返修", "rework", "each"),
    "no_follow_up": Kind("未回访", "no follow-up", "each"),
    "manual": Kind("现场检查扣分", "found by an inspection", "at most"),
}

DAILY: tuple[ScoreItem, ...] = (
    ScoreItem(
        id="patrol", name="夜间巡查", weight=25 * POINT,
        points={"visit_missed": 500, "visit_late": 100, "visit_early": 100, "manual": 5 * POINT},
    ),
    ScoreItem(
        id="duty", name="查岗与值守", weight=15 * POINT,
        points={
            "guard_absent": 2 * POINT, "checker_missed": POINT, "duty_finding": POINT, "finding_asleep": 2 * POINT,
            "finding_absent": 2 * POINT, "manual": 5 * POINT,
        },
    ),
    ScoreItem(
        id="lighting", name="楼道照明", weight=20 * POINT, points={"lights_below": POINT, "manual": 5 * POINT},
        target=95 * POINT,
    ),
    ScoreItem(
        id="cameras", name="监控布点", weight=15 * POINT, points={"cameras_below": POINT, "manual": 5 * POINT},
        target=95 * POINT,
    ),
    ScoreItem(
        id="repairs", name="报修与维修", weight=15 * POINT,
        points={
            "arrival_late": 300, "arrival_very_late": 500, "repair_late": 300, "rework": 500, "no_follow_up": 300,
            "manual": 5 * POINT,
        },
    ),
    ScoreItem(id="inspection", name="现场检查", weight=10 * POINT, points={"manual": 5 * POINT}),
)  # fmt: skip
"""Of the daily inspections. A late arrival −0.3, over 1 h −0.5 (DOMAIN.md §1); lights intact 95 %, cameras 95 % (§3); the rest ours: a
property has hundreds of visits a quarter where a guard is scored by the point.
"""

YEAR_END: tuple[ScoreItem, ...] = (
    ScoreItem(id="self_rating", name="自评与资料", weight=20 * POINT, points={"manual": 20 * POINT}),
    ScoreItem(id="acceptance", name="现场验收", weight=40 * POINT, points={"manual": 40 * POINT}),
    ScoreItem(id="records", name="台帐与记录", weight=20 * POINT, points={"manual": 20 * POINT}),
    ScoreItem(id="satisfaction", name="业主评价", weight=20 * POINT, points={"manual": 20 * POINT}),
)
"""Of the year-end assessment, by persons alone."""


def known(kind: str) -> bool:
    """Whether a site file may name a kind of deduction."""
    return kind in KINDS or kind.startswith(FINDING)
