"""Request bodies are bounded: what is longer is refused before it is read whole."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem

MOST_BYTES = 64 * 1024
"""Nothing else that the API takes is longer; evidence comes over links, not over HTTP."""
LONGER: Mapping[str, int] = {"/api/v1/duty-checks/photos": 512 * 1024, "/api/v1/phone/photos": 512 * 1024}
"""By path: pictures."""


class _TooLong(Exception):  # noqa: N818
    """More came than is allowed."""


class BodyLimit:
    """ASGI: answers 413 to a body longer than `most_bytes`, whether it says its length or not."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = max(self.most_bytes, LONGER.get(scope["path"], 0))
        refusal = problem(
            413, f"At most {most} bytes are taken here.", request=Request(scope), headers={"Connection": "close"}
        )
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not told.isdigit() or int(told) > most:
            await refusal(scope, receive, send)
            return
        taken = 0
        begun = False

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise _TooLong
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, bounded, watched)
        except _TooLong:
            if not begun:
                await refusal(scope, receive, send)
        except ClientDisconnect:
            pass  # gone in the middle of a body: nobody to answer, and nothing of ours is broken
