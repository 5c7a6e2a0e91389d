"""From the YAML file to the checked model, or every mistake with file, line, path and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.errors import Problem
from gateway.site.model import Site


def load_site(
    path: Path, *, environ: Mapping[str, str] | None = None, secrets: bool = True
) -> tuple[Site, list[Problem]]:
    """Read and check a site file.

    Args:
        path: the YAML file.
        environ: where `env:NAME` secrets are read from (default: the process environment).
        secrets: False: secrets are not resolved (for `check`, `plan`, `replay`): they need not be there.

    Returns:
        The model, and the warnings.

    Raises:
        ConfigError: with all errors (and warnings) found, in the order of the file.
    """
    raise NotImplementedError
