"""The pipeline: frames in, alerts out; a function of the frames and nothing else.

Decode, reorder, step, judge. It reads no clock (but to measure itself), so that replay repeats a
live run to the byte. What it remembers from poll to poll is its `state`: a pipeline of the same
configuration into which that is restored goes on as this one would have.

Commands of people are frames too. Each is obeyed between two slices: where it stands among the
frames, or, out of the store's mailbox, after the slice at which it was first taken.
"""

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from v2x import __version__
from v2x.alert import Alert
from v2x.alerts.cases import Refused
from v2x.alerts.commands import FORMAT as COMMAND
from v2x.alerts.commands import Command, Reply
from v2x.alerts.engine import Engine, digest_alerts
from v2x.alerts.inhibition import Window
from v2x.alerts.ledger import Order, Reached
from v2x.alerts.rules import registry as rules
from v2x.app.changing import Asked, Outcome
from v2x.app.live_permits import LivePermits, sealed
from v2x.app.live_zones import FORMAT as ZONES
from v2x.app.live_zones import LiveZones, told
from v2x.app.newest import Heard, Newest
from v2x.app.summary import Counts
from v2x.config import Config
from v2x.errors import ConfigError, DecodeError
from v2x.frames import Frame, Poll, Tick
from v2x.fusion import Tracker, TrackerConfig
from v2x.fusion.placing import place
from v2x.geodesy import undulation
from v2x.ingest.decoding import DEAD, DUPLICATE, PROCESSED, WAITING, DeadLetter, Decoding, Rows
from v2x.ingest.formats import format_named
from v2x.ingest.reorder import Reorder, Slice
from v2x.ingest.timestamps import SECOND
from v2x.lowalt.airspace import Airspace
from v2x.lowalt.permits import FORMS
from v2x.lowalt.plans import load_plans
from v2x.lowalt.registry import load_registry
from v2x.lowalt.terrain import Ground, load_terrain
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zone_files import load_zones
from v2x.lowalt.zones import Zones
from v2x.picture import Picture
from v2x.readings import Readings
from v2x.sensors import SensorTable
from v2x.tracks import Tracks

IDENTS = 100_000
"""Identity texts remembered, oldest out."""

_DIGESTED = (
    ("id", "<i8"),
    ("t_ns", "<i8"),
    ("x", "<f8"),
    ("P", "<f8"),
    ("exist", "<f8"),
    ("status", "u1"),
)
LATE = 4
_FATES = {PROCESSED: "processed", DEAD: "dead_letter", DUPLICATE: "duplicate", LATE: "late"}


class Pipeline:
    """Decode, reorder, step, judge: one area, one process, one state.

    Parameters
    ----------
    config
        Checked configuration.
    replay
        Marks the alerts; changes nothing else.
    watch
        Called with each judged picture, for outputs such as tables of tracks.
    keep
        Keep alerts and track ids for the summary and the digests: for runs that end.
    command_topics
        Topics whose records are commands, and the only ones: who may write there is the broker's
        business. None: every frame of their format is one, as in a drive.
    """

    def __init__(
        self,
        config: Config,
        *,
        replay: bool = False,
        watch: Callable[[Picture], None] | None = None,
        keep: bool = True,
        command_topics: Collection[str] | None = None,
    ) -> None:
        self.config = config
        self.tile = config.tile()
        self.sensors = config.table()
        _formats_known(config)
        self.counts = Counts()
        self.dead: list[DeadLetter] = []
        self.replies: list[Reply] = []
        self.taken: list[tuple[int, Reached]] = []
        self._command_topics = command_topics
        self._orders: deque[Order] = deque()
        self._newest_order = 0
        self._obeyed = 0
        self.slice_s: deque[float] = deque(maxlen=200_000)
        self.slices = 0
        self.alerts: list[Alert] = []
        self.watch = watch
        self._keep = keep
        self._decoding = Decoding(self.sensors)
        waits = self.sensors.wait_ns()
        history_s = config.tracker.history_s
        self._reorder = Reorder(
            config.grid.slice_ms * 1_000_000,
            int(max(waits, default=0)),
            round(history_s * SECOND),
        )
        reach_s = history_s + self._reorder.hold_ns / SECOND if history_s else 0.0
        self._tracker = Tracker(
            self.sensors,
            TrackerConfig(**config.tracker.model_dump() | {"history_s": reach_s}),
            tile_name=config.site.name,
            height_ref_m=self.tile.h0,
        )
        geoid = float(undulation(np.array([self.tile.lat0]), np.array([self.tile.lon0]))[0])
        self._ground_hae_m = config.site.ground_amsl_m + (geoid if np.isfinite(geoid) else 0.0)
        self.zones = _zones(config)
        self.airspace = _airspace(config, self.zones, self.sensors)
        permits = self.airspace.identification.permits
        self._permits = LivePermits(permits, self.zones, self.tile)
        self._live_zones = LiveZones(self.airspace.zones)
        known = rules()
        strange = sorted(set(config.alerts) - set(known))
        if strange:
            raise config.error(
                f"[alerts.{strange[0]}]: no such rule; known: {', '.join(sorted(known))}"
            )
        self.engine = Engine(
            known.values(),
            {name: (s.enabled, s.hold_s, s.quiet_s) for name, s in config.alerts.items()},
            {
                "version": __version__,
                "config_hash": config.digest(),
                "zones_hash": self.zones.hash,
                "replay": replay,
            },
            windows=[Window(m.device, m.start_ns, m.end_ns) for m in config.maintenance],
        )
        self._heard = Heard(self.sensors)
        self._newest = Newest(self.engine.reads)
        self._idents: dict[int, str] = {}
        self._tracks_digest = hashlib.sha256()
        self.used_before = 0

    def state(self) -> dict[str, Any]:
        """Everything that must survive a restart, as plain data, taken between two polls.

        It may share arrays with the pipeline: encode it before the next poll.
        """
        return {
            "counts": self.counts.state(),
            "slices": self.slices,
            "idents": np.fromiter(self._idents, np.int64, len(self._idents)),
            "texts": list(self._idents.values()),
            "decoding": self._decoding.state(),
            "reorder": self._reorder.state(),
            "tracker": self._tracker.snapshot(),
            "airspace": self.airspace.state(),
            "permits": self._permits.state(),
            "live_zones": self._live_zones.state(),
            "engine": self.engine.state(),
            "heard": self._heard.state(),
            "newest": self._newest.state(),
            "newest_order": self._newest_order,
            "obeyed": self._obeyed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `state` gave, into a pipeline just made of the same configuration.

        It then goes on as the other would have; its digests count from here.
        """
        self.counts.restore(state["counts"])
        self.used_before = self.counts.rows["used"]
        self.slices = state["slices"]
        self._idents = dict(zip(state["idents"].tolist(), state["texts"], strict=True))
        self._decoding.restore(state["decoding"])
        self._reorder.restore(state["reorder"])
        self._tracker.restore(state["tracker"])
        self.airspace.restore(state["airspace"])
        self.airspace.identification.permits = self._permits.restored(state["permits"])
        self._judge_by(self._live_zones.restored(state["live_zones"]))
        self.engine.restore(state["engine"])
        self._heard.restore(state["heard"])
        self._newest.restore(state["newest"])
        self._newest_order, self._obeyed = state["newest_order"], state["obeyed"]

    def feed(self, poll: Poll) -> list[Alert]:
        """New alert revisions after one poll.

        `dead` holds the poll's dead letters, `replies` the answers to its commands.
        """
        self.counts.merge_disorder += poll.disorder
        self.dead, self.replies, self.taken = [], [], []
        made: list[Alert] = []
        for frames, stop in self._pieces(poll):
            if frames:
                self._take(self._decoding.decode(frames), frames)
            if isinstance(stop, Tick):
                self._reorder.tick(stop.recv_ns)
            if self._reorder.clock_ns is not None:
                self._permits.start(self._reorder.clock_ns)
                self._live_zones.start(self._reorder.clock_ns)
            for piece in self._reorder.release():
                made += self._judge(piece)
            if isinstance(stop, Frame):
                made += self._read_command(stop)
        return made

    def order(self, orders: Iterable[Order]) -> list[Alert]:
        """Revisions by commands of the mailbox that nobody has taken yet: they are taken now.

        `replies` and `taken` hold what is to be stored with them.
        """
        self.dead, self.replies, self.taken = [], [], []
        at = self.reached
        return [a for order in orders for a in self._obey_order(order._replace(at=at))]

    def expect(self, orders: Iterable[Order]) -> list[Alert]:
        """Let commands of the mailbox be obeyed again where they were first taken.

        Returns the revisions of those whose place is past, which only a command that was taken
        while no pipeline ran can be.
        """
        self.dead, self.replies, self.taken = [], [], []
        self._orders.extend(orders)
        return self._obey_due()

    @property
    def newest_order(self) -> int:
        """Number of the newest command of the mailbox that was taken."""
        return self._newest_order

    @property
    def expects(self) -> bool:
        """Tell whether commands are still to be obeyed again: newer ones must wait."""
        return bool(self._orders)

    @property
    def reached(self) -> Reached:
        """How far it is."""
        return Reached(self.passed, self.passed_ns, self._obeyed)

    def finish(self) -> list[Alert]:
        """Close the slices that still wait, at the end of the input.

        Rows that formats held back for a frame that would have completed them are taken, and
        `dead` holds the frames that waited for others that never came.
        """
        self.dead, self.replies, self.taken = [], [], []
        if self._reorder.clock_ns is not None:
            self._take(self._decoding.end(self._reorder.clock_ns), ())
        return [a for piece in self._reorder.release(everything=True) for a in self._judge(piece)]

    @property
    def tracks(self) -> int:
        """How many tracks were ever reported."""
        return self._tracker.tally.reported

    @property
    def folded(self) -> int:
        """How many rows the tracker went back for: they were used although their slice was over."""
        return self._reorder.folded

    @property
    def passed(self) -> int:
        """Number of the newest slice that was judged."""
        return self._reorder.done

    @property
    def passed_ns(self) -> int:
        """End of the newest slice that was judged."""
        return self._reorder.done * self._reorder.slice_ns

    @property
    def newest(self) -> int:
        """Number of the newest slice that something waits for, or waited for."""
        return self._reorder.newest

    def _pieces(self, poll: Poll) -> Iterator[tuple[Sequence[Frame], Tick | Frame | None]]:
        """Frames up to each tick or command, then the rest: all in order of arrival."""
        for frames, tick in _between_ticks(poll):
            at = 0
            for i, frame in enumerate(frames):
                if self._is_command(frame):
                    yield frames[at:i], frame
                    at = i + 1
            yield frames[at:], tick

    def _is_command(self, frame: Frame) -> bool:
        if self._command_topics is None:
            return frame.format == COMMAND
        return frame.place[0] in self._command_topics

    def _read_command(self, frame: Frame) -> list[Alert]:
        """Obey a command that came as a frame."""
        counter = self.counts.frames.setdefault(frame.sensor, Counter())
        counter["in"] += 1
        try:
            command = Command.parse(frame.payload, frame.recv_ns)
        except DecodeError:
            counter["dead_letter"] += 1
            self.counts.rejects[COMMAND, "bad_command"] += 1
            self.dead.append(DeadLetter(frame, "bad_command"))
            return []
        self._obeyed += 1
        reply, alerts = self._obey(command, self.passed_ns)
        counter["duplicate" if reply.repeated else "processed"] += 1
        return alerts + self._obey_due()

    def _obey(self, command: Command, t_ns: int) -> tuple[Reply, list[Alert]]:
        reply, alerts = self.engine.obey(command, t_ns)
        self.replies.append(reply)
        if self._keep:
            self.alerts += alerts
        return reply, alerts

    def _obey_order(self, order: Order) -> list[Alert]:
        assert order.at is not None
        self._newest_order = order.number
        self.taken.append((order.number, order.at))
        try:
            command = Command.parse(order.payload, order.recv_ns)
        except DecodeError as e:
            why = Refused(422, "bad_command", "", detail=str(e))
            self.replies.append(
                Reply(order.key, "", "", "", "", order.at.t_ns, content="", refused=why)
            )
            return []
        return self._obey(command, order.at.t_ns)[1]

    def _obey_due(self) -> list[Alert]:
        """Obey those commands of the mailbox again whose place has come."""
        made: list[Alert] = []
        while self._orders:
            at = self._orders[0].at
            assert at is not None
            if (self.passed, self._obeyed) < (at.slice, at.obeyed):
                break
            made += self._obey_order(self._orders.popleft())
        return made

    def _judge_by(self, index: ZoneIndex) -> None:
        """Let the next slices be judged by these zones."""
        self.airspace.zones, self.zones = index, index.zones

    def _changes(self, piece: Slice) -> Readings:
        """Take the changes that take effect in a slice; its readings, and what became of them."""
        parts = [piece.readings]
        if outcomes := self._live_zones.take(piece.t_ns):
            self._judge_by(self._live_zones.value)
            parts.append(self._tell(ZONES, outcomes, piece.t_ns))
        if outcomes := self._permits.take(piece.t_ns):
            self.airspace.identification.permits = self._permits.value
            forms = [self.sensors[one.sensor].format for one in outcomes]
            for form in sorted(set(forms)):
                its = [one for one, its in zip(outcomes, forms, strict=True) if its == form]
                parts.append(self._tell(form, its, piece.t_ns))
        return parts[0] if len(parts) == 1 else Readings.concat(parts)

    def _tell(self, form: str, outcomes: Sequence[Outcome], t_ns: int) -> Readings:
        """Readings about what became of changes; refused ones are counted."""
        refused = sum(not one.taken for one in outcomes)
        if refused:
            self.counts.rejects[form, "refused"] += refused
        rows, texts = told(form, outcomes, t_ns)
        self._idents |= texts
        return rows

    def _take(self, rows: Rows, frames: Sequence[Frame]) -> None:
        before = self._reorder.clock_ns
        late, refused = self._reorder.put(
            rows.observations, rows.readings, rows.sensor, rows.recv_ns
        )
        n = len(rows.fate)
        fate = rows.fate.copy()
        of_frame = np.bincount(rows.observations.frame, minlength=n)
        late_of_frame = np.bincount(rows.observations.frame[late], minlength=n)
        fate[(of_frame > 0) & (late_of_frame == of_frame)] = LATE
        for i, frame in enumerate(frames):
            counter = self.counts.frames.setdefault(frame.sensor, Counter())
            counter["in"] += 1
            if fate[i] != WAITING:  # in flight: what becomes of it is counted then
                counter[_FATES[fate[i]]] += 1
        for frame, what in rows.settled:
            self.counts.frames[frame.sensor][_FATES[what]] += 1
        self.counts.rows["decoded"] += len(rows.observations)
        self.counts.rows["late"] += int(np.count_nonzero(late))
        self.counts.rows["refused_future"] += int(np.count_nonzero(refused))
        self.counts.rejects.update(rows.rejects)
        self.dead += rows.dead
        clock = np.maximum.accumulate(rows.recv_ns)
        for one in rows.documents:
            at_ns = int(clock[one.frame]) if before is None else max(before, int(clock[one.frame]))
            sensor = int(rows.sensor[one.frame])
            if one.form in FORMS:
                self._permits.put(at_ns, sealed(sensor, one.form, one.text))
            else:
                self._live_zones.put(at_ns, Asked(sensor, one.text))
        for ident, text in rows.idents.items():
            self._idents.pop(ident, None)
            self._idents[ident] = text
        while len(self._idents) > IDENTS:
            del self._idents[next(iter(self._idents))]

    def _judge(self, piece: Slice) -> list[Alert]:
        began = time.perf_counter()
        if piece.gap:
            self._tracker.reset()
        rows = self.airspace.levels.complete(piece.t_ns, piece.observations, piece.readings)
        plots, refused = place(rows, piece.readings, self.tile, self.sensors, self._ground_hae_m)
        self.counts.rows["refused_unplaced"] += refused
        self.counts.rows["used"] += len(plots)
        tracks = self._tracker.step(plots, piece.t_ns)
        devices = self._heard.devices(piece)
        readings = self._changes(piece)
        low = self.airspace.judge(
            piece.t_ns, tracks, piece.readings, devices, self._idents, rows,
            self._tracker.residuals,
        )  # fmt: skip
        picture = Picture(
            t_ns=piece.t_ns,
            sensors=self.sensors,
            tracks=tracks,
            geodetic=low.geodetic,
            heights=low.heights,
            identities=low.identities,
            zones=low.zones,
            inside=low.inside,
            breach=low.breach,
            stays=low.stays,
            proximity=low.proximity,
            devices=devices,
            readings=self._newest.take(readings),
            residuals=self._tracker.residuals,
            looks=self._tracker.looks,
            facts=self._tracker.facts,
            cross=self._tracker.cross,
            groups=low.groups,
            zone_ids=self.zones.ids,
            plan_ids=self.airspace.plan_ids,
            registry_ns=self.airspace.registry_ns,
            idents=self._idents,
            zones_hash=self.zones.hash,
        )
        alerts = self.engine.judge(picture)
        if self._keep:
            self._digest(tracks)
            self.alerts += alerts
        alerts += self._obey_due()
        self.slices += 1
        self.slice_s.append(time.perf_counter() - began)
        if self.watch is not None:
            self.watch(picture)
        return alerts

    def _digest(self, tracks: Tracks) -> None:
        update = self._tracks_digest.update
        for column, dtype in _DIGESTED:
            update(np.ascontiguousarray(getattr(tracks, column), dtype).tobytes())

    def digests(self) -> dict[str, str]:
        """SHA-256 over all tracks, slice by slice, and over all alert revisions."""
        return {
            "tracks": self._tracks_digest.hexdigest(),
            "alerts": digest_alerts(self.alerts),
        }


def _formats_known(config: Config) -> None:
    for sensor in config.sensors:
        try:
            format_named(sensor.format)
        except ConfigError as e:
            raise config.error(f"sensor {sensor.name}: format: {e}") from None


def _zones(config: Config) -> Zones:
    path = config.file(config.airspace.zones)
    return Zones() if path is None else load_zones(path)


def _airspace(config: Config, zones: Zones, sensors: SensorTable) -> Airspace:
    registry, plans = config.file(config.airspace.registry), config.file(config.airspace.plans)
    tile, ground = config.tile(), _ground(config)
    return Airspace(
        tile,
        sensors,
        ZoneIndex(zones, tile, ground),
        None if registry is None else load_registry(registry),
        None if plans is None else load_plans(plans, zones),
        ground,
        float("nan") if config.site.qnh_hpa is None else config.site.qnh_hpa,
    )


def _ground(config: Config) -> Ground:
    site, path = config.site, config.file(config.site.terrain)
    grid = None if path is None else load_terrain(path)
    return Ground(site.ground_amsl_m, site.ground_sd_m, grid, site.terrain_sd_m)


def _between_ticks(poll: Poll) -> Iterator[tuple[Sequence[Frame], Tick | None]]:
    """Frames before each tick, then the rest, in order of arrival; a tick before its equals."""
    at = 0
    for tick in poll.ticks:
        start = at
        while at < len(poll.frames) and poll.frames[at].recv_ns < tick.recv_ns:
            at += 1
        yield poll.frames[start:at], tick
    yield poll.frames[at:], None
