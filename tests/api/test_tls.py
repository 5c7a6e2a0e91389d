"""TLS from files: what is served, renewed without a restart, refused clearly; and proxies that are believed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api.access.invitations import Invitations
from api.cli import main
from api.commands.run import is_loopback
from api.server import Listener, listen, serve
from api.tls import Certificate, TlsError
from tests.api.fake_gateway import FakeGateway


def issue(folder: Path, *, days: int = 30, name: str = "one") -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret


@asynccontextmanager
async def served(app: Any, **given: Any) -> AsyncIterator[Listener]:
    listener = listen("127.0.0.1", 0, tls="certificate" in given)
    running = asyncio.create_task(serve(app, listener, **given))
    try:
        yield listener
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def shown(listener: Listener) -> str:
    """The name in the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context)
    found = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    writer.close()
    await writer.wait_closed()
    return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


async def test_over_tls_the_session_is_bound_to_the_host_and_browsers_come_back_over_tls_alone(
    app: Any, invitations: Invitations, gateway: FakeGateway, tmp_path: Path
) -> None:
    chain, key = issue(tmp_path)
    trusted = ssl.create_default_context(cafile=str(chain))
    async with served(app, certificate=Certificate(chain, key)) as listener:
        assert listener.url == f"https://127.0.0.1:{listener.port}"
        async with httpx.AsyncClient(base_url=listener.url, headers={"Origin": listener.url}, verify=trusted) as client:
            token = invitations.login("test-operator", "operator", gateway.now())
            answer = await client.get("/login/once", params={"token": token})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-lamplighter=")
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            assert (await client.get("/api/v1/site")).status_code == 200
            assert (await client.post("/api/v1/alerts/circuit_fault/c-t2-b/1/ack", json={})).status_code == 200
            plain = listener.url.replace("https:", "http:")
            forged = await client.post("/logout", headers={"Origin": plain})
            assert forged.status_code == 403, "the same host over plain HTTP is another site"


async def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    assert Certificate(*issue(tmp_path)).context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_a_renewed_certificate_is_shown_without_a_restart(app: Any, tmp_path: Path) -> None:
    certificate = Certificate(*issue(tmp_path, name="before"))
    async with served(app, certificate=certificate) as listener:
        assert await shown(listener) == "before"
        assert not certificate.look(), "nothing changed"
        issue(tmp_path, name="after")
        assert certificate.look()
        assert await shown(listener) == "after"


async def test_while_a_renewal_is_half_written_the_certificate_from_before_stays(
    app: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain, key = issue(tmp_path, name="before")
    certificate = Certificate(chain, key)
    (tmp_path / "next").mkdir()
    new_chain, new_key = issue(tmp_path / "next", name="after")
    async with served(app, certificate=certificate) as listener:
        chain.write_bytes(new_chain.read_bytes())
        assert not certificate.look()
        assert "cannot be used yet" in caplog.text
        assert await shown(listener) == "before"
        key.unlink()
        assert not certificate.look()
        assert await shown(listener) == "before"
        key.write_bytes(new_key.read_bytes())
        assert certificate.look()
        assert await shown(listener) == "after"


def spoil(how: str, chain: Path, key: Path, folder: Path) -> None:
    match how:
        case "no certificate":
            chain.unlink()
        case "no key":
            key.unlink()
        case "a folder":
            key.unlink()
            key.mkdir()
        case "no PEM":
            chain.write_text("not a certificate")
        case "a torn certificate":
            chain.write_bytes(chain.read_bytes()[:200])
        case "another's key":
            (folder / "other").mkdir()
            _, other = issue(folder / "other")
            key.write_bytes(other.read_bytes())
        case "a passphrase":
            secret = serialization.load_pem_private_key(key.read_bytes(), None)
            key.write_bytes(
                secret.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(b"secret"),
                )
            )


SPOILED = {
    "no certificate": "No such file",
    "no key": "No such file",
    "a folder": "directory",
    "no PEM": "no PEM file",
    "a torn certificate": "hold no certificate and key",
    "another's key": "does not belong to",
    "a passphrase": "passphrase",
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_cannot_be_served_with_is_refused_in_a_line(how: str, tmp_path: Path) -> None:
    chain, key = issue(tmp_path)
    spoil(how, chain, key, tmp_path)
    with pytest.raises(TlsError, match=SPOILED[how]) as raised:
        Certificate(chain, key)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--tls-cert", "chain.pem"], "go together"),
        (["--tls-cert", "nowhere.pem", "--tls-key", "key.pem"], "nowhere.pem"),
        (["--behind-proxy", "*"], "address or network"),
        (["--behind-proxy", "proxy.local"], "address or network"),
        (["--behind-proxy", "0.0.0.0/0"], "everybody"),
    ],
)
def test_the_command_refuses_what_makes_no_sense_before_it_starts(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issue(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(
        "site: {id: s, name: S, timezone: Asia/Shanghai, latitude: 31, longitude: 121}\n"
    )
    assert main(["run", "--site", "site.yaml", *words]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert why in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("proxies", "believed"), [((), False), (("10.9.9.9",), False), (("127.0.0.1",), True)])
async def test_only_a_named_proxy_says_where_a_request_came_from(
    app: Any, gateway: FakeGateway, proxies: tuple[str, ...], *, believed: bool
) -> None:
    async with served(app, proxies=proxies) as listener:
        origin = f"{'https' if believed else 'http'}://127.0.0.1:{listener.port}"
        headers = {"X-Forwarded-For": "6.6.6.6, 203.0.113.7", "X-Forwarded-Proto": "https", "Origin": origin}
        async with httpx.AsyncClient(base_url=listener.url, headers=headers) as client:
            answer = await client.post("/login", data={"name": "nobody", "password": "x"})
            assert answer.status_code == 401
            assert ("strict-transport-security" in answer.headers) == believed
    rows = await gateway.query("SELECT address FROM audit ORDER BY seq DESC LIMIT 1", ())
    assert rows == [("203.0.113.7" if believed else "127.0.0.1",)]


@pytest.mark.parametrize(("host", "only_here"), [("127.0.0.1", True), ("127.9.9.9", True), ("0.0.0.0", False)])
def test_it_is_known_whether_others_reach_the_console(host: str, *, only_here: bool) -> None:
    listener = listen(host, 0)
    try:
        assert is_loopback(listener) == only_here
    finally:
        listener.close()
