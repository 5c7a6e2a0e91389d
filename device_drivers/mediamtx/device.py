"""MediaMTX's own side: what its pages say, for simulated servers and tests."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


def metrics(paths: Mapping[str, tuple[bool, int]]) -> bytes:
    """The metrics page; whether each path's stream is there, and the bytes it got."""
    lines = ["# metrics of every path"]
    for name, (ready, octets) in paths.items():
        labels = f'{{name="{name}",state="{"ready" if ready else "notReady"}"}}'
        lines += [f"paths{labels} 1", f"paths_bytes_received{labels} {octets}", f"paths_readers{labels} 0"]
    return ("\n".join([*lines, "rtsp_conns 0", ""])).encode()


def listed(paths: Mapping[str, tuple[bool, int]]) -> bytes:
    """The API's list of paths (`/v3/paths/list`)."""
    items = [
        {"name": name, "confName": name, "ready": ready, "readyTime": None, "tracks": ["H264"], "bytesReceived": octets}
        for name, (ready, octets) in paths.items()
    ]
    return msgspec.json.encode({"itemCount": len(items), "pageCount": 1, "items": items})
