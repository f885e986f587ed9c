"""What the sensors of a field put on the wire: radars, Remote ID receivers, an ADS-B receiver.

Noise is white and Gaussian and as large as configured; a false plot of a radar is anywhere in its
cylinder. Receivers hear by the range law 0.95 / (1 + (r / r0)^4) with r0 of 3 km above 50 m over
ground and 1 km below, and nothing beyond their polygon. Everything is drawn from the generators
handed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, tau
from typing import Any

import numpy as np
from numpy.random import Generator

from replay.scenarios.flights.motion import STEP_S
from replay.scenarios.flights.truth import Beacon, Body
from replay.scenarios.world import geodetic
from v2x.columns import F8
from v2x.frames import Frame
from v2x.geodesy import Tile, undulation
from v2x.ingest.formats.columns import encode_columns
from v2x.ingest.formats.objects import encode_objects
from v2x.ingest.modes import FOOT, KNOT
from v2x.ingest.modes_encode import (
    encode_airborne_position,
    encode_identification,
    encode_operational_status,
    encode_velocity,
)
from v2x.ingest.rid_gb46750 import Gb46750, encode_gb46750
from v2x.ingest.rid_odid import (
    encode_odid_basic_id,
    encode_odid_location,
    encode_odid_operator_id,
    encode_odid_pack,
    encode_odid_system,
)
from v2x.ingest.timestamps import to_ns
from v2x.observations import Kind

GROUND_AMSL_M = 3.0
ABOVE_BARO_M = 20.0
"""Height above the ellipsoid less the pressure altitude: the weather of the day."""
_LABELS = {
    "uas": (Kind.UAS, 0.5, 0.6), "aircraft": (Kind.AIRCRAFT, 0.5, 0.6),
    "helicopter": (Kind.HELICOPTER, 0.5, 0.6), "bird": (Kind.BIRD, 0.8, 0.8),
}  # fmt: skip
"""Kind a radar names, how often it does, and how sure it says it is."""
BIRD_AS_DRONE = 0.02
"""Looks in which a bird is called a drone instead."""
Times = dict[str, list[F8]]


class Air:
    """All bodies of a field, and the way from places above ground to degrees."""

    def __init__(
        self, tile: Tile, start_ns: int, duration_s: float, bodies: Sequence[Body]
    ) -> None:
        self.tile, self.start_ns, self.duration_s = tile, start_ns, duration_s
        self.bodies = tuple(bodies)

    def degrees(self, place: F8) -> tuple[F8, F8, F8]:
        """Latitude, longitude and height above the ellipsoid of places (n, 3)."""
        lat, lon = geodetic(self.tile, place)
        hae = place[:, 2] + GROUND_AMSL_M + undulation(lat, lon)
        lat, lon = geodetic(self.tile, np.column_stack((place[:, :2], hae)))
        return lat, lon, hae

    def broadcasts(
        self, receivers: Sequence["Receiver"], rng: Generator, heard: Times
    ) -> list[Frame]:
        """Remote ID of all bodies, once a second each, at every receiver that hears it."""
        made: list[Frame] = []
        for body in self.bodies:
            if body.beacon is None:
                continue
            end = min(body.until_s, body.beacon.until_s, self.duration_s)
            t = np.arange(max(body.beacon.from_s, 0.0) + rng.uniform(0.0, 1.0), end, 1.0)
            payloads = _payloads(self, body, body.beacon, t, rng)
            place = body.at(t)
            for receiver in receivers:
                far = np.hypot(*(place[:, :2] - receiver.place).T)
                if not (far <= receiver.reach_m).any():
                    continue
                hears = rng.random(len(t)) < receiver.p_heard(far, place[:, 2])
                delays = rng.uniform(40.0, 120.0, len(t))
                for i in np.flatnonzero(hears).tolist():
                    recv_ns = _ns(self, t[i]) + _us(delays[i])
                    made.append(Frame(recv_ns, receiver.name, "remote_id", payloads[i]))
                if hears.any():
                    heard.setdefault(body.name, []).append(t[hears])
        return made


@dataclass(frozen=True)
class Radar:
    """A volume radar: one look a second, positions only, blind below `lowest_m` over ground."""

    name: str
    place: tuple[float, float]
    first_s: float
    wire: str = "columns"
    reach_m: float = 14_000.0
    lowest_m: float = 15.0
    highest_m: float = 800.0
    sd_m: float = 8.0
    sd_up_m: float = 10.0
    p_detect: float = 0.92
    clutter: float = 1.0

    def settings(self, tile: Tile) -> dict[str, Any]:
        """Configuration of the sensor."""
        band = self.highest_m - self.lowest_m
        return {
            **_placed(tile, self.name, self.wire, "radar", self.place, self.reach_m),
            "sd_m": self.sd_m, "sd_up_m": self.sd_up_m, "p_detect": self.p_detect,
            "clutter_density": self.clutter / (pi * self.reach_m**2 * band),
            "floor_m": self.lowest_m + GROUND_AMSL_M - 8.2, "period_s": 1.0,
        }  # fmt: skip

    def frames(self, air: Air, rng: Generator, seen: Times) -> list[Frame]:
        """Every look, one that sees nothing too; the times of true plots go to `seen`."""
        looks = np.arange(self.first_s, air.duration_s, 1.0)
        look, place, kind, sure = [], [], [], []
        for body in air.bodies:
            k = np.flatnonzero(body.shown(looks))
            at = body.at(looks[k])
            near = np.hypot(*(at[:, :2] - self.place).T) <= self.reach_m
            near &= (at[:, 2] > self.lowest_m) & (at[:, 2] < self.highest_m)
            near &= rng.random(len(k)) < min(self.p_detect, body.p_seen)
            n = int(near.sum())
            if not n:
                continue
            look.append(k[near])
            sd = self.sd_m, self.sd_m, self.sd_up_m
            place.append(at[near] + rng.normal(0.0, sd, (n, 3)))
            said, often, so_sure = _LABELS[body.kind]
            dice = rng.random(n)
            kinds = np.where(dice < often, said, Kind.UNKNOWN)
            if body.kind == "bird":
                kinds[dice > 1.0 - BIRD_AS_DRONE] = Kind.UAS
            kind.append(kinds)
            sure.append(np.where(kinds == Kind.UNKNOWN, 0.0, so_sure))
            seen.setdefault(body.name, []).append(looks[k[near]])
        false = rng.poisson(self.clutter, len(looks))
        n = int(false.sum())
        r, a = self.reach_m * np.sqrt(rng.random(n)), rng.uniform(0.0, tau, n)
        height = rng.uniform(self.lowest_m, self.highest_m, n)
        look.append(np.repeat(np.arange(len(looks)), false))
        place.append(
            np.stack((self.place[0] + r * np.sin(a), self.place[1] + r * np.cos(a), height), 1)
        )
        kind.append(np.full(n, Kind.UNKNOWN))
        sure.append(np.zeros(n))
        of_look = np.concatenate(look)
        order = np.lexsort((rng.random(len(of_look)), of_look))
        of_look = of_look[order]
        lat, lon, hae = air.degrees(np.concatenate(place)[order])
        columns = {
            "lat": np.round(lat, 7), "lon": np.round(lon, 7), "height": np.round(hae, 1),
            "cov": np.tile(
                (self.sd_m**2, 0.0, 0.0, self.sd_m**2, 0.0, self.sd_up_m**2), (len(lat), 1)
            ),
            "kind": np.concatenate(kind)[order], "kind_conf": np.concatenate(sure)[order],
        }  # fmt: skip
        edges = np.searchsorted(of_look, np.arange(len(looks) + 1)).tolist()
        delays = rng.uniform(60.0, 100.0, len(looks))
        made = []
        for row, t in enumerate(looks.tolist()):
            rows = slice(edges[row], edges[row + 1])
            part = {name: column[rows] for name, column in columns.items()}
            t_ns = _ns(air, t)
            if self.wire == "objects" and edges[row + 1] > edges[row]:
                payload = encode_objects([t_ns] * len(part["lat"]), part)
                wire = "objects"
            else:  # an empty look has a time only in a column frame
                payload = encode_columns(t_ns, row, part if edges[row + 1] > edges[row] else {})
                wire = "columns"
            made.append(Frame(t_ns + _us(delays[row]), self.name, wire, payload))
        return made


@dataclass(frozen=True)
class Receiver:
    """A Remote ID receiver, 15 m above ground, with a heartbeat a second."""

    name: str
    place: tuple[float, float]
    first_s: float
    reach_m: float = 2_400.0
    p_best: float = 0.95

    def settings(self, tile: Tile) -> dict[str, Any]:
        """Configuration of the sensor."""
        return {
            **_placed(tile, self.name, "remote_id", "remote_id", self.place, self.reach_m),
            "sd_m": 3.0, "sd_up_m": 4.0, "p_detect": self.p_best, "clutter_density": 1e-9,
            "period_s": 2.0,
        }  # fmt: skip

    def p_heard(self, far_m: F8, agl_m: F8) -> F8:
        """Chance (n,) to hear one broadcast from so far and high."""
        r0 = np.where(agl_m >= 50.0, 3_000.0, 1_000.0)
        made: F8 = np.where(far_m <= self.reach_m, self.p_best / (1.0 + (far_m / r0) ** 4), 0.0)
        return made

    def heartbeats(self, air: Air, rng: Generator) -> list[Frame]:
        """Empty column frames: it lives."""
        beats = np.arange(self.first_s, air.duration_s, 1.0)
        delays = rng.uniform(40.0, 120.0, len(beats))
        made = []
        for k, t in enumerate(beats.tolist()):
            t_ns = _ns(air, t)
            payload = encode_columns(t_ns, k, {})
            made.append(Frame(t_ns + _us(delays[k]), self.name, "columns", payload))
        return made


def squitters(air: Air, receiver: str, rng: Generator, heard: Times) -> list[Frame]:
    """ADS-B of all aircraft as AVR text: their event time is their arrival."""
    made: list[Frame] = []

    def send(t: float, message: bytes) -> None:
        payload = b"*" + message.hex().upper().encode() + b";"
        made.append(Frame(_ns(air, t) + _us(rng.uniform(10.0, 30.0)), receiver, "adsb", payload))

    for body in air.bodies:
        if body.icao < 0:
            continue
        end = min(body.until_s, air.duration_s)
        for t in np.arange(0.05, end, 5.0).tolist():
            send(t, encode_identification(body.icao, "GEN001", "A3"))
            send(t + 0.01, encode_operational_status(body.icao, 9))
        t_s = np.arange(0.1, end, 0.5)
        vel = body.velocity(t_s) + rng.normal(0.0, 0.5, (len(t_s), 3))
        for t, (east, north, up) in zip(t_s.tolist(), vel.tolist(), strict=True):
            speeds = east / KNOT, north / KNOT, up / FOOT * 60.0
            send(t, encode_velocity(body.icao, *speeds, ABOVE_BARO_M / FOOT))
        t_s = np.arange(0.25, end, 0.5)
        place = body.at(t_s) + rng.normal(0.0, (10.0, 10.0, 0.0), (len(t_s), 3))
        lat, lon, hae = air.degrees(place)
        for k, t in enumerate(t_s.tolist()):
            baro_ft = (float(hae[k]) - ABOVE_BARO_M) / FOOT
            send(t, encode_airborne_position(
                body.icao, float(lat[k]), float(lon[k]), baro_ft, k % 2 == 1
            ))  # fmt: skip
        heard.setdefault(body.name, []).append(t_s)
    return made


def _payloads(air: Air, body: Body, beacon: Beacon, t: F8, rng: Generator) -> list[bytes]:
    """What is on air at each of the times."""
    place, vel = body.at(t), body.velocity(t) + rng.normal(0.0, 0.3, (len(t), 3))
    shift = beacon.shift
    if shift.ndim == 2:
        shift = shift[np.minimum((t / STEP_S).astype(np.int64), len(shift) - 1)]
    place = place + shift + _gnss(beacon, len(t), rng)
    if beacon.standing:
        vel[:] = 0.0
    lat, lon, hae = air.degrees(place)
    home = body.path[:1] + np.array([[15.0, -10.0, 0.0]])
    home[:, 2] = 1.5
    pilot_lat, pilot_lon, pilot_hae = (float(v[0]) for v in air.degrees(home))
    above = hae - pilot_hae
    track = np.degrees(np.arctan2(vel[:, 0], vel[:, 1])) % 360.0
    speed = np.hypot(vel[:, 0], vel[:, 1])
    made = []
    for i in range(len(t)):
        t_ns = _ns(air, float(t[i]) - beacon.age_s)
        said: dict[str, Any] = {
            "lat": float(lat[i]), "lon": float(lon[i]), "height": float(hae[i]),
            "track_deg": float(track[i]), "speed": float(speed[i]), "climb": float(vel[i, 2]),
            "height_takeoff": float(above[i]), "nacp": 10, "vertical": 4, "speed_accuracy": 3,
            "t_ns": t_ns, "status": 1 if beacon.standing else 2,
        }  # fmt: skip
        if beacon.wire == "gb46750":
            report = Gb46750(
                product_id=beacon.product_id, mark=beacon.mark, uas_class=1,
                pilot_lat=pilot_lat, pilot_lon=pilot_lon, pilot_height=pilot_hae,
                time_accuracy=5, **said,
            )  # fmt: skip
            made.append(encode_gb46750(report, counter=i % 256, wifi=True))
        else:
            made.append(
                encode_odid_pack(
                    encode_odid_basic_id(beacon.product_id),
                    encode_odid_location(time_accuracy=1, **said),
                    encode_odid_system(pilot_lat, pilot_lon, pilot_height=pilot_hae),
                    encode_odid_operator_id(beacon.mark),
                    counter=i % 256, wifi=True,
                )
            )  # fmt: skip
    return made


def _gnss(beacon: Beacon, n: int, rng: Generator) -> F8:
    """Noise (n, 3) m: white, and one that wanders with a correlation time of 20 s."""
    sd = beacon.sd_m, beacon.sd_m, 1.3 * beacon.sd_m
    made = rng.normal(0.0, sd, (n, 3))
    if beacon.wander_m > 0.0:
        keep = np.exp(-1.0 / 20.0)
        wander = rng.normal(0.0, beacon.wander_m, 2)
        for i in range(n):
            made[i, :2] += wander
            fresh = rng.normal(0.0, beacon.wander_m, 2)
            wander = keep * wander + np.sqrt(1.0 - keep * keep) * fresh
    return made


def _placed(
    tile: Tile, name: str, wire: str, kind: str, place: tuple[float, float], reach_m: float
) -> dict[str, Any]:
    """Place and coverage of a sensor: a polygon within the circle of its reach."""
    angles = np.arange(48) * (tau / 48)
    ring = np.stack(
        (place[0] + reach_m * np.sin(angles), place[1] + reach_m * np.cos(angles), 0.0 * angles), 1
    )
    lat, lon = geodetic(tile, np.concatenate(([[*place, 12.0]], ring)))
    return {
        "name": name, "format": wire, "kind": kind, "lat": float(lat[0]), "lon": float(lon[0]),
        "hae_m": 12.0, "reorder_wait_ms": 300,
        "coverage": np.round(np.stack((lon[1:], lat[1:]), 1), 7).tolist(),
    }  # fmt: skip


def _ns(air: Air, t_s: float) -> int:
    return air.start_ns + to_ns(float(t_s))


def _us(ms: float) -> int:
    """Delay in ns, whole microseconds."""
    return round(float(ms) * 1000) * 1000
