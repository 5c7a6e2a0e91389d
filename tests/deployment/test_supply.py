"""What the product is made of: licences that may be shipped, every package pinned by hash, the list of it for machines."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import metadata

import pytest

from tests.deployment.first_start import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
NAMES = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==", LOCK, re.MULTILINE)
FORBIDDEN = re.compile(r"\b(A|L)?GPL|GNU (Affero|Lesser|General|Library)|\bEUPL|European Union Public", re.IGNORECASE)
"""Copyleft that would bind who ships the product."""


def licences(name: str) -> str:
    """What a distribution says of its licence: expression, field, classifiers."""
    said = metadata.metadata(name)
    words = [said.get("License-Expression"), (said.get("License") or "")[:200]]
    words += [each for each in said.get_all("Classifier") or [] if each.startswith("License")]
    return "; ".join(word for word in words if word)


def installed() -> list[str]:
    """The packages of the lock file that are here: those of other systems are not."""
    found = []
    for name in NAMES:
        try:
            metadata.metadata(name)
        except metadata.PackageNotFoundError:
            assert "sys_platform == 'win32'" in LOCK[LOCK.index(f"\n{name}==") :].splitlines()[1], name
        else:
            found.append(name)
    return found


def test_no_package_has_a_licence_that_would_bind_the_product() -> None:
    names = installed()
    assert len(names) > 50
    assert {name: said for name in names if FORBIDDEN.search(said := licences(name))} == {}


def test_every_package_says_its_licence() -> None:
    assert [name for name in installed() if not licences(name)] == []


@pytest.mark.parametrize(
    "words",
    [
        "GPL-3.0-only",
        "GNU General Public License v3 (GPLv3)",
        "LGPL-2.1-or-later",
        "AGPL-3.0",
        "EUPL-1.2",
        "GNU Lesser General Public License",
    ],
)
def test_such_a_licence_would_be_seen(words: str) -> None:
    assert FORBIDDEN.search(words)


@pytest.mark.parametrize("words", ["MIT", "Apache-2.0", "EPL-2.0 OR BSD-3-Clause", "MPL-2.0", "PSF-2.0"])
def test_others_are_let_be(words: str) -> None:
    assert not FORBIDDEN.search(words)


def test_every_package_is_pinned_with_a_hash() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert len(entries) == len(NAMES)
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize(("target", "words"), [("sbom", "cyclonedx-py requirements"), ("audit", "pip-audit")])
def test_the_makefile_makes_the_list_and_the_audit_of_the_lock_file(target: str, words: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True)
    [line] = [line for line in done.stdout.splitlines() if words in line]
    assert "requirements.lock" in line
    assert (
        "--require-hashes --requirement requirements-nightly.lock" in done.stdout.replace("\\\n", " ")
        or (ROOT / ".venv/.nightly").exists()
    )


def test_the_list_names_every_package_where_it_can_be_made_here(tmp_path) -> None:
    """`make sbom`'s command, where `make audit` or `make sbom` has installed its program; the lines above hold elsewhere."""
    program = ROOT / ".venv" / "bin" / "cyclonedx-py"
    if not program.exists():
        print("no cyclonedx-py here: not run")
        return
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "sbom"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    [line] = [line for line in done.stdout.splitlines() if "cyclonedx-py" in line]
    made = tmp_path / "sbom.json"
    subprocess.run(["sh", "-ec", line.replace("build/sbom.cdx.json", str(made))], cwd=ROOT, check=True, timeout=60)
    listed = json.loads(made.read_text())
    assert listed["bomFormat"] == "CycloneDX"
    assert {each["name"] for each in listed["components"]} == set(NAMES)
    assert all(each["purl"].startswith("pkg:pypi/") for each in listed["components"])
