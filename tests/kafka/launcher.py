"""The real command with one of its seams wrapped: at the n-th call it gets a signal.

::

    python -m tests.kafka.launcher '{"seam": "sink.kafka.send", "when": "before", "call": 7}' \\
        run --config v2x.toml --until-end --json

Seams: any method of the store (``store.record``, ``store.delivered``), of the source
(``source.commit``), of the checkpoints (``checkpoints.write``) and of a sink by its name
(``sink.NAME.send``). They are found on the objects of a run, whatever their class, so that a new
destination needs nothing here.
"""

import itertools
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from typing import Any, Literal

from v2x import cli
from v2x.app import running


@dataclass(frozen=True)
class Point:
    """Where the process sends itself the signal."""

    seam: str
    when: Literal["before", "after"]
    call: int
    signal: int = signal.SIGKILL

    def arguments(self) -> list[str]:
        """Arguments for this interpreter that stand before those of the command."""
        return ["-m", "tests.kafka.launcher", json.dumps(asdict(self))]


def arm(run: running.Run, point: Point) -> None:
    """Wrap the seam on the objects of `run`."""
    owners: dict[str, Any] = {
        "store": run.store, "source": run.source, "checkpoints": run.checkpoints,
    }  # fmt: skip
    owners |= {f"sink.{sink.name}": sink for sink in run.sinks}
    owner, _, name = point.seam.rpartition(".")
    method, calls = getattr(owners[owner], name), itertools.count(1)

    def wrapped(*given: Any, **named: Any) -> Any:
        mine = next(calls) == point.call
        if mine and point.when == "before":
            os.kill(os.getpid(), point.signal)
        made = method(*given, **named)
        if mine and point.when == "after":
            os.kill(os.getpid(), point.signal)
        return made

    setattr(owners[owner], name, wrapped)


def main() -> None:
    point = Point(**json.loads(sys.argv.pop(1)))

    class Armed(running.Run):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            arm(self, point)

    running.Run = Armed  # type: ignore[misc]
    cli.main()


if __name__ == "__main__":
    main()
