"""Runs a command under what a systemd unit says, as far as it can be had without systemd: `python confined.py UNIT WRITABLE… -- COMMAND`.

Read-only file system but for WRITABLE and a /tmp of its own (ProtectSystem=strict, PrivateTmp), no new privileges, no capabilities, the
unit's system calls (SystemCallFilter, through libseccomp), no memory that is both written and executed (MemoryDenyWriteExecute), a limit of
files and memory. Says on standard error what of it was had. Needs root, unshare and setpriv.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 65, 1
_NO_NEW_PRIVS = 38


def settings(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def calls(words: list[str]) -> set[str]:
    """The system calls that these words of SystemCallFilter leave."""
    allowed: set[str] = set()
    for word in words:
        taken = set().union(*(_group(each) for each in word.removeprefix("~").split()))
        allowed = allowed - taken if word.startswith("~") else allowed | taken
    return allowed | _group("@default")


def _group(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    lines = [line.strip() for line in said.stdout.splitlines()[1:]]
    return set().union(*(_group(line) for line in lines if line and not line.startswith("#")), set())


def reachable() -> str:
    """Shell lines, for a mount space of one's own with a tmpfs at /mnt: this Python and its packages, where only root may look, shown to others."""
    hidden: dict[Path, list[Path]] = {}
    for path in {Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[2]}:
        shut = next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None)
        if shut is not None:
            hidden.setdefault(shut, []).append(path)
    lines = []
    for shut, paths in hidden.items():
        for number, path in enumerate(paths):
            lines.append(f"mkdir -p /mnt/shown-{number} && mount --bind {path} /mnt/shown-{number}")
        lines.append(f"mount -t tmpfs -o mode=755 tmpfs {shut}")
        for number, path in enumerate(paths):
            lines.append(f"mkdir -p {path} && mount --bind /mnt/shown-{number} {path}")
    return " && ".join(["true", *lines])


def filter_calls(allowed: set[str]) -> str:
    name = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
    try:
        lib = ctypes.CDLL(name)
    except OSError:
        return "no libseccomp"
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))
    for each in allowed:
        number = lib.seccomp_syscall_resolve_name(each.encode())
        if number >= 0:
            lib.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0)
    return "had" if lib.seccomp_load(context) == 0 else "not had"


def main() -> None:
    at = sys.argv.index("--")
    unit, writable, command = Path(sys.argv[1]), sys.argv[2:at], sys.argv[at + 1 :]
    if os.environ.get("CONFINED") != "mounted":
        binds = " && ".join(f"mount --bind {each} {each}" for each in writable)
        spared = "|".join([*writable, "/mnt", "/proc*", "/sys*", "/dev*"])
        script = (
            f"mount --make-rprivate / && mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /mnt && {reachable()} && {binds} && "
            "for each in $(awk '{print $2}' /proc/self/mounts | sort -u); do "
            f"case $each in {spared}) ;; *) mount -o remount,bind,ro $each 2>/dev/null || true;; esac; done; "
            'exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set -all --inh-caps -all "$@"'
        )
        os.environ["CONFINED"] = "mounted"
        os.environ["TMPDIR"] = "/mnt"
        os.execvp("unshare", ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, *sys.argv])
    said = settings(unit)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    files = int(said.get("LimitNOFILE", ["1024"])[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    had = {"files": "had"}
    if said.get("MemoryDenyWriteExecute") == ["yes"]:
        had["mdwe"] = "had" if libc.prctl(_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 else "not had"
    try:
        had["calls"] = filter_calls(calls(said["SystemCallFilter"]))
    except (OSError, subprocess.CalledProcessError):
        had["calls"] = "no systemd-analyze"
    try:
        Path("/etc/written").touch()
        had["read-only"] = "not had"
    except OSError:
        had["read-only"] = "had"
    print("confined:", had, file=sys.stderr, flush=True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
