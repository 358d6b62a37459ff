"""Entry of the zipapp: ``<zip> supervisor FD MARK`` reads its plan from FD, ``<zip> worker FD`` is started by it."""

import sys


def main() -> None:
    """Run the part that the arguments name, and exit with its status."""
    if sys.argv[1:2] == ["worker"]:
        # Each part is imported only where it runs: the supervisor stays free of what a worker needs, and the reverse.
        from . import worker

        sys.exit(worker.main(int(sys.argv[2])))
    from . import supervisor

    sys.exit(supervisor.main(int(sys.argv[2])))
