"""The journal's chain through the API: what is kept elsewhere can be fetched, asked for and checked offline."""

from __future__ import annotations

from pathlib import Path

import httpx

from api.access.invitations import Invitations
from api.app import create_app
from api.cli import main
from gateway.journal.notes import PublicKey, read_note
from gateway.runtime import Gateway
from tests.api import scene
from tests.api.conftest import BASE, LogIn
from tests.api.fake_gateway import FakeGateway


async def test_only_managers_have_it_signed_now(log_in: LogIn) -> None:
    assert (await (await log_in("operator")).post("/api/v1/chain/checkpoints")).status_code == 403
    assert (await (await log_in("manager")).post("/api/v1/chain/checkpoints")).status_code == 200


async def test_checkpoints_come_in_pages(gateway: FakeGateway, log_in: LogIn) -> None:
    manager = await log_in("manager")
    assert (await manager.get("/api/v1/chain/checkpoint")).status_code == 404
    for _ in range(5):
        await gateway.checkpoints.make("time")
    sizes, cursor = [], None
    while True:
        words = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await manager.get("/api/v1/chain/checkpoints", params=words)).json()
        sizes += [item["size"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sizes == [5, 4, 3, 2, 1]
    assert (await manager.get("/api/v1/chain/checkpoints", params={"cursor": "WyJ4Il0"})).status_code == 422


async def test_what_was_fetched_is_checked_offline(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Gateway(scene.site(), data) as gateway:
        app = create_app(gateway, invitations=(links := Invitations()))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Origin": BASE}) as client:
            await client.get("/login/once", params={"token": links.login("boss", "admin", gateway.now())})
            made = (await client.post("/api/v1/chain/checkpoints")).json()
            again = (await client.get("/api/v1/chain")).json()
            assert again["latest"] == made
            note = read_note((await client.get("/api/v1/chain/checkpoint")).text)
            assert (note.size, note.signer([PublicKey.parse(again["public_key"])]) is not None) == (made["size"], True)
            names = (await client.get("/api/v1/accounts")).json()["items"]
            assert names == [{"id": "boss", "called": "boss"}]
            (tmp_path / "checkpoint.txt").write_text(made["note"])
            (tmp_path / "key.txt").write_text(again["public_key"])
            words = ["verify", "--data", str(data), "--checkpoint", str(tmp_path / "checkpoint.txt")]
            assert main([*words, "--public-key", str(tmp_path / "key.txt")]) == 0
