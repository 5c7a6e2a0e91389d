"""`python -m tests.nights`: nights with known truth, judged; false accusations and what was not found, as tables."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.nights.run import SCORES, SHARES, keep, many


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.nights", description=__doc__)
    nights = int(os.environ.get("LAMPLIGHTER_NIGHTS", "200"))
    parser.add_argument(
        "--nights", type=int, default=nights, help=f"of rounds [{nights}]; a tenth each of lamps and cameras"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first night [0]")
    parser.add_argument("--sort", choices=sorted(SCORES), help="only this sort of night")
    parser.add_argument("--jobs", type=int, help="processes [one a core]")
    parser.add_argument(
        "--evidence", type=Path, default=Path("build/nights"), help="where failures are written [build/nights]"
    )
    parsed = parser.parse_args()
    failed = 0
    for sort in [parsed.sort] if parsed.sort else list(SCORES):
        number = parsed.nights if parsed.sort else max(1, round(parsed.nights * SHARES[sort]))
        began = time.monotonic()
        total = many(sort, parsed.seed, number, parsed.jobs)
        print(
            f"\n{number} nights of {sort}, seeds {parsed.seed} to {parsed.seed + number - 1}, {time.monotonic() - began:.0f} s\n"
        )
        print("\n".join(total.score.table()), flush=True)
        for failure in total.failures:
            failed += 1
            for each in failure.accusations:
                print(f"  seed {failure.seed}: {each.what} {each.subject}")
            place = keep(failure, parsed.evidence)
            print(f"    lamplighter replay --site {place}/site.yaml {place}/evidence.jsonl", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
