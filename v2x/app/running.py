"""The loop of a live run: judge, store, push, commit, in this order and never another.

Each poll's outcome is one transaction of the store. Destinations are served from the store by
workers of their own and hold nothing up. The group's offset is committed, once a second, when the
slices of a frame are judged and stored and Kafka has confirmed the alerts that came of them.

A restart reads again from where the run began and derives everything anew: what is stored stays,
what would differ is counted and shown. Its time therefore grows with the length of the run.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from v2x.alert import Alert, Sink
from v2x.alerts.delivery import Worker
from v2x.alerts.sinks.jsonl import JsonLines
from v2x.alerts.sinks.kafka import KafkaAlerts
from v2x.alerts.store import Store
from v2x.app.pipeline import Pipeline
from v2x.app.summary import steal_s, summary
from v2x.config import Config
from v2x.frames import Place, Poll
from v2x.ingest.decoding import DeadLetter
from v2x.ingest.kafka import KafkaSource, connection

log = structlog.get_logger()

DRAIN_S = 60.0
"""How long an ending run waits for its destinations; what is left stays in the store."""
COMMIT_S = 1.0


class Run:
    """A pipeline between Kafka and its destinations.

    Parameters
    ----------
    config
        Checked configuration with ``[kafka]`` topics.
    until_end
        Stop at the end offsets seen at the start, close all slices, drain, return.
    """

    def __init__(self, config: Config, *, until_end: bool) -> None:
        self.config = config
        self.until_end = until_end
        self.pipeline = Pipeline(config, keep=until_end)
        self.differing: list[tuple[str, int]] = []
        self.sinks = _sinks(config)
        letters_to = next((s.name for s in self.sinks if isinstance(s, KafkaAlerts)), None)
        path = config.file(config.store)
        assert path is not None
        names = [sink.name for sink in self.sinks]
        self.store = Store.open(path, names, letters_to=letters_to)
        try:
            start = self.store.begin_run({}, config.digest())
            self.source = KafkaSource(config.kafka, start, until_end=until_end)
            try:
                if letters_to:
                    self.source.require(config.kafka.alerts_topic, config.kafka.dead_letter_topic)
                self.store.begin_run(self.source.starts, config.digest())
            except BaseException:
                self.source.close()
                raise
        except BaseException:
            self.store.close()
            raise
        self.workers = [Worker(self.store, sink) for sink in self.sinks]
        self._kafka = letters_to
        self._judging: deque[tuple[int, Mapping[Place, int]]] = deque()
        self._confirming: deque[tuple[int, Mapping[Place, int]]] = deque()
        self._judged: Mapping[Place, int] = {}
        self._commit_at = 0.0

    def stop(self) -> None:
        """End after the poll under way; safe to call from a signal handler."""
        self.source.stopping = True

    def run(self) -> dict[str, Any]:
        """Run to the end of the source, drain, and return the summary."""
        stolen, began = steal_s(), time.process_time()
        for worker in self.workers:
            worker.start()
        try:
            for poll in self.source:
                self._step(poll, self.pipeline.feed(poll))
            if self.until_end and not self.source.stopping:
                self._record(self.pipeline.finish(), ())
            end = time.monotonic() + DRAIN_S
            drained = [worker.drain(end - time.monotonic()) for worker in self.workers]
            for worker in self.workers:
                worker.check()
            self._commit()
            told = summary(self.pipeline, time.process_time() - began, steal_s() - stolen)
            if not self.until_end:  # a run without end keeps neither: the store has them
                for name in ("alerts", "digest"):
                    del told[name]
            told["differing"] = [f"{id}.{rev}" for id, rev in self.differing]
            told["lost_upstream"] = self.source.lost_upstream
            told["commit_failures"] = self.source.commit_failures
            told["outbox"] = self.store.stats()
            told["drained"] = all(drained)
            return told
        finally:
            for worker in self.workers:
                worker.stop()
            self.source.close()
            self.store.close()

    def _step(self, poll: Poll, alerts: Sequence[Alert]) -> None:
        self._judging.append((self.pipeline.newest, poll.positions))
        self._record(alerts, self.pipeline.dead)
        if time.monotonic() >= self._commit_at:
            self._commit()
            self._commit_at = time.monotonic() + COMMIT_S
        for worker in self.workers:
            worker.check()

    def _record(self, alerts: Sequence[Alert], dead: Sequence[DeadLetter]) -> None:
        """Make durable what came of a poll, and the position whose slices are all judged."""
        judged: Mapping[Place, int] = {}
        while self._judging and self._judging[0][0] <= self.pipeline.passed:
            judged = self._judging.popleft()[1]
        if judged == self._judged:
            judged = {}
        if not (alerts or dead or judged):
            return  # a quiet wire writes nothing
        counts = self.pipeline.counts.frames if judged else {}  # they belong to a position
        differing = self.store.record(alerts, dead, judged, counts)
        for id, rev in differing:
            log.error("a stored alert would differ", alert=id, rev=rev, store=str(self.store.path))
        self.differing += differing
        if judged:
            self._judged = judged
            number = self.store.newest_number()
            if self._confirming and self._confirming[-1][0] == number:
                self._confirming.pop()  # nothing between them to be confirmed
            self._confirming.append((number, judged))
        if alerts or dead:
            for worker in self.workers:
                worker.wake()

    def _commit(self) -> None:
        """Commit the newest position that is judged, stored and, on Kafka, confirmed."""
        unconfirmed = self.store.oldest_unconfirmed(self._kafka) if self._kafka else None
        reached: Mapping[Place, int] | None = None
        while self._confirming and not (
            unconfirmed and self._confirming[0][0] >= unconfirmed.number
        ):
            reached = self._confirming.popleft()[1]
        if reached:
            self.source.commit(reached)


def _sinks(config: Config) -> list[Sink]:
    made: list[Sink] = []
    for settings in config.sinks:
        name = settings.name or settings.kind
        if settings.kind == "jsonl":
            path = config.file(settings.path)
            assert path is not None  # the configuration refuses a jsonl sink without a path
            made.append(JsonLines(path, name))
        else:
            options = connection(config.kafka)
            bootstrap = ",".join(options.pop("bootstrap_servers"))
            made.append(
                KafkaAlerts(
                    bootstrap,
                    config.kafka.alerts_topic,
                    config.kafka.dead_letter_topic,
                    source=f"v2x/{config.site.name}",
                    name=name,
                    options=options,
                )
            )
    return made
