"""A drill: the same search twice, once left alone, once with its controller and its workers killed again and again.

    python -m isozyme.tests.drill [--controllers 30] [--workers 30] [--seed 0]

Ends with `lost: N`, trials that the journal held at a kill and that are missing or changed at the end, and
`trajectory: same|different`, all of the journal but times, attempts and names of workers.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from isozyme.tests.drill.drill import Drill


def main() -> int:
    """Runs the drill; 0 if nothing was lost and the trajectory is the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--controllers", type=int, default=30, help="how often the controller is killed")
    parser.add_argument("--workers", type=int, default=30, help="how often a worker is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which it strikes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isozyme-drill-") as scratch:
        drill = Drill(Path(scratch), random.Random(options.seed), options.controllers, options.workers)
        result = drill.run()
    print(f"controllers killed: {result.controllers}, workers killed: {result.workers}, sessions: {result.sessions}")
    print(f"trials: {result.trials}, evaluated more than once: {result.repeated}, quarantined: {result.quarantined}")
    print(f"lost: {result.lost}")
    print(f"trajectory: {'same' if result.same else 'different'}")
    return 0 if result.lost == 0 and result.same else 1


if __name__ == "__main__":
    sys.exit(main())
