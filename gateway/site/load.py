"""From the YAML file to the checked model, or every mistake with file, line, path and what was expected."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from gateway.errors import ConfigError, Problem
from gateway.site.assembly import assemble
from gateway.site.floor_plans import Image, measure
from gateway.site.mistakes import Mistakes
from gateway.site.model import Site
from gateway.site.positions import MAX_BYTES, WHOLE_FILE, read_document
from gateway.site.positions import Path as Place
from gateway.site.provability import check_provability
from gateway.site.references import check_references
from gateway.site.schedules import check_schedule
from gateway.site.secrets import is_reference, resolve
from gateway.site.sections import Draft, read_sections

SEED_LEAST = 16
"""Characters of a seed that nobody finds out by trying: the starts of one night tell whether a guess was right."""


def load_site(
    path: Path, *, environ: Mapping[str, str] | None = None, secrets: bool = True
) -> tuple[Site, list[Problem]]:
    """Read and check a site file.

    Args:
        path: the YAML file.
        environ: where `env:NAME` secrets are read from (default: the process environment).
        secrets: False: secrets are not resolved (for `check`, `plan`, `replay`): they need not be there. The seed of random
            starts is read all the same, since nobody knows the plan without it; if it is not there that is a warning.

    Returns:
        The model, and the warnings.

    Raises:
        ConfigError: with all errors (and warnings) found, in the order of the file.
    """
    data = _bytes(path)
    document = read_document(data, str(path))
    mistakes = Mistakes(str(path), document)
    draft = read_sections(document, mistakes)
    check_references(draft, mistakes)
    vault = _Vault(os.environ if environ is None else environ, path.parent, mistakes)
    site = None
    if draft.site is not None:
        site = assemble(
            draft,
            folder=path.parent,
            digest=hashlib.sha256(data).hexdigest(),
            secret=vault.read if secrets else lambda reference, _: reference,
            seed=vault.seed(draft.site.entry.jitter_seed, needed=secrets),
            line=document.line,
            images=_images(draft, path.parent, mistakes),
        )
        _check_model(site, draft, mistakes)
    problems = mistakes.listed()
    if site is None or any(problem.level == "error" for problem in problems):
        raise ConfigError(problems)
    return site, problems


def _images(draft: Draft, folder: Path, mistakes: Mistakes) -> dict[str, Image]:
    """The images of the plans by place; one that cannot be shown, and a point outside of one, is a mistake."""
    found: dict[str, Image] = {}
    for entry, path, _ in draft.plans:
        try:
            image = measure(folder / entry.image)
        except ValueError as error:
            mistakes.error(
                (*path, "image"), f"found {entry.image!r}, which {error}; expected an SVG or PNG file of at most 2 MiB"
            )
            continue
        found.setdefault(entry.place, image)
        right, bottom = image.left + image.width, image.top + image.height
        for index, shape in enumerate(entry.shapes):
            for key, points in (("at", (shape.at,) if shape.at else ()), ("polygon", shape.polygon or ())):
                outside = [(x, y) for x, y in points if not (image.left <= x <= right and image.top <= y <= bottom)]
                if outside:
                    mistakes.error(
                        (*path, "shapes", index, key),
                        f"found {outside[0][0]:g}, {outside[0][1]:g}, outside of the image; expected {image.left:g} to {right:g} across "
                        f"and {image.top:g} to {bottom:g} down",
                    )
    return found


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problem = Problem(str(path), None, WHOLE_FILE, f"cannot be read: {reason}; expected a site file")
        raise ConfigError([problem]) from error


class _Vault:
    """Reads secrets; one that is not there is a mistake at its place in the file."""

    def __init__(self, environ: Mapping[str, str], folder: Path, mistakes: Mistakes) -> None:
        self._environ = environ
        self._folder = folder
        self._mistakes = mistakes

    def read(self, reference: str, place: Place) -> str:
        if not is_reference(reference):
            return reference
        try:
            return resolve(reference, self._environ, self._folder)
        except ValueError as error:
            self._mistakes.error(place, f"found `{reference}`, but {error}")
            return ""

    def seed(self, reference: str | None, *, needed: bool) -> str | None:
        """The seed of random starts; None if there is none, or it is not there."""
        if reference is None:
            return None
        place: Place = ("site", "jitter_seed")
        try:
            seed = resolve(reference, self._environ, self._folder)
        except ValueError as error:
            tell = self._mistakes.error if needed else self._mistakes.warning
            tell(place, f"found `{reference}`, but {error}; without it random starts are not known")
            return None
        if len(seed) < SEED_LEAST:
            self._mistakes.warning(
                place,
                f"the seed that `{reference}` names is short enough to be guessed from some starts; expected at least {SEED_LEAST} "
                "characters, such as `openssl rand -hex 32` gives",
            )
        return seed


def _check_model(site: Site, draft: Draft, mistakes: Mistakes) -> None:
    """Schedules and lamps, as far as what they rest on could be read."""
    whole = [
        (rule, placed.path)
        for rule, placed in zip(site.rounds, draft.rounds, strict=True)
        if rule.route in site.routes and not placed.damaged
    ]
    rounds = msgspec.structs.replace(site, rounds=tuple(rule for rule, _ in whole))
    check_schedule(rounds, [place for _, place in whole], mistakes)
    first = {placed.entry.id: placed.path for placed in reversed(draft.lamps)}
    lamps = {lamp.id: lamp for lamp in site.lamps.values() if lamp.place in site.places}
    check_provability(msgspec.structs.replace(site, lamps=lamps), [first[lamp] for lamp in lamps], mistakes)
