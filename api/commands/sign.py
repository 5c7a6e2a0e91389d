"""`lamplighter sign`: holds the key for checkpoints in a process of its own, for a user of its own (SECURITY.md)."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from api.commands.run import log_to_terminal, until_stopped
from gateway.journal.checkpoints import KEY_FILE
from gateway.journal.signer import Desk


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--socket", required=True, type=Path, metavar="PATH", help="where the gateway asks (`chain: {signer: …}`)"
    )
    parser.add_argument(
        "--folder", required=True, type=Path, metavar="DIR", help="the key and what was signed are kept here"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help=f"the private key [{KEY_FILE} in the folder]")


def run(parsed: argparse.Namespace) -> int:
    """Answer until stopped."""
    log_to_terminal(logging.INFO)
    desk = Desk(parsed.folder, parsed.key or parsed.folder / KEY_FILE)
    print(f"signing at {parsed.socket}", flush=True)
    return asyncio.run(until_stopped(desk.serve(parsed.socket)))
