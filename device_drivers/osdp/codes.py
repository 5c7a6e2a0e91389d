"""The numbers of OSDP v2: commands, replies, security blocks. Names as in the standard, without `osdp_`."""

from __future__ import annotations

from collections.abc import Mapping

SOM = 0x53
MARK = 0xFF
"""Sent by some before SOM; not counted in the length, not covered by the check."""
REPLY = 0x80
"""Bit of the address that makes a reply."""

SQN, CRC, SCB = 0x03, 0x04, 0x08
"""Bits of the control byte: sequence number, CRC instead of checksum, a security block is there."""

COMMANDS: Mapping[int, str] = {
    0x60: "POLL",
    0x61: "ID",
    0x62: "CAP",
    0x64: "LSTAT",
    0x65: "ISTAT",
    0x66: "OSTAT",
    0x67: "RSTAT",
    0x68: "OUT",
    0x69: "LED",
    0x6A: "BUZ",
    0x6B: "TEXT",
    0x6E: "COMSET",
    0x73: "BIOREAD",
    0x74: "BIOMATCH",
    0x75: "KEYSET",
    0x76: "CHLNG",
    0x77: "SCRYPT",
    0x7B: "ACURXSIZE",
    0x7C: "FILETRANSFER",
    0x80: "MFG",
    0xA1: "XWR",
    0xA2: "ABORT",
    0xA3: "PIVDATA",
    0xA4: "GENAUTH",
    0xA5: "CRAUTH",
    0xA7: "KEEPACTIVE",
}

REPLIES: Mapping[int, str] = {
    0x40: "ACK",
    0x41: "NAK",
    0x45: "PDID",
    0x46: "PDCAP",
    0x48: "LSTATR",
    0x49: "ISTATR",
    0x4A: "OSTATR",
    0x4B: "RSTATR",
    0x50: "RAW",
    0x51: "FMT",
    0x53: "KEYPAD",
    0x54: "COM",
    0x57: "BIOREADR",
    0x58: "BIOMATCHR",
    0x76: "CCRYPT",
    0x78: "RMAC_I",
    0x79: "BUSY",
    0x7A: "FTSTAT",
    0x80: "PIVDATAR",
    0x81: "GENAUTHR",
    0x82: "CRAUTHR",
    0x83: "MFGSTATR",
    0x84: "MFGERRR",
    0x90: "MFGREP",
    0xB1: "XRD",
}

RAW, KEYPAD, RMAC_I = 0x50, 0x53, 0x78

SCS_BEGINS = 0x11
"""Security block of the command that begins a secure channel; until it stands, plain text is right again."""
SCS_ENDS = 0x14
"""Security block of the reply that ends the handshake: 01 in it, and the channel stands."""
SCS = range(SCS_BEGINS, 0x19)
"""All security blocks that there are."""
SCS_CLOSED = frozenset({0x15, 0x16, 0x17, 0x18})
"""Security blocks of a channel that stands: a MAC of 4 bytes before the check."""
SCS_ENCRYPTED = frozenset({0x17, 0x18})
"""Of these the data is encrypted, too."""

DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D, printed in the standard: whoever knows it can listen and speak. Only to hand over a real key."""
