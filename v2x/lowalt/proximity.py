"""Drones near manned aircraft: closest approach with both uncertainties, and approaches in use.

A pair is judged on a grid of `STEP_S` over the next `HORIZON_S`: both go on as they move, with the
covariances of both; at each time the probability that they are nearer than the well clear volume
beside (along the line between them) and above one another (both normal); the largest counts.
Well clear is 2,000 ft beside and 250 ft above (ASTM F3442; taken over unseen, doubtful).

Heights are compared above the ellipsoid. A drone whose height was never measured is taken to fly
at 60 m above ground, give or take 100 m, so that the pair is told and decides little. An aircraft
that gives nothing but pressure has its height from the region's pressure, or with 100 m deviation.

An approach is in use when something manned came in along it within the last half hour. Its volume
is what lies up to 150 m over its surface; who is in there need not be near the aircraft yet.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from v2x.columns import B1, F8, I4, I8
from v2x.jit import kernel
from v2x.lowalt.claims import SECOND
from v2x.lowalt.foresight import place
from v2x.lowalt.probability import chances_of, phi
from v2x.lowalt.terrain import GROUND_SD_M
from v2x.lowalt.volumes import Places, ZoneIndex
from v2x.picture import Heights, Proximity, ZoneKind
from v2x.tracks import Status, Tracks

HORIZON_S = 60.0
STEP_S = 1.0
BESIDE_M, ABOVE_M = 610.0, 76.0
KEEP = 1.2
NEAR_M = 1_500.0 * KEEP
"""Pairs that come no nearer than this are not told."""
ASSUMED_AGL_M, ASSUMED_SD_M = 60.0, 100.0
IN_USE_NS = 1_800 * SECOND
EXTRUDED_M = 150.0
HIGHEST_M = 1_500.0
"""An aircraft further over the approach surface passes over the runway."""
SLOWEST_MPS = 25.0
INBOUND = math.cos(math.radians(20.0))


FAST_MPS, HIGH_AGL_M = 80.0, 3_000.0
"""No drone of the classes below medium flies so fast (the law knows 100 km/h; racing ones reach
70 m/s) or so high. Ours, to be tuned."""


def beyond_drones(tracks: Tracks, heights: Heights) -> B1:
    """(n,) tracks that move as no small drone can: manned whatever they say.

    Faster or higher by two deviations, and confirmed.
    """
    v, P = tracks.x[:, 3:5], tracks.P
    speed = np.hypot(v[:, 0], v[:, 1])
    sd = np.sqrt(np.maximum(P[:, 3, 3] + P[:, 4, 4], 0.0))
    fast = speed - 2.0 * sd > FAST_MPS
    high = heights.agl - 2.0 * heights.sd > HIGH_AGL_M
    made: B1 = (fast | high) & (tracks.status == Status.CONFIRMED)
    return made


class Flying(NamedTuple):
    """What is in the air, (n,): as `v2x.lowalt.foresight.Course`, and heights above the ellipsoid.

    `hae` and `sd` metres, NaN unknown; `ground_hae` of the ground below.
    """

    flat: F8
    vel: F8
    cov: F8
    hae: F8
    sd: F8
    ground_hae: F8


@kernel
def approaches(
    drone: I4, manned: I4, flat: F8, vel: F8, cov: F8, turn: F8, hae: F8, guessed: F8,
    path: F8, pair: I4, out: F8,
) -> int:  # fmt: skip
    """Pairs of rows drone (d,) and manned (m,) that come within `NEAR_M`; their number.

    guessed (n,) m² added to the height's variance; path (2, 10) room to work in. To pair (size, 2)
    and out (size, 7): seconds, metres beside and above at the closest, deviation of the latter,
    metres beside now, p, p with limits `KEEP` times as wide.
    """
    found = 0
    steps = round(HORIZON_S / STEP_S)
    for i in drone:
        for j in manned:
            if i == j:
                continue
            e, n = flat[j, 0] - flat[i, 0], flat[j, 1] - flat[i, 1]
            ve, vn = vel[j, 0] - vel[i, 0], vel[j, 1] - vel[i, 1]
            v2 = ve * ve + vn * vn
            t = min(max(-(e * ve + n * vn) / v2, 0.0), HORIZON_S) if v2 > 1e-9 else 0.0
            if not math.hypot(e + t * ve, n + t * vn) <= NEAR_M:
                continue
            if found >= pair.shape[0]:
                found += 1
                continue
            best, kept = 0.0, 0.0
            for k in range(steps + 2):
                at = t if k == 0 else STEP_S * (k - 1)
                place(i, at, flat, vel, cov, turn, path, 0)
                place(j, at, flat, vel, cov, turn, path, 1)
                de, dn = path[1, 0] - path[0, 0], path[1, 1] - path[0, 1]
                d = math.hypot(de, dn)
                ux, uy = (de / d, dn / d) if d > 0.0 else (1.0, 0.0)
                var = ux * ux * (path[0, 3] + path[1, 3]) + uy * uy * (path[0, 5] + path[1, 5])
                var += 2.0 * ux * uy * (path[0, 4] + path[1, 4])
                sd = math.sqrt(max(var, 1e-6))
                up = hae[j] + path[1, 2] - hae[i] - path[0, 2]
                var = path[0, 8] + path[1, 8] + guessed[i] + guessed[j]
                sd_up = math.sqrt(max(var, 1e-6))
                if k == 0:
                    out[found, 0], out[found, 1], out[found, 2], out[found, 3] = at, d, up, sd_up
                if up != up:
                    continue
                p = phi((BESIDE_M - d) / sd) - phi((-BESIDE_M - d) / sd)
                p *= phi((ABOVE_M - up) / sd_up) - phi((-ABOVE_M - up) / sd_up)
                best = max(best, p)
                p = phi((KEEP * BESIDE_M - d) / sd) - phi((-KEEP * BESIDE_M - d) / sd)
                p *= phi((KEEP * ABOVE_M - up) / sd_up) - phi((-KEEP * ABOVE_M - up) / sd_up)
                kept = max(kept, p)
            out[found, 4], out[found, 5], out[found, 6] = math.hypot(e, n), best, kept
            pair[found, 0], pair[found, 1] = i, j
            found += 1
    return found


class Protection:
    """Keeps drones and manned aircraft apart; remembers which approaches are in use."""

    def __init__(self, ground_sd_m: float = GROUND_SD_M) -> None:
        self._landed: dict[str, int] = {}
        self._ground_sd_m = ground_sd_m
        self._zones: ZoneIndex | None = None
        self._rows: I4 = np.zeros(0, np.int32)
        self._inbound: F8 = np.empty((0, 2))

    @property
    def in_use(self) -> bool:
        """Whether any approach is in use."""
        return bool(self._landed)

    def judge(
        self, t_ns: int, zones: ZoneIndex, air: Flying, places: Places, cov: F8,
        drone: B1, manned: B1,
    ) -> Proximity:  # fmt: skip
        """Pairs at the end of a slice, rows of `air`, sorted.

        Parameters
        ----------
        t_ns, zones, air
            The slice, the zones, what is in the air.
        places, cov
            The same made ready for zones, and covariances of the places (n, 6).
        drone, manned
            (n,) which may be drones in flight, and which are manned: heard, or seen, to be.
        """
        near = self._near(air, drone, manned)
        if self._zones is not zones:
            self._zones = zones
            self._rows, self._inbound = _approach_zones(zones)
        for name in [n for n, ns in self._landed.items() if t_ns - ns > IN_USE_NS]:
            del self._landed[name]
        if not len(self._rows):
            return near
        for k, i in self._within(zones, places, cov, np.flatnonzero(manned), HIGHEST_M):
            speed = math.hypot(air.vel[i, 0], air.vel[i, 1])
            along = float(air.vel[i, :2] @ self._inbound[k])
            if speed >= SLOWEST_MPS and along >= INBOUND * speed and air.vel[i, 2] <= 1.0:
                self._landed[zones.ids[self._rows[k]]] = t_ns
        used = [zones.ids[row] in self._landed for row in self._rows.tolist()]
        if not any(used):
            return near
        inside = [
            (i, int(self._rows[k]))
            for k, i in self._within(zones, places, cov, np.flatnonzero(drone), EXTRUDED_M)
            if used[k]
        ]
        return _with_approaches(near, dict(reversed(inside)))

    def state(self) -> list[Any]:
        """What must survive a restart."""
        return list(self._landed.items())

    def restore(self, state: list[Any]) -> None:
        """Put back what `state` gave."""
        self._landed = {name: t_ns for name, t_ns in state}

    def _within(
        self, zones: ZoneIndex, places: Places, cov: F8, who: I8, most_m: float
    ) -> list[tuple[int, int]]:
        """(approach, row) pairs: over an approach surface by `most_m` at most, in its outline."""
        walls = zones.walls
        parts = np.flatnonzero(np.isin(walls.owner, self._rows)).astype(np.int32)
        point = np.repeat(who, len(parts)).astype(np.int32)
        part = np.tile(parts, len(who))
        made = chances_of(walls, places.flat, cov, places.heights, point, part, self._ground_sd_m)
        held = (made.beside <= 0.0) & (made.over <= 0.0) & (made.over >= -most_m)
        held &= np.isfinite(made.over)
        number = np.searchsorted(self._rows, walls.owner[part[held]])
        return sorted(set(zip(number.tolist(), point[held].tolist(), strict=True)))

    def _near(self, air: Flying, drone: B1, manned: B1) -> Proximity:
        drones, planes = (np.flatnonzero(m).astype(np.int32) for m in (drone, manned))
        if not (len(drones) and len(planes)):
            return Proximity.blank()
        unknown = np.isnan(air.hae)
        guess = drone & unknown
        hae = np.where(guess, air.ground_hae + ASSUMED_AGL_M, air.hae)
        known = np.where(np.isnan(air.sd), 0.0, air.sd) ** 2
        own = air.cov[:, 2, 2]
        guessed = np.where(guess, ASSUMED_SD_M**2, np.maximum(known - own, 0.0))
        cov = air.cov
        if guess.any():
            cov = cov.copy()
            cov[guess, 2, :], cov[guess, :, 2] = 0.0, 0.0
            cov[guess, 5, :], cov[guess, :, 5] = 0.0, 0.0
        size = 64
        while True:
            pair, out = np.empty((size, 2), np.int32), np.empty((size, 7))
            found = approaches(
                drones, planes, air.flat, air.vel, cov, np.zeros(len(hae)), hae, guessed,
                np.empty((2, 10)), pair, out,
            )  # fmt: skip
            if found <= size:
                break
            size = found
        pair, out = pair[:found], out[:found]
        return Proximity.blank(
            found, track=pair[:, 0], other=pair[:, 1], cpa_s=out[:, 0], cpa_m=out[:, 1],
            vertical_m=out[:, 2], vertical_sd=out[:, 3], range_m=out[:, 4], p=out[:, 5],
            p_keep=out[:, 6],
        )  # fmt: skip


def _approach_zones(zones: ZoneIndex) -> tuple[I4, F8]:
    """Rows of the approach surfaces, and the way in along each: a unit vector down its slope."""
    rows, inbound = [], []
    for row, zone in enumerate(zones.zones):
        if zone.kind != ZoneKind.OBSTACLE_SURFACE or not zone.id.endswith("-approach"):
            continue
        if zone.id.endswith("-inner-approach"):
            continue
        part = np.flatnonzero(zones.walls.owner == row)
        rise = zones.walls.limits[part, 0, 2:4]
        steep = rise[np.hypot(rise[:, 0], rise[:, 1]).argmax()]
        if steep.any():
            rows.append(row)
            inbound.append(-steep / np.hypot(*steep))
    return np.array(rows, np.int32), np.array(inbound, np.float64).reshape(-1, 2)


def _with_approaches(near: Proximity, inside: dict[int, int]) -> Proximity:
    """Mark pairs whose drone is in an approach in use; one without a pair gets a row of its own."""
    if not inside:
        return near
    there = set(near.track.tolist())
    alone = sorted(i for i in inside if i not in there)
    made = Proximity.concat([near, Proximity.blank(len(alone), track=alone)])
    order = np.lexsort((made.other, made.track))
    made = made.take(order)
    made.approach[:] = [inside.get(i, -1) for i in made.track.tolist()]
    return made
