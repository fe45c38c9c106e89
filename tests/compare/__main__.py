"""Random sets of resources, put to this control plane and to another one: are all answers equal?

    python -m tests.compare --rival http://127.0.0.1:PORT              200 sets
    python -m tests.compare --rival http://... --first 7 --sets 1      one of them, by its seed

The rival is any compatible control plane, on this machine, with an empty store; ours is started here,
or given with `--ours`. Compared are the verdicts on each resource, the resource as it comes back with its
status, the rules that hold at each proxy, the proxies that each policy selects, lists, names, and with
`--xds` what each Envoy is told. What may differ, and why, is in `verdicts`, `reasons`, `wholes` and
`configs`. Prints each difference and a table; the exit code says whether there was any.

What the rival works out by a timer it should work out several times a second, or it is asked too early.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.compare.compared import Comparison, Report
from tests.compare.side import Side
from tests.compare.world import a_world, all_kinds
from tests.support.mesh import a_control_plane


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compare")
    parser.add_argument("--rival", required=True, help="its REST API, http://host:port")
    parser.add_argument("--ours", help="the same of one of ours that runs already")
    parser.add_argument("--xds", type=int, default=0, help="the rival's port for proxies")
    parser.add_argument("--our-xds", type=int, default=0, help="the same of ours, with --ours")
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first set")
    parser.add_argument("--policies", type=int, default=30, help="in each set")
    parser.add_argument("--kinds", default="", help="of policies; default: all that both have")
    parser.add_argument("--only", default="", help="what to ask; default: all")
    parser.add_argument("--out", type=Path, help="write each difference there, a line of JSON each")
    parser.add_argument("--keep", action="store_true", help="do not delete the sets afterwards")
    parser.add_argument("--show", type=int, default=3, help="examples of each sort of difference")
    return parser.parse_args()


@asynccontextmanager
async def our_side(options: argparse.Namespace) -> AsyncIterator[Side]:
    if options.ours:
        yield Side("ours", options.ours, options.our_xds)
        return
    with tempfile.TemporaryDirectory(prefix="kuma-compare-") as directory:
        async with a_control_plane(Path(directory)) as cp:
            yield Side("ours", cp.url, cp.dp_port)


async def compare(options: argparse.Namespace) -> Report:
    report = Report(options.show)
    only = frozenset(filter(None, options.only.split(",")))
    async with our_side(options) as ours:
        theirs = Side("theirs", options.rival, options.xds)
        await asyncio.gather(ours.learn(), theirs.learn())
        known = ours.kinds & theirs.kinds
        kinds = [each for each in all_kinds() if each in known]
        if options.kinds:
            kinds = [each for each in kinds if each in options.kinds.split(",")]
        for seed in range(options.first, options.first + options.sets):
            world = a_world(seed, kinds, policies=options.policies)
            comparison = Comparison(world, ours, theirs, report, only)
            try:
                await comparison.run()
            finally:
                if not options.keep:
                    await comparison.delete()
            print(f"\r{report.line(seed)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return report


def main() -> int:
    options = arguments()
    report = asyncio.run(compare(options))
    if options.out:
        lines = (json.dumps(each, default=str) for each in report.found)
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(report.table())
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
