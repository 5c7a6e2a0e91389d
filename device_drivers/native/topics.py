"""The topics of native devices, and the acknowledgement sent down to them (evidence.md, Native MQTT)."""

from __future__ import annotations

import msgspec


def up(site: str, device: str) -> str:
    """Where a device publishes its observations. `device` may be `+` in a filter."""
    return f"lamplighter/{site}/{device}/up"


def acknowledgement(site: str, device: str) -> str:
    """Where the gateway tells a device what is safe."""
    return f"lamplighter/{site}/{device}/down/ack"


def acknowledgement_payload(boot: str, seq: int) -> bytes:
    """Everything of `boot` up to and including `seq` is on the gateway's disk."""
    return msgspec.json.encode({"boot": boot, "seq": seq})
