"""The loop of a live run: judge, store, push, commit, in this order and never another.

Each poll's outcome is one transaction of the store. Destinations are served from the store by
workers of their own and hold nothing up. The group's offset is committed, once a second, when the
slices of a frame are judged and stored and Kafka has confirmed the alerts that came of them.
Between two polls commands are taken out of the mailbox of the store, and stored with what they did
and after which slice: read again, they are obeyed there.

Every few seconds of event time, between two polls, the state of the pipeline and of the source goes
into a checkpoint. A restart goes on from the newest one that is sound, ours, and not ahead of the
store; without any it reads the run again from its start. What it derives a second time is compared
with what is stored: the stored one stays, what would differ is counted and shown.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from v2x import __version__
from v2x.alert import Alert, Sink
from v2x.alerts.commands import FORMAT as COMMAND
from v2x.alerts.commands import SENSOR as OPERATORS
from v2x.alerts.delivery import Worker
from v2x.alerts.sinks.jsonl import JsonLines
from v2x.alerts.sinks.kafka import KafkaAlerts
from v2x.alerts.sinks.webhook import Webhook
from v2x.alerts.store import Store
from v2x.app.checkpoint import CheckpointError, Checkpoints, Context
from v2x.app.pipeline import Pipeline
from v2x.app.summary import steal_s, summary
from v2x.config import Config, KafkaSettings, KafkaTopic
from v2x.frames import Place, Poll
from v2x.ingest.decoding import DeadLetter
from v2x.ingest.kafka import KafkaSource, connection
from v2x.ingest.timestamps import SECOND, iso

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
        self.differing: list[tuple[str, int]] = []
        self.sinks = _sinks(config)
        letters_to = next((s.name for s in self.sinks if isinstance(s, KafkaAlerts)), None)
        path = config.file(config.store)
        assert path is not None
        names = [sink.name for sink in self.sinks]
        self.store = Store.open(path, names, letters_to=letters_to, own=True)
        try:
            start = self.store.begin_run({}, config.digest())
            self._judging: deque[tuple[int, Mapping[Place, int]]] = deque()
            self._judged: Mapping[Place, int] = {}
            self.pipeline = self._pipeline()
            self.checkpoints = self._checkpoints(path)
            read_on = self._resume()
            self._told_again = self.pipeline.expect(
                self.store.orders(self.pipeline.newest_order, waiting=False)
            )
            self.source = KafkaSource(
                _with_commands(config.kafka), start, until_end=until_end, state=read_on
            )
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
        self._confirming: deque[tuple[int, Mapping[Place, int]]] = deque()
        self._commit_at = 0.0

    def _pipeline(self) -> Pipeline:
        topic = self.config.kafka.commands_topic
        topics = frozenset() if topic is None else frozenset({topic})
        return Pipeline(self.config, keep=self.until_end, command_topics=topics)

    def _checkpoints(self, store: Path) -> Checkpoints | None:
        if not self.config.checkpoint_s:
            return None
        folder = self.config.file(self.config.checkpoints)
        context = Context(__version__, self.config.digest(), self.pipeline.zones.hash)
        return Checkpoints(folder or store.with_name(store.name + ".checkpoints"), context)

    def _resume(self) -> Mapping[str, Any] | None:
        """Go on from a checkpoint: the state of the source, None without one."""
        self._frames_before = 0
        self._resumed_ns: int | None = None
        self._checkpoint_ns = 0
        self._refused: list[str] = []
        if self.checkpoints is None:
            return None
        source, self._refused = self.checkpoints.resume(self._use)
        if source is None:
            if self.store.positions():
                log.warning("no checkpoint to go on from: reading the run again from its start")
            return None
        pipeline = self.pipeline
        self._judging.append((pipeline.newest, _places(source["positions"])))
        self._resumed_ns = pipeline.passed_ns
        self._frames_before = pipeline.counts.totals()["in"]
        self._checkpoint_ns = self._resumed_ns + round(self.config.checkpoint_s * SECOND)
        if self.until_end:
            pipeline.alerts = [a for a in self.store.alerts() if a.event_ns <= self._resumed_ns]
        return source

    def _use(self, state: dict[str, Any]) -> Mapping[str, Any]:
        """Make the pipeline of a state, if the store holds all that came of it; its source's."""
        held, stored = self.store.positions(), _places(state["stored"])
        behind = any(held.get(place, -1) < seq for place, seq in stored.items())
        if behind or self.store.newest_number() < state["posted"]:
            raise CheckpointError(f"ahead of the store, another one or older: {self.store.path}")
        pipeline = self._pipeline()
        pipeline.restore(state["pipeline"])
        self.pipeline, self._judged = pipeline, stored
        source: Mapping[str, Any] = state["source"]
        return source

    def _checkpoint(self, *, last: bool = False) -> None:
        """Between two polls: put the state away, if it is time and something is stored of it.

        What is stored of it tells, after a restart, whether the store is still the same.
        """
        if self.checkpoints is None:
            return
        reached_ns = self.pipeline.passed_ns
        if not last and (reached_ns < self._checkpoint_ns or self.checkpoints.busy):
            return
        posted = self.store.newest_number()
        if not (self._judged or posted):
            return
        self._checkpoint_ns = reached_ns + round(self.config.checkpoint_s * SECOND)
        self.checkpoints.save(
            {
                "pipeline": self.pipeline.state(),
                "source": self.source.state(),
                "stored": [(*place, seq) for place, seq in self._judged.items()],
                "posted": posted,
            }
        )

    def stop(self) -> None:
        """End after the poll under way; safe to call from a signal handler."""
        self.source.stopping = True

    def run(self) -> dict[str, Any]:
        """Run to the end of the source, drain, and return the summary."""
        stolen, began = steal_s(), time.process_time()
        for worker in self.workers:
            worker.start()
        try:
            self._record(self._told_again, ())
            for poll in self.source:
                self._step(poll, self.pipeline.feed(poll))
            self._obey()
            self._checkpoint(last=True)
            if self.until_end and not self.source.stopping:
                alerts = self.pipeline.finish()
                self._record(alerts, self.pipeline.dead)
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
            told["checkpoint"] = self._told()
            told["lost_upstream"] = self.source.lost_upstream
            told["commit_failures"] = self.source.commit_failures
            told["outbox"] = self.store.stats()
            told["drained"] = all(drained)
            return told
        finally:
            for worker in self.workers:
                worker.stop()
            if self.checkpoints is not None:
                self.checkpoints.close()
            self.source.close()
            self.store.close()

    def _step(self, poll: Poll, alerts: Sequence[Alert]) -> None:
        self._judging.append((self.pipeline.newest, poll.positions))
        self._record(alerts, self.pipeline.dead)
        self._obey()
        self._checkpoint()
        if time.monotonic() >= self._commit_at:
            self._commit()
            self._commit_at = time.monotonic() + COMMIT_S
        for worker in self.workers:
            worker.check()

    def _obey(self) -> None:
        """Obey what waits in the mailbox, once all that was taken before is obeyed again."""
        if self.pipeline.expects:
            return
        orders = self.store.orders(self.pipeline.newest_order)
        if orders:
            self._record(self.pipeline.order(orders), ())

    def _record(self, alerts: Sequence[Alert], dead: Sequence[DeadLetter]) -> None:
        """Make durable what came of a poll, and the position whose slices are all judged."""
        judged: Mapping[Place, int] = {}
        while self._judging and self._judging[0][0] <= self.pipeline.passed:
            judged = self._judging.popleft()[1]
        if judged == self._judged:
            judged = {}
        pipeline = self.pipeline
        if not (alerts or dead or judged or pipeline.replies or pipeline.taken):
            return  # a quiet wire writes nothing
        counts = pipeline.counts.frames if judged else {}  # they belong to a position
        differing = self.store.record(
            alerts, dead, judged, counts,
            replies=pipeline.replies, taken=pipeline.taken, reached=pipeline.reached,
        )  # fmt: skip
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

    def _told(self) -> dict[str, Any]:
        """Where this process went on from, and what it read and wrote; for the summary."""
        if self.checkpoints is not None:
            self.checkpoints.settle()
        return {
            "resumed": None if self._resumed_ns is None else iso(self._resumed_ns),
            "frames_read": self.pipeline.counts.totals()["in"] - self._frames_before,
            "refused": self._refused,
            "written": 0 if self.checkpoints is None else self.checkpoints.written,
            "failed": 0 if self.checkpoints is None else self.checkpoints.failed,
        }

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


def _with_commands(settings: KafkaSettings) -> KafkaSettings:
    """Read the topic of commands too."""
    if settings.commands_topic is None:
        return settings
    topic = KafkaTopic(topic=settings.commands_topic, format=COMMAND, sensor=OPERATORS)
    return settings.model_copy(update={"topics": (*settings.topics, topic)})


def _places(plain: Sequence[Any]) -> dict[Place, int]:
    return {(topic, part): seq for topic, part, seq in plain}


def _sinks(config: Config) -> list[Sink]:
    made: list[Sink] = []
    for settings in config.sinks:
        name = settings.name or settings.kind
        if settings.kind == "jsonl":
            path = config.file(settings.path)
            assert path is not None  # the configuration refuses a jsonl sink without a path
            made.append(JsonLines(path, name))
        elif settings.kind == "webhook":
            assert settings.url is not None  # likewise a webhook without a URL
            authorities = config.file(settings.ca_file)
            made.append(
                Webhook(
                    settings.url,
                    settings.secrets,
                    settings.allow,
                    source=f"v2x/{config.site.name}",
                    name=name,
                    authorities=None if authorities is None else str(authorities),
                )
            )
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
