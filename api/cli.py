"""The command line: `lamplighter COMMAND …`. Each command's module is imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Any

from device_drivers.errors import LamplighterError
from gateway.collecting import uncollected

COMMANDS: dict[str, str] = {
    "run": "the gateway, its console and API",
    "demo": "a simulated estate on a real gateway, with a week of history",
    "simulate": "only the simulated devices; also a load generator",
    "check": "validate a site file",
    "plan": "print the dated rounds",
    "replay": "judge an evidence file",
    "rejudge": "judge a stored period again by today's site file",
    "report": "the report of a shift, a day, a week or a month",
    "decode": "one driver on given bytes",
    "drivers": "the drivers and device models",
    "import": "wand exports (Excel, CSV) and other files",
    "discover": "the cameras that answer on this network",
    "export": "evidence of the journal, as a file that replay judges",
    "backup": "a hot copy of the journal",
    "restore": "a journal made of a copy",
    "scores": "sites ranked by their exported scores",
    "verify": "whether the journal was changed, cut off or added to",
    "notify": "whether a contact is reached",
    "sign": "holds the key for checkpoints, apart from the gateway",
    "user": "accounts of the console",
    "key": "keys by which programs use the API",
}
"""Name and one line; the module is `api.commands.NAME` (`import_`, since Python keeps that word)."""

OWN = 0o077
"""What a command writes (journal, copies, exports, reports) names people: its files are its user's alone, whatever folder they are in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 done with problems, 2 wrong use or refused."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="lamplighter", description="Field gateway for the night watch of a property.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if words and words[0] == name:
            _module(name).add(command)
    parsed = parser.parse_args(words)
    module = _module(parsed.command)
    umask = os.umask(OWN)
    try:
        status: int = module.run(parsed)
    except LamplighterError as error:
        print(f"lamplighter {parsed.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 1
    finally:
        os.umask(umask)
    return status


def _module(command: str) -> Any:
    with uncollected():  # looking through what an import makes was a tenth of the time
        return importlib.import_module(f"api.commands.{command}{'_' * keyword.iskeyword(command)}")
