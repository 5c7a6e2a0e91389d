"""What an operator may tell the rules."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.instants import Instant


class DeviceOperation(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator tells the rules: take a device out of or into service, or end an impairment by name.

    `why` is the operator's reason; it stands in the audit history and with the alert that ends.
    """

    at: Instant
    by: str
    action: Literal["disable", "enable", "clear"]
    device: str
    impairment: str | None = None
    why: str = ""
