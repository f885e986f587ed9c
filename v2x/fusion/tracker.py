"""The tracker: plots of one slice in, the tracks at its end out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import isfinite, isinf
from typing import Any

import numpy as np

from v2x.columns import F8, I4, I8
from v2x.errors import ConfigError
from v2x.fusion import intensity, layout, modes, snapshot
from v2x.fusion.crew import Crew
from v2x.fusion.crossings import MOST_TRACKS
from v2x.fusion.history import BEGINNING, Checkpoint, History, Step, blank_above, copy_of, scan_keys
from v2x.fusion.layout import Beams, Live, Output, Settings, Sheet
from v2x.fusion.memory import Memory
from v2x.fusion.rates import N_COUNTS
from v2x.fusion.sheets import sheet_of
from v2x.fusion.watch import Watch, named
from v2x.plots import Plots
from v2x.sensors import Sensor, SensorTable
from v2x.tracks import CrossResiduals, Looks, Residuals, SensorFacts, Tracks

_ID_MASK = 0x7FFF_FFFF_FFFF_FFFF
MOST_THREADS = 16
_NOTHING = layout.new_output(0)
_NOBODY: I8 = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """Numbers of the tracker. Defaults are the ones that did best on seeded scenarios.

    Attributes
    ----------
    death_per_s
        Hazard that an object is gone.
    birth_ratio, birth_floor
        Density of new objects per look as a share of the sensor's clutter density; the floor, in
        the sensor's unit (per m² or m³), for sensors without clutter.
    unseen_ratio
        The same where nobody has looked, for the map of the undetected of `v2x.fusion.intensity`:
        at start-up, after silence, beyond coverage. 0: no map, births everywhere alike.
    gate_d2, gate_d2_3d
        Squared Mahalanobis distance beyond which a plot is none of the track's.
    prune_exist, drop_exist, confirm_exist
        A track ends below the first, stays confirmed down to the second once above the third.
    motion
        ``imm``: the motion modes of `v2x.fusion.modes`, chosen by kind. ``cv``: nearly constant
        velocity for everything, with the next two.
    psd_m2_s3, psd_up_m2_s3
        White acceleration noise of ``cv``, horizontal and vertical.
    start_speed_sd_ground_mps, start_speed_sd_air_mps, start_climb_sd_mps
        Deviation of the velocity of a track whose first plot has none.
    end_sd_ground_m, end_sd_air_m, end_after_s
        A track without plots ends when its deviation is larger, or after so long; never within
        2 s or 2.5 periods of the slowest sensor that fed it.
    bp_sweeps, bp_tolerance, exact_plots
        Belief propagation stops at whichever comes first, per cluster; contested clusters of up to
        so many plots (6 at most) and 8 tracks are summed exactly instead, which costs no more and
        keeps more identities in dense traffic.
    ident_same, ident_unclaimed, ident_other
        Relative likelihood of an identity claim: track has the same, none (also clutter), another.
    same_ref_factor
        What it weighs that the sender gives an object the number it gave this track last time: a
        hint, for senders swap numbers.
    kind_floor
        Least likelihood of a label: a wrong one must not break a track.
    velocity_sd_factor
        Reported velocities are filtered by their sender, so their deviation is multiplied before
        the state is updated with them. Measured on turning objects at 30 reports/s: honest
        velocities of 0.5 m/s take GOSPA from 0.53 to 0.36, those of a sender that lags by 0.3 s
        to 0.50; at factor 2 they would take it to 0.32 and 0.60. A sender that lags by 1 s
        does harm at any factor: leave its velocity out, or set `track_input`.
    max_claim_tracks
        Living tracks that rest on self-reports alone.
    history_s
        How far back a late row is still folded in, as if it had come in time. Costs the memory of
        all plots of so long and of two copies of the tracks a second, and 3 % of the time; 0: a
        late row is an error.
    registration
        Estimate offset, yaw, scale and clock of the sensors: `Tracker.facts`, `Tracker.cross`.
    learn_rates
        Go on with the detection probability and clutter density seen, within half and double of
        those given. A density that was not given is learned in any case.
    newcomer_sd_m, newcomer_s
        A sensor that joins others at work is on trial for so long, and until the registration does
        not contradict it: its plots count as so much less certain. Otherwise one that is off by
        1.5 m would move one track in five by more than 0.5 m in its first second; with 3 m one of
        60 runs still had such a track (a sensor turned by half a degree, 6 m off at the border),
        with 5 m none. 0 m: trusted.
    threads
        Threads that a step with thousands of tracks runs on; the bytes are those of one.
    """

    death_per_s: float = 0.03
    birth_ratio: float = 0.01
    birth_floor: float = 1e-10
    unseen_ratio: float = 0.3
    gate_d2: float = 16.0
    gate_d2_3d: float = 18.0
    prune_exist: float = 2e-3
    drop_exist: float = 0.3
    confirm_exist: float = 0.5
    motion: str = "imm"
    psd_m2_s3: float = 4.0
    psd_up_m2_s3: float = 1.0
    start_speed_sd_ground_mps: float = 10.0
    start_speed_sd_air_mps: float = 15.0
    start_climb_sd_mps: float = 5.0
    end_sd_ground_m: float = 50.0
    end_sd_air_m: float = 200.0
    end_after_s: float = 10.0
    bp_sweeps: int = 15
    bp_tolerance: float = 1e-3
    exact_plots: int = 6
    ident_same: float = 1.0
    ident_unclaimed: float = 0.05
    ident_other: float = 1e-4
    same_ref_factor: float = 5.0
    kind_floor: float = 0.05
    velocity_sd_factor: float = 4.0
    max_claim_tracks: int = 4096
    history_s: float = 5.0
    registration: bool = True
    learn_rates: bool = False
    newcomer_sd_m: float = 5.0
    newcomer_s: float = 10.0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("death_per_s", "birth_floor", "prune_exist", "psd_m2_s3", "psd_up_m2_s3"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise ConfigError(f"tracker: {name} must be positive, got {getattr(self, name)}")
        if self.motion not in ("imm", "cv"):
            raise ConfigError(f"tracker: motion must be imm or cv, got {self.motion!r}")
        if not self.prune_exist < self.drop_exist < self.confirm_exist < 1.0:
            raise ConfigError("tracker: prune_exist < drop_exist < confirm_exist < 1 must hold")
        if not (isfinite(self.unseen_ratio) and self.unseen_ratio >= 0.0):
            raise ConfigError(
                f"tracker: unseen_ratio must not be negative, got {self.unseen_ratio}"
            )
        if not (isfinite(self.history_s) and self.history_s >= 0.0):
            raise ConfigError(f"tracker: history_s must not be negative, got {self.history_s}")
        for name in ("newcomer_sd_m", "newcomer_s"):
            if not 0.0 <= getattr(self, name) < 1e9:
                raise ConfigError(f"tracker: {name} must not be negative, got {self}")
        if not 1 <= self.threads <= MOST_THREADS:
            raise ConfigError(
                f"tracker: threads must be from 1 to {MOST_THREADS}, got {self.threads}"
            )

    def settings(self, height_ref_m: float) -> Settings:
        """Numbers for the kernels: variances and ns instead of deviations and seconds."""
        return Settings(
            death=float(self.death_per_s),
            gate_flat=float(self.gate_d2),
            gate_full=float(self.gate_d2_3d),
            prune=float(self.prune_exist),
            confirm=float(self.confirm_exist),
            drop=float(self.drop_exist),
            start_var_ground=float(self.start_speed_sd_ground_mps) ** 2,
            start_var_air=float(self.start_speed_sd_air_mps) ** 2,
            start_var_up=float(self.start_climb_sd_mps) ** 2,
            end_var_ground=float(self.end_sd_ground_m) ** 2,
            end_var_air=float(self.end_sd_air_m) ** 2,
            end_ns=round(self.end_after_s * 1e9),
            sweeps=int(self.bp_sweeps),
            exact=min(int(self.exact_plots), layout.EXACT_PLOTS),
            tolerance=float(self.bp_tolerance),
            same=float(self.ident_same),
            unclaimed=float(self.ident_unclaimed),
            other=float(self.ident_other),
            same_ref=float(self.same_ref_factor),
            kind_floor=float(self.kind_floor),
            velocity_factor=float(self.velocity_sd_factor),
            max_claims=int(self.max_claim_tracks),
            height_ref=float(height_ref_m),
            lanes=tuple(range(self.manners().shape[2])),
        )

    def manners(self) -> F8:
        """Numbers of the motion modes for the kernels."""
        if self.motion == "imm":
            return modes.table(modes.MANNERS)
        one = modes.Mode(0.0, float(self.psd_m2_s3), float(self.psd_up_m2_s3), 0.0, 1.0)
        return modes.table((modes.Manner(0.0, (one,)),) * len(modes.MANNERS))


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts since the start: tracks founded and reported, plots dropped and why.

    `replays` is how often late rows made this tracker go back: once a step at most.
    """

    founded: int
    reported: int
    duplicates: int
    unusable: int
    flooded: int
    too_late: int
    replays: int


class Tracker:
    """Tracks of one tile.

    The same rows give the same bytes: in any order within a scan, cut into steps anywhere, again;
    and with `TrackerConfig.history_s`, late by up to that long.

    Parameters
    ----------
    sensors
        What looks and reports; the table in name order is `sensors`.
    config
        Numbers.
    tile_name
        Part of every track id.
    height_ref_m
        Height above the ellipsoid of up = 0 (`Tile.h0`), for the height bands of sensors.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor] | SensorTable,
        config: TrackerConfig = TrackerConfig(),
        tile_name: str = "",
        height_ref_m: float = 0.0,
    ) -> None:
        self.sensors = sensors if isinstance(sensors, SensorTable) else SensorTable.of(sensors)
        self.config = config
        self.tile_name = tile_name
        self._cfg = config.settings(height_ref_m)
        self._beams = _beams(self.sensors, config)
        manners = config.manners()
        self._lanes = manners.shape[2]
        self._motion = layout.new_motion(manners, modes.blank_moves(manners))
        self._live: Live = layout.new_live(64, self._lanes)
        ratio = config.birth_ratio
        most = config.unseen_ratio / ratio if ratio > 0.0 else 0.0
        self._chart = intensity.chart(self._beams, most)
        self._unseen = intensity.new_unseen(self._chart)
        self._counts = np.zeros(layout.N_COUNTS, np.int64)
        self._look = layout.new_look(64, 256)
        self._edges = layout.new_edges(64, 64, 256, self._lanes)
        self._notes = layout.new_notes(64)
        self._told = np.zeros((64, N_COUNTS))
        self._watch = Watch(
            self.sensors,
            self._beams,
            draw=config.registration,
            learn=config.learn_rates,
            birth_ratio=config.birth_ratio,
            newcomer_sd_m=config.newcomer_sd_m,
            newcomer_s=config.newcomer_s,
        )
        self._slots: I4 = np.zeros(64, np.int32)
        self._crew = Crew(config.threads, manners)
        self._known = False
        self._last = (BEGINNING, -1)
        self._named_ns = BEGINNING
        self._reported = 0
        self._sheet = sheet_of(Plots.nothing())
        self._residuals: Residuals | None = None
        self._looks: Looks | None = None
        self._replayed: list[tuple[Residuals, Looks]] = []
        self._fresh: I8 | None = None
        self._history = History(round(config.history_s * 1e9))
        self._identity = snapshot.identity(
            replace(config, threads=1), tile_name, float(height_ref_m), self.sensors.sensors
        )
        self.reset()

    def reset(self) -> None:
        """End all tracks and forget the history, as after a gap in time.

        Ids stay unique: they come from content.
        """
        counts = self._counts
        for kind in (layout.TOP, layout.LIVE, layout.FREE, layout.CLAIMS, layout.RESIDUALS):
            counts[kind] = 0
        counts[layout.HEAD] = counts[layout.TAIL] = -1
        self._live.mode[:] = 0
        intensity.forget(self._chart, self._unseen)
        self._watch.clear()
        self._last, self._named_ns = (BEGINNING, -1), BEGINNING
        self._history.end = BEGINNING
        self._history.begin(self._checkpoint(BEGINNING))
        self._forget_residuals()

    def step(self, plots: Plots, t_ns: int) -> Tracks:
        """Fold in the scans of one slice, and report the tracks at its end `t_ns`.

        Reported are tracks with existence above 0.5, and confirmed ones down to 0.3, in the order
        of their founding, predicted to `t_ns`. The arrays are the caller's to keep.

        A scan that is older than one already folded in, but not by more than `history_s`, is put
        where it belongs: the tracker goes back to before it and comes forward again, once for all
        late scans of the step. From then on ids, states and bytes are those of a tracker that had
        it in time; what was reported before is not corrected. Rows of a sensor at a time it
        already has a scan of join that scan. Plots older than the history are counted in `tally`.
        The history keeps the arrays of `plots` and makes no copies: leave them as they are.

        Raises
        ------
        ValueError
            A scan is newer than `t_ns`, or its sensor is not in the table, or its rows are not, or
            it is older than one already folded in and no history is kept, or columns of `plots`
            have other shapes than they should. Nothing was changed then.
        """
        sheet = sheet_of(plots, self._beams.place)
        if len(sheet.scan_ns):
            self._check(sheet, t_ns)
        back, steps, fresh = self._history.file(sheet, t_ns, self._last, self._named_ns)
        self._residuals, self._looks, self._replayed, self._fresh = None, None, [], fresh
        self._watch.listen()
        if back is not None:
            self._go_back(back)
        for step in steps[:-1]:
            self._fold(step)
            self._name(step.end)
            self._replayed.append((self._make_residuals(), self._make_looks()))
        # a track is reported first because of a plot: so many will do, but for rare exceptions
        room = int(self._counts[layout.CHOSEN]) + len(steps[-1].sheet.z) + 16
        out = layout.new_output(room)
        self._fold(steps[-1], out)
        self._history.forget(self._last[0], t_ns)
        return self._report(t_ns, out)

    @property
    def residuals(self) -> Residuals:
        """Residuals of the last step.

        Those of scans that were late are among them; scans that only ran again are not.
        """
        if self._residuals is None:
            parts = [residuals for residuals, _ in self._replayed]
            made = Residuals.concat([*parts, self._make_residuals()])
            if self._fresh is not None:
                made = made.take(np.isin(scan_keys(made.t_ns, made.sensor), self._fresh))
            self._residuals = made
        return self._residuals

    @property
    def looks(self) -> Looks:
        """What the scans of the last step gave, late ones too, but none that only ran again."""
        if self._looks is None:
            made = Looks.concat([*(looks for _, looks in self._replayed), self._make_looks()])
            if self._fresh is not None:
                made = made.take(np.isin(scan_keys(made.t_ns, made.sensor), self._fresh))
            self._looks = made
        return self._looks

    @property
    def facts(self) -> SensorFacts:
        """What is known of each sensor, as of the newest scan and the last whole second.

        Late rows are in it as if they had come in time.
        """
        return self._watch.facts

    @property
    def cross(self) -> CrossResiduals:
        """Plots of the seconds that ended in the last step against the path of other sensors.

        Of some tracks drawn by lot. Late rows that change a second already told are not; `track`
        is -1 where the track has ended.
        """
        live = self._live
        alive = np.flatnonzero(live.mode[: int(self._counts[layout.TOP])] & layout.ALIVE)
        return named(self._watch.cross, live.serial[alive], live.id[alive])

    def snapshot(self) -> bytes:
        """Everything that the steps to come depend on: see `v2x.fusion.snapshot`.

        With a history this is its oldest checkpoint and what came since, in the order of content.
        """
        history = self._history
        base = history.checkpoints[0] if history.checkpoints else self._checkpoint(BEGINNING)
        return snapshot.seal(self._identity, base, history)

    def restore(self, data: bytes) -> None:
        """Go on where the tracker of a `snapshot` was; what this one held is forgotten.

        Raises
        ------
        SnapshotError
            Not a snapshot, cut or changed, of another format version, or of a tracker with other
            sensors or another configuration. Nothing was changed then.
        """
        base, history = snapshot.unseal(
            data, self._identity, self._history.span_ns, self._unseen, self._watch.arrays
        )
        steps = history.since(base)
        self._history = history
        self._go_back(base)
        for step in steps:
            self._fold(step)
            self._name(step.end)
        self._forget_residuals()

    @property
    def tally(self) -> Tally:
        """Counts since the start."""
        c = self._counts
        return Tally(
            int(c[layout.SERIAL]),
            self._reported,
            int(c[layout.DUPLICATES]),
            int(c[layout.REFUSED]),
            int(c[layout.FLOODED]),
            self._history.too_late,
            self._history.replays,
        )

    def __len__(self) -> int:
        """Living tracks, tentative ones too."""
        return int(self._counts[layout.LIVE])

    def _check(self, sheet: Sheet, t_ns: int) -> None:
        first, last = int(sheet.scan_ns[0]), int(sheet.scan_ns[-1])
        if first < self._last[0] and not self._history.span_ns:
            raise ValueError(
                f"scan at {first} ns is older than one folded in at {self._last[0]}; "
                "history_s of TrackerConfig makes room for late ones"
            )
        if last > t_ns:
            raise ValueError(f"scan at {last} ns is newer than the end of the slice at {t_ns}")
        sensors, rows, begins, ends = (
            sheet.scan_sensor, len(sheet.z), sheet.scan_first, sheet.scan_end
        )  # fmt: skip
        if len(sensors) == 1:
            sound = 0 <= sensors[0] < len(self.sensors)
            held = 0 <= begins[0] <= ends[0] <= rows
        else:
            if np.any(sheet.scan_ns[1:] < sheet.scan_ns[:-1]):
                raise ValueError("scans are not in time order")
            sound = sensors.min() >= 0 and sensors.max() < len(self.sensors)
            held = begins.min() >= 0 and ends.max() <= rows and bool(np.all(begins <= ends))
        if not sound:
            raise ValueError(f"plots name a sensor row outside 0..{len(self.sensors) - 1}")
        if not held:
            raise ValueError(f"a scan holds rows outside the {rows} of its plots")

    def _fold(self, step: Step, out: Output = _NOTHING) -> None:
        """Fold in the scans of one step, and leave a checkpoint where one is due."""
        sheet = step.sheet
        self._counts[layout.RESIDUALS] = self._counts[layout.LOOKED] = 0
        self._sheet = sheet
        if len(sheet.scan_ns):
            self._make_room(sheet)
        for part in self._history.cut(sheet):
            cell = self._history.due(part)
            if cell is not None:
                self._history.checkpoints.append(self._checkpoint(cell))
            self._run(part, step.end, out)
            if len(part.scan_ns):
                self._last = int(part.scan_ns[-1]), int(part.scan_sensor[-1])
        self._history.close(step)

    def _run(self, sheet: Sheet, t_ns: int, out: Output) -> None:
        done = 0
        while True:
            if not self._known:
                self._crew.take_over(self._parts())
                self._known = True
            done = self._crew.run(sheet, done, t_ns, out)
            if done == len(sheet.scan_ns):
                return
            if self._watch.turn(int(sheet.scan_ns[done])):
                continue
            e = self._edges
            more = 2 * len(e.plot) + len(e.degree)
            self._edges = layout.new_edges(len(e.beta0), len(e.degree), more, self._lanes)
            self._look = layout.new_look(len(self._look.c), more)
            self._known = False

    def _parts(self) -> Memory:
        return Memory(
            self._live, self._beams, self._look, self._edges, self._cfg, self._motion, self._chart,
            self._unseen, self._notes, self._told, self._watch.ledger, self._watch.windows,
            self._counts, self._slots,
        )  # fmt: skip

    def _checkpoint(self, cell: int) -> Checkpoint:
        counts, columns = copy_of(self._live, self._counts)
        return Checkpoint(
            cell, self._history.end, self._last, self._named_ns, self._reported, counts, columns,
            intensity.copy_of(self._unseen),
            self._watch.copy(),
        )  # fmt: skip

    def _go_back(self, to: Checkpoint) -> None:
        """Take over the state of a checkpoint."""
        self._counts[:] = to.counts
        top = int(to.counts[layout.TOP])
        if top > len(self._live.r):
            self._grow(top)
        blank_above(self._live, top)
        arrays: list[tuple[Any, Any]] = list(zip(self._live, to.columns, strict=True))
        for column, kept in arrays:
            column[:top] = kept
        for now, then in zip(self._unseen, to.unseen, strict=True):
            now[:] = then
        self._last, self._named_ns, self._reported = to.last, to.named_ns, to.reported
        self._watch.restore(to.sensors)

    def _forget_residuals(self) -> None:
        self._residuals, self._looks = Residuals.blank(0), Looks.blank(0)
        self._replayed, self._fresh = [], None

    def _grow(self, slots: int) -> None:
        """Room for `slots` tracks; those there are stay."""
        cap = len(self._live.r)
        live = layout.new_live(slots, self._lanes)
        arrays: list[tuple[Any, Any]] = list(zip(live, self._live, strict=True))
        for new, old in arrays:
            new[:cap] = old
        self._live = live
        self._slots = np.zeros(len(live.r), np.int32)
        self._known = False

    def _make_room(self, sheet: Sheet) -> None:
        """Grow by doubling, so that no kernel of this step can run out of slots or plots."""
        n = len(sheet.z)
        # a line of sight may be kept, and found as many tracks as are allowed
        most = 1 + MOST_TRACKS if len(sheet.sight) else 1
        slots = int(self._counts[layout.TOP]) + most * n
        cap = len(self._live.r)
        if slots > cap:
            self._grow(max(slots, 2 * cap))
        if n > len(self._look.c):
            self._look = layout.new_look(max(n, 2 * len(self._look.c)), len(self._edges.plot))
            self._known = False
        if n > len(self._notes.t):
            self._notes = layout.new_notes(max(n, 2 * len(self._notes.t)))
            self._known = False
        if len(sheet.scan_ns) > len(self._told):
            self._told = np.zeros((max(len(sheet.scan_ns), 2 * len(self._told)), N_COUNTS))
            self._known = False
        e = self._edges
        if len(self._live.r) > len(e.beta0) or len(self._look.c) > len(e.degree):
            self._edges = layout.new_edges(
                len(self._live.r),
                len(self._look.c),
                max(len(e.plot), 4 * len(self._look.c)),
                self._lanes,
            )
            self._known = False
        if len(self._look.z) <= len(self._look.c) + len(self._edges.plot):
            self._look = layout.new_look(len(self._look.c), len(self._edges.plot))
            self._known = False

    def _name(self, t_ns: int) -> I8:
        """Give ids to tracks that are to be reported at `t_ns` for the first time; which of them.

        Numbers are places in the report.
        """
        if not self._counts[layout.NAMELESS]:
            return _NOBODY
        slots = self._slots[: int(self._counts[layout.CHOSEN])]
        new = np.flatnonzero(self._live.id[slots] < 0)
        for slot in slots[new].tolist():
            self._live.id[slot] = self._id(slot)
        self._reported += len(new)
        self._named_ns = max(self._named_ns, t_ns)
        return new

    def _report(self, t_ns: int, out: Output) -> Tracks:
        n = int(self._counts[layout.CHOSEN])
        new = self._name(t_ns)
        if n > len(out.id):
            out = layout.new_output(n)
            self._crew.tell(t_ns, n, out)
        if len(new):
            out.id[new] = self._live.id[self._slots[new]]
        columns: Any = out
        return Tracks(*[column[:n] for column in columns])

    def _id(self, slot: int) -> int:
        """Hash the tile and the founding plot of a slot to 63 bits."""
        live = self._live
        digest = blake2b(digest_size=8)
        for word in (self.tile_name, self.sensors[int(live.born_sensor[slot])].name):
            digest.update(word.encode() + b"\0")
        digest.update(live.first[slot : slot + 1].astype("<i8").tobytes())
        digest.update((live.born_z[slot] + 0.0).astype("<f8").tobytes())
        digest.update(live.born_ident[slot : slot + 1].astype("<i8").tobytes())
        return int.from_bytes(digest.digest(), "little") & _ID_MASK

    def _make_residuals(self) -> Residuals:
        n = int(self._counts[layout.RESIDUALS])
        notes, live = self._notes, self._live
        track = notes.track[:n].copy()
        slot = notes.slot[:n]
        late = (track < 0) & (live.serial[slot] == notes.serial[:n])
        track[late] = live.id[slot[late]]
        keep = track >= 0
        return Residuals(
            t_ns=notes.t[:n][keep],
            sensor=notes.sensor[:n][keep],
            track=track[keep],
            ident=notes.ident[:n][keep],
            innovation=notes.innovation[:n][keep],
            nis=notes.nis[:n][keep].astype(np.float32),
            dim=notes.dim[:n][keep],
            conflict=notes.conflict[:n][keep],
        )

    def _make_looks(self) -> Looks:
        n = int(self._counts[layout.LOOKED])
        hits, expected, unexplained, area, plots, duplicates = self._told[:n].T.copy()
        return Looks(
            t_ns=self._sheet.scan_ns[:n],
            sensor=self._sheet.scan_sensor[:n],
            hits=hits,
            expected=expected,
            unexplained=unexplained,
            area=area,
            plots=plots.astype(np.int64),
            duplicates=duplicates.astype(np.int64),
        )


def _beams(sensors: SensorTable, config: TrackerConfig) -> Beams:
    """Sensor table as columns for the kernels."""
    edges: list[tuple[float, float]] = []
    first, end = [], []
    for s in sensors.sensors:
        first.append(len(edges))
        edges.extend(s.coverage)
        end.append(len(edges))
    period = np.nan_to_num(sensors.floats("period_s"), nan=0.0)
    clutter = sensors.floats("clutter_density")
    tau = sensors.floats("correlation_s")
    tracks = np.array([s.track_input for s in sensors.sensors], bool)
    tau = np.where(tracks & (tau <= 0.0), 0.5, tau)
    interval = np.where(period > 0.0, period, 0.1)
    low, high = sensors.floats("floor_m"), sensors.floats("ceiling_m")
    bounded = [
        e > f or not (isinf(a) or a <= -1e9) or not (isinf(b) or b >= 1e9)
        for e, f, a, b in zip(end, first, low.tolist(), high.tolist(), strict=True)
    ]
    return Beams(
        p_detect=sensors.floats("p_detect"),
        clutter=np.where(clutter > 1e-12, clutter, 1e-12),
        birth=np.where(clutter > 0.0, config.birth_ratio * clutter, config.birth_floor),
        inflate=np.where(tracks, np.maximum(1.0, 2.0 * tau / interval), 1.0),
        spawns=np.array([s.may_spawn for s in sensors.sensors], np.uint8),
        looks=np.array([s.scans for s in sensors.sensors], np.uint8),
        bounded=np.array(bounded, np.uint8),
        kind=sensors.kinds(),
        first=np.array(first, np.int32),
        end=np.array(end, np.int32),
        edge=np.array(edges, np.float64).reshape(-1, 2),
        low=low,
        high=high,
        period=period,
        place=np.array([[s.east_m, s.north_m, s.up_m] for s in sensors.sensors]).reshape(-1, 3),
    )
