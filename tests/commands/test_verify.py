"""`lamplighter verify`: says whether the journal is as it was written, what is not, and where; proves single rows."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from gateway.journal.notes import Key
from gateway.journal.store import connect
from tests.journal.chained import Made, Thief, make


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("verify") / "data")


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    shutil.copytree(original.folder, tmp_path / "data")
    copy = Made(tmp_path / "data")
    copy.printed = list(original.printed)
    (tmp_path / "printed.txt").write_text("\n".join(copy.printed), encoding="utf-8")
    (tmp_path / "key.txt").write_text(f"{copy.key.public}\n")
    return copy


def said(capsys: pytest.CaptureFixture[str], expected: int, *words: str | Path) -> str:
    capsys.readouterr()
    assert main(["verify", *map(str, words)]) == expected
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], expected: int, *words: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(capsys, expected, *words, "--json"))
    return found


def test_an_intact_journal(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--data", made.folder, "--checkpoint", tmp_path / "printed.txt", "--public-key", tmp_path / "key.txt")
    text = said(capsys, 0, *words)
    assert "25 rows in the chain (5 visit_revision, 5 alert_transition, 5 entry, 6 audit, 4 checkpoint)" in text
    assert "intact: 4 checkpoints of the journal fit, the last over 20 rows" in text
    assert "4 of 4 given checkpoints are beginnings of this journal" in text
    assert "the journal itself names" not in text
    found = document(capsys, 0, *words)
    assert (found["intact"], found["size"], found["given"], found["given_good"]) == (True, 25, 4, 4)
    assert found["first"] is None


def test_without_a_checkpoint_from_elsewhere_it_says_what_that_cannot_show(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    (made.folder / "keys" / "checkpoint.pub").write_text(f"{made.key.public}\n")
    text = said(capsys, 0, "--data", made.folder)
    assert "a checkpoint kept elsewhere shows that (--checkpoint)" in text
    assert "with the keys that the journal itself names" in text


def test_the_first_changed_row_is_told_with_table_number_time_and_what(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thief = Thief(made)
    seq = thief.seqs("visit_revision")[1]
    thief.run("UPDATE visit_revision SET verdict = 'on_time' WHERE seq = ?", (seq,))
    thief.run("UPDATE audit SET who = 'nobody' WHERE seq = ?", (thief.seqs("audit")[-1],))
    thief.gone()
    words = ("--data", made.folder, "--public-key", tmp_path / "key.txt")
    text = said(capsys, 1, *words)
    assert f"NOT INTACT. First: visit_revision {seq}, 2026-" in text
    assert "changed: the row is not the one that was written (leaf 6)" in text
    found = document(capsys, 1, *words)
    assert (found["first"]["what"], found["first"]["table"], found["first"]["seq"]) == (
        "changed",
        "visit_revision",
        seq,
    )
    assert len(found["faults"]) == 2


def test_a_history_made_anew_is_told_by_what_was_printed(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thief = Thief(made)
    thief.run("UPDATE visit_revision SET verdict = 'on_time' WHERE seq = ?", (thief.seqs("visit_revision")[1],))
    thief.make_anew(key=made.key)
    thief.gone()
    words = ("--data", made.folder, "--public-key", tmp_path / "key.txt")
    said(capsys, 0, *words)
    text = said(capsys, 1, *words, "--checkpoint", tmp_path / "printed.txt")
    assert (
        "rewritten: among the rows of leaves 5 to 9 at least one was changed, and leaves were made anew to fit" in text
    )


def test_it_reads_a_journal_that_is_being_written_and_a_copy_that_nobody_can_write(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writing = connect(made.path)
    made.write(writing, "audit", seq=1000)
    words = ("--data", made.folder, "--public-key", tmp_path / "key.txt")
    assert document(capsys, 0, *words)["size"] == 26
    writing.close()
    for path in (made.path, made.folder):
        path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert document(capsys, 0, *words)["size"] == 26
    finally:
        made.folder.chmod(0o700)
    assert [path.name for path in made.folder.iterdir() if path.is_file()] == [
        "journal.db",
        "lock",
    ] or os.geteuid() == 0


def test_wrong_use_is_said_and_is_not_a_verdict(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.txt").write_text("hello\n")
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        (("--data", tmp_path / "empty"), "there is no journal in"),
        (("--data", made.folder, "--checkpoint", tmp_path / "nothing.txt"), "no checkpoint in it"),
        (("--data", made.folder, "--checkpoint", tmp_path / "none.txt"), "No such file"),
        (("--data", made.folder, "--public-key", tmp_path / "nothing.txt"), "is no Ed25519 verifier key"),
        (("--data", made.folder, "--proof", "log", "1"), "the rows of 'log' are not in the chain"),
        (("--data", made.folder, "--proof", "audit", "x"), "'x' is no number"),
        (("--data", made.folder, "--proof", "audit", "999"), "there is no audit 999"),
        (("--check-proof", tmp_path / "nothing.txt"), "is no proof"),
    ]
    for words, message in cases:
        assert main(["verify", *map(str, words)]) == 2
        assert message in capsys.readouterr().err, words


def test_what_is_no_journal_any_more_is_not_intact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal.db").write_bytes(b"\xff" * 8192)
    assert "is damaged" in said(capsys, 1, "--data", tmp_path)


def test_a_journal_of_the_version_before_is_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connect(tmp_path / "journal.db").close()
    assert main(["verify", "--data", str(tmp_path)]) == 2
    assert "start the gateway of this version on it once" in capsys.readouterr().err


@pytest.mark.parametrize("table", ["visit_revision", "alert_transition", "entry", "audit", "checkpoint"])
def test_a_row_is_proved_without_the_journal(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    thief = Thief(made)
    seq = str(thief.seqs(table)[1])
    thief.gone()
    proof = said(capsys, 0, "--data", made.folder, "--proof", table, seq)
    shutil.rmtree(made.folder)
    file = tmp_path / "proof.json"
    file.write_text(proof)
    text = said(capsys, 0, "--check-proof", file, "--public-key", tmp_path / "key.txt")
    assert f"{table} {seq}: holds" in text
    assert "signature was not looked at" not in text
    changed = json.loads(proof)
    changed["row"]["at"] += 1
    file.write_text(json.dumps(changed))
    assert "does NOT hold: the row is not in the tree" in said(capsys, 1, "--check-proof", file)


def test_a_proof_for_a_printed_checkpoint_holds_for_that_one_only(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 3):
        (tmp_path / f"{number}.txt").write_text(made.printed[number])
    thief = Thief(made)
    seq = str(thief.seqs("audit")[1])
    thief.gone()
    proof = said(capsys, 0, "--data", made.folder, "--proof", "audit", seq, "--checkpoint", tmp_path / "1.txt")
    file = tmp_path / "proof.json"
    file.write_text(proof)
    assert "holds" in said(capsys, 0, "--check-proof", file, "--checkpoint", tmp_path / "1.txt")
    assert "not for the one given" in said(capsys, 1, "--check-proof", file, "--checkpoint", tmp_path / "3.txt")
    other = Key.open(tmp_path / "other.key", "lamplighter/s").public
    (tmp_path / "other.txt").write_text(str(other))
    text = said(capsys, 1, "--check-proof", file, "--public-key", tmp_path / "other.txt")
    assert "not signed by a key that you trust" in text


def test_that_a_checkpoint_continues_another_is_proved_without_the_journal(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, note in enumerate(made.printed):
        (tmp_path / f"{number}.txt").write_text(note)
    file, key = tmp_path / "proof.json", tmp_path / "key.txt"
    file.write_text(said(capsys, 0, "--data", made.folder, "--continues", tmp_path / "0.txt"))
    text = said(capsys, 0, "--check-proof", file, "--public-key", key, "--checkpoint", tmp_path / "3.txt")
    assert "continuation: holds; nothing was changed between" in text
    assert "other checkpoints" in said(capsys, 1, "--check-proof", file, "--checkpoint", tmp_path / "2.txt")
    words = ("--data", made.folder, "--continues", tmp_path / "1.txt", "--checkpoint")
    file.write_text(said(capsys, 0, *words, tmp_path / "2.txt"))
    said(capsys, 0, "--check-proof", file, "--public-key", key)
    assert main(["verify", *map(str, words), str(tmp_path / "0.txt")]) == 2
    assert "cannot continue" in capsys.readouterr().err
    changed = json.loads(file.read_text())
    changed["path"] = changed["path"][1:]
    file.write_text(json.dumps(changed))
    assert "does not continue the older one" in said(capsys, 1, "--check-proof", file)
    thief = Thief(made)
    thief.run("UPDATE visit_revision SET verdict = 'on_time' WHERE seq = ?", (thief.seqs("visit_revision")[0],))
    thief.make_anew(key=made.key)
    thief.gone()
    assert main(["verify", "--data", str(made.folder), "--continues", str(tmp_path / "1.txt")]) == 2
    assert "does not continue both" in capsys.readouterr().err


def test_the_key_is_shown(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    (made.folder / "keys" / "checkpoint.pub").write_text(f"{made.key.public}\n")
    assert said(capsys, 0, "--data", made.folder, "--public-key").strip() == str(made.key.public)
