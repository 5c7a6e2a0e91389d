"""Traditional characters of the words that programs write, as the simplified ones that the tables here have."""

from __future__ import annotations

_TRADITIONAL = "檢時間邏讀簽記錄紀達採實際發號編設備員機點隊稱況狀碼標籤鈕應無異單總計數製審頁註說導匯週"
_SIMPLIFIED = "检时间逻读签记录纪达采实际发号编设备员机点队称况状码标签钮应无异单总计数制审页注说导导周"

_TABLE = str.maketrans(_TRADITIONAL, _SIMPLIFIED)


def simplified(text: str) -> str:
    """The text with the characters that the tables know; names are compared as they stand, never so."""
    return text if text.isascii() else text.translate(_TABLE)
