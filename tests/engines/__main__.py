"""
`python -m tests.engines NAME` starts one engine by hand, until Ctrl-C.
"""

import argparse
import signal

from tests.engines.catalog import CATALOG, Distribution
from tests.engines.launch import EngineDidNotStart, PreparationFailed, missing, start
from tests.engines.processes import ServerDidNotStart


def main() -> None:
    """
    An engine that the person at the terminal can talk to, or the list of them.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    parser.add_argument("name", nargs="?", choices=CATALOG, help="the engine to start")
    parser.add_argument("--list", action="store_true", help="list the engines")
    parser.add_argument("--basic-auth", action="store_true", help="ask for user and password")
    parser.add_argument("--authorization", action="store_true", help="check permissions")
    parser.add_argument("--time-zone", default="UTC", help="the engine's, as Europe/Berlin")
    arguments = parser.parse_args()
    if arguments.list:
        for distribution in CATALOG.values():
            print(f"{distribution.name:<14} {_described(distribution)}")
        return
    if arguments.name is None:
        parser.error("an engine's name or --list is needed")
    if problem := missing(CATALOG[arguments.name]):
        parser.exit(1, f"{problem}\n")
    # As Ctrl-C does, it lets all that was started be ended, and folders be removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(arguments)
    except (EngineDidNotStart, PreparationFailed, ServerDidNotStart) as problem:
        parser.exit(1, f"{problem}\n")
    except KeyboardInterrupt:
        pass


def _described(distribution: Distribution) -> str:
    words = f"{distribution.vendor} {distribution.version}"
    if distribution.database is not None:
        words += f" on {distribution.database.name}"
    return words if distribution.nodes == 1 else f"{words}, {distribution.nodes} nodes"


def _run(arguments: argparse.Namespace) -> None:
    engine = start(
        CATALOG[arguments.name],
        basic_auth=arguments.basic_auth,
        authorization=arguments.authorization,
        time_zone=arguments.time_zone,
    )
    with engine:
        print(engine.url, flush=True)
        for number, node in enumerate(
            engine.nodes[:0] if len(engine.nodes) == 1 else engine.nodes, 1
        ):
            print(f"node {number}: {node.url}", flush=True)
        if arguments.basic_auth:
            print("user {}, password {}".format(*engine.admin), flush=True)
        engine.wait()


if __name__ == "__main__":
    main()
