"""Simulated sensors of the demo drive: truth in, frames as on the wire out.

Each sender draws from a generator of its own, so that a change to one leaves the frames of the
others as they are. Noise is white and Gaussian; what a sender claims of its accuracy is what it
has. Values are rounded to what the wire carries before a frame is made of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, tau
from typing import Any

import numpy as np
from numpy.random import Generator

from replay.scenarios.world import DURATION_S, GROUND_HAE_M, Path, World, geodetic
from v2x.columns import F8, I8
from v2x.frames import Frame
from v2x.geodesy import undulation
from v2x.ingest.formats.columns import encode_columns
from v2x.ingest.formats.jt808 import encode_position
from v2x.ingest.formats.nmea import encode_gga, encode_gst, encode_rmc
from v2x.ingest.j2735cn_encode import Participant, encode_envelope, encode_heartbeat, encode_rsm
from v2x.ingest.modes import FOOT, KNOT
from v2x.ingest.modes_encode import (
    encode_airborne_position,
    encode_identification,
    encode_operational_status,
    encode_velocity,
)
from v2x.ingest.rid_gb46750 import Gb46750, encode_gb46750
from v2x.ingest.timestamps import to_ns
from v2x.observations import Kind

RSM_MOST = 16
RID_SD = (3.0, 3.0, 4.0)
"""Noise of the drones' own GNSS: east, north, up in m."""

_MS = 1_000_000
_ONE_METRE = 9
"""Confidence of place and height within 1 m at 95 %: for an sd of 0.4 m per axis it is 0.98 m."""


@dataclass(frozen=True)
class Radar:
    """A volume radar: one look a second, positions only, blind near the ground.

    Attributes
    ----------
    place
        (east, north, HAE) m.
    lowest_m, highest_m
        Band of heights it sees, above the ellipsoid; false plots are uniform in the cylinder.
    """

    name: str
    place: tuple[float, float, float]
    reach_m: float = 14_000.0
    lowest_m: float = GROUND_HAE_M + 20.0
    highest_m: float = GROUND_HAE_M + 500.0
    sd_m: float = 8.0
    sd_up_m: float = 10.0
    p_detect: float = 0.92
    clutter: float = 1.0

    @property
    def density(self) -> float:
        """False plots per look and m³."""
        return self.clutter / (pi * self.reach_m**2 * (self.highest_m - self.lowest_m))

    def frames(self, world: World, start_ns: int, rng: Generator) -> list[Frame]:
        """Frames of the whole drive; a look that sees nothing is one too."""
        made = []
        for k in range(round(DURATION_S)):
            t = k + 0.4
            seen, kinds = [], []
            for path in world.air:
                if not len(path.alive(np.array([t]))):
                    continue
                place = path.at(np.array([t])).place[0]
                reached = np.hypot(*(place[:2] - self.place[:2])) <= self.reach_m
                if reached and place[2] > self.lowest_m and rng.random() < self.p_detect:
                    seen.append(place + rng.normal(0.0, (self.sd_m, self.sd_m, self.sd_up_m)))
                    kinds.append(Kind.UAS if path.kind == "uas" else Kind.AIRCRAFT)
            n = int(rng.poisson(self.clutter))
            band = self.lowest_m, self.highest_m
            seen += list(_in_cylinder(rng, n, self.place, self.reach_m, band))
            kinds += [Kind.UNKNOWN] * n
            order = rng.permutation(len(seen))
            labelled = (rng.random(len(seen)) < 0.5) & (np.array(kinds) != Kind.UNKNOWN)
            columns: dict[str, Any] = {}
            if seen:
                place = np.array(seen)
                lat, lon = geodetic(world.tile, place)
                cov = (self.sd_m**2, 0.0, 0.0, self.sd_m**2, 0.0, self.sd_up_m**2)
                columns = {
                    "lat": np.round(lat, 7)[order],
                    "lon": np.round(lon, 7)[order],
                    "height": np.round(place[order, 2], 1),
                    "cov": np.tile(cov, (len(seen), 1)),
                    "kind": np.where(labelled, kinds, Kind.UNKNOWN)[order],
                    "kind_conf": np.where(labelled, 0.6, 0.0)[order],
                }
            t_ns = start_ns + to_ns(t)
            payload = encode_columns(t_ns, k, columns)
            made.append(Frame(t_ns + _delay(rng, 60, 100), self.name, "columns", payload))
        return made


@dataclass(frozen=True)
class Roadside:
    """A roadside unit with a camera or lidar: road users around its pole, five times a second.

    Attributes
    ----------
    place
        (east, north, HAE) m of the pole.
    first_s
        Time of the first look.
    until_s
        It dies then.
    clutter
        False objects per look, uniform in the cylinder of `reach_m` and `clutter_band_m`.
    """

    name: str
    place: tuple[float, float, float]
    first_s: float
    until_s: float = DURATION_S
    source: int = 6
    reach_m: float = 390.0
    sd_m: float = 0.4
    p_detect: float = 0.95
    clutter: float = 0.05
    clutter_band_m: float = 6.0
    period_s: float = 0.2

    @property
    def density(self) -> float:
        """False plots per look and m³."""
        return self.clutter / (pi * self.reach_m**2 * self.clutter_band_m)

    @property
    def serial(self) -> str:
        """Name on the wire, 8 characters."""
        return f"DEMORSU{self.name[-1]}"

    def frames(self, world: World, start_ns: int, rng: Generator) -> list[Frame]:
        """Frames of objects in all looks, and a heartbeat every 3 s."""
        looks = np.arange(self.first_s, self.until_s, self.period_s)
        of_look, participants = self._seen(world, start_ns, looks, rng)
        edges = np.searchsorted(of_look, np.arange(len(looks) + 1))
        lat, lon = geodetic(world.tile, np.array([self.place]))
        here = float(lat[0]), float(lon[0]), self.place[2]
        made = []
        count = 0
        for k, t in enumerate(looks.tolist()):
            t_ms = start_ns // _MS + round(t * 1000)
            seen = participants[edges[k] : edges[k + 1]] or [
                Participant(0, *here, ptc_type=4, source=1, sec_mark=t_ms % 60_000)
            ]
            recv_ns = t_ms * _MS + _delay(rng, 40, 90)
            for part in range(0, len(seen), RSM_MOST):
                frame = encode_rsm(
                    self.serial.encode(), *here, seen[part : part + RSM_MOST], count % 128
                )
                payload = encode_envelope(self.serial, t_ms, frame)
                # Messages of one look follow each other on the link.
                made.append(Frame(recv_ns + part * 50_000, self.name, "rsu", payload))
                count += 1
        beat = encode_heartbeat(self.serial)
        for t in np.arange(1.0 + self.first_s, self.until_s, 3.0).tolist():
            recv_ns = start_ns + to_ns(t) + _delay(rng, 40, 90)
            made.append(Frame(recv_ns, self.name, "rsu_status", beat))
        return made

    def _seen(
        self, world: World, start_ns: int, looks: F8, rng: Generator
    ) -> tuple[I8, list[Participant]]:
        """Objects of all looks in order, and the look of each."""
        look, place, speed, heading, who = [], [], [], [], []
        for number, path in enumerate(world.road):
            k = np.flatnonzero((looks >= path.t_s[0]) & (looks <= path.t_s[-1]))
            if not len(k):
                continue
            states = path.at(looks[k])
            near = np.hypot(*(states.place[:, :2] - self.place[:2]).T) <= self.reach_m
            near &= rng.random(len(k)) < self.p_detect
            n = int(near.sum())
            look.append(k[near])
            place.append(states.place[near] + rng.normal(0.0, self.sd_m, (n, 3)))
            true_speed = np.hypot(states.vel[near, 0], states.vel[near, 1])
            speed.append(np.abs(true_speed + rng.normal(0.0, 0.4, n)))
            heading.append(states.heading[near] + np.radians(rng.normal(0.0, 2.0, n)))
            who.append(np.full(n, number))
        false = rng.poisson(self.clutter, len(looks))
        n = int(false.sum())
        band = GROUND_HAE_M - 2.0, GROUND_HAE_M - 2.0 + self.clutter_band_m
        look.append(np.repeat(np.arange(len(looks)), false))
        place.append(_in_cylinder(rng, n, self.place, self.reach_m, band))
        speed.append(rng.uniform(0.0, 3.0, n))
        heading.append(rng.uniform(0.0, tau, n))
        who.append(np.arange(-1, -1 - n, -1))
        order = np.argsort(np.concatenate(look), kind="stable")
        of_look = np.concatenate(look)[order].astype(np.int64)
        at, v, h, names = (np.concatenate(part)[order] for part in (place, speed, heading, who))
        lat, lon = geodetic(world.tile, at)
        numbers: dict[int, int] = {}
        made = []
        for i, name in enumerate(names.tolist()):
            made.append(
                self._participant(
                    numbers.setdefault(name, len(numbers) + 1),
                    world.road[name] if name >= 0 else None,
                    float(lat[i]), float(lon[i]), float(at[i, 2]), float(v[i]),
                    float(np.degrees(h[i])),
                    (start_ns // _MS + round(float(looks[of_look[i]]) * 1000)) % 60_000,
                )
            )  # fmt: skip
        return of_look, made

    def _participant(
        self, number: int, path: Path | None, lat: float, lon: float, hae: float, speed: float,
        heading: float, sec_mark: int,
    ) -> Participant:  # fmt: skip
        kind = "" if path is None else path.kind
        return Participant(
            number, lat, lon, hae,
            ptc_type=_TYPES.get(kind, 0), source=self.source, sec_mark=sec_mark,
            position_code=_ONE_METRE, elevation_code=_ONE_METRE,
            speed=speed, heading=heading % 360.0, speed_code=4, heading_code=2,
            length=float("nan") if path is None else path.length_m,
            width=float("nan") if path is None else path.width_m,
            vehicle_class=_CLASSES.get(kind),
        )  # fmt: skip


_TYPES = {
    "car": 1, "truck": 1, "bus": 1, "emergency_vehicle": 1, "bicycle": 2, "pedestrian": 3,
}  # fmt: skip
_CLASSES = {"car": 10, "truck": 25, "bus": 50, "emergency_vehicle": 60}


@dataclass(frozen=True)
class Terminal:
    """A vehicle terminal of JT/T 808; `sos_s` are the whole seconds of its emergency reports."""

    vehicle: str
    phone: str
    edition: str
    sos_s: tuple[int, ...] = ()


@dataclass(frozen=True)
class Gateway:
    """What the gateway of vehicle terminals passes on: one report a second from each."""

    name: str
    terminals: tuple[Terminal, ...]
    sd_m: float = 5.0
    sd_up_m: float = 1.5

    def frames(self, world: World, start_ns: int, rng: Generator) -> list[Frame]:
        """Reports of all terminals; serial numbers count per terminal."""
        made = []
        for terminal in self.terminals:
            path = world.named(terminal.vehicle)
            t = path.alive(np.arange(0.0, DURATION_S, 1.0))
            states = path.at(t)
            sd = self.sd_m, self.sd_m, self.sd_up_m
            place = states.place + rng.normal(0.0, sd, (len(t), 3))
            lat, lon = geodetic(world.tile, place)
            amsl = place[:, 2] - undulation(lat, lon)
            speed = np.hypot(states.vel[:, 0], states.vel[:, 1]) + rng.normal(0.0, 0.3, len(t))
            heading = np.degrees(states.heading) + rng.normal(0.0, 2.0, len(t))
            satellites = rng.integers(14, 25, len(t))
            for i in range(len(t)):
                t_ns = start_ns + to_ns(float(t[i]))
                payload = encode_position(
                    terminal.phone, i, t_ns, float(lat[i]), float(lon[i]), float(amsl[i]),
                    max(float(speed[i]), 0.0), float(heading[i]) % 360.0,
                    alarm=int(round(float(t[i])) in terminal.sos_s), edition=terminal.edition,
                    extras={0x30: b"\x1c", 0x31: bytes([int(satellites[i])])},
                )  # fmt: skip
                made.append(Frame(t_ns + _delay(rng, 80, 180), self.name, "jt808", payload))
        return made


@dataclass(frozen=True)
class Rover:
    """A GNSS receiver with fixed RTK in a vehicle: GGA, GST and RMC, a frame each."""

    name: str
    vehicle: str
    talker: str = "GN"
    sd_m: float = 0.03
    period_s: float = 0.5

    def frames(self, world: World, start_ns: int, rng: Generator) -> list[Frame]:
        """Sentences while the vehicle is there."""
        path = world.named(self.vehicle)
        t = path.alive(np.arange(0.0, DURATION_S, self.period_s))
        states = path.at(t)
        place = states.place + rng.normal(0.0, self.sd_m, (len(t), 3))
        lat, lon = geodetic(world.tile, place)
        separation = np.round(undulation(lat, lon), 2)
        speed = np.hypot(states.vel[:, 0], states.vel[:, 1])
        course = np.degrees(states.heading) % 360.0
        sd, talker = self.sd_m, self.talker
        made = []
        for i in range(len(t)):
            t_ns = start_ns + to_ns(float(t[i]))
            at = float(lat[i]), float(lon[i])
            sep = float(separation[i])
            sentences = (
                encode_gga(
                    t_ns, *at, float(place[i, 2]) - sep, sep,
                    quality=4, satellites=24, hdop=0.6, age_s=1.0, station="0001", talker=talker,
                ),
                encode_gst(t_ns, sd, sd, sd, talker=talker),
                encode_rmc(t_ns, *at, float(speed[i]), float(course[i]), mode="R", talker=talker),
            )  # fmt: skip
            for k, payload in enumerate(sentences):
                made.append(Frame(t_ns + (30 + k) * _MS, self.name, "nmea", payload))
        return made


@dataclass(frozen=True)
class Beacon:
    """The Remote ID transmitter of one drone.

    Attributes
    ----------
    mark
        Registration mark; "00000000" says that it has none.
    uas_class
        0 micro, 1 light, 2 small.
    first_s
        Phase of its broadcasts, one a second.
    """

    drone: str
    product_id: str
    mark: str
    uas_class: int
    first_s: float


def remote_id(
    world: World, start_ns: int, beacons: Sequence[Beacon], receivers: Sequence[str],
    rng: Generator,
) -> list[Frame]:  # fmt: skip
    """What the receivers hear of each broadcast (the same bytes), and their heartbeats.

    Both miss 1 in 20 broadcasts, independently.
    """
    made = []
    for beacon in beacons:
        path = world.named(beacon.drone)
        t = path.alive(np.arange(beacon.first_s, DURATION_S, 1.0))
        states = path.at(t)
        place = states.place + rng.normal(0.0, RID_SD, (len(t), 3))
        lat, lon = geodetic(world.tile, place)
        vel = states.vel + rng.normal(0.0, 0.3, (len(t), 3))
        home = path.place[:1] + np.array([[15.0, -10.0, 0.5]])
        pilot_lat, pilot_lon = geodetic(world.tile, home)
        above = states.place[:, 2] - path.place[0, 2] + rng.normal(0.0, 0.5, len(t))
        for i in range(len(t)):
            t_ns = start_ns + to_ns(float(t[i]))
            report = Gb46750(
                product_id=beacon.product_id, mark=beacon.mark, uas_class=beacon.uas_class,
                pilot_lat=float(pilot_lat[0]), pilot_lon=float(pilot_lon[0]),
                pilot_height=float(home[0, 2]),
                lat=float(lat[i]), lon=float(lon[i]), height=float(place[i, 2]),
                track_deg=float(np.degrees(np.arctan2(vel[i, 0], vel[i, 1])) % 360.0),
                speed=float(np.hypot(vel[i, 0], vel[i, 1])), climb=float(vel[i, 2]),
                height_takeoff=float(above[i]),
                nacp=10, vertical=4, speed_accuracy=3, t_ns=t_ns, time_accuracy=5,
            )  # fmt: skip
            payload = encode_gb46750(report, counter=i, wifi=True)
            for receiver in receivers:
                recv_ns = t_ns + _delay(rng, 40, 120)
                if rng.random() < 0.95:
                    made.append(Frame(recv_ns, receiver, "remote_id", payload))
    for k, receiver in enumerate(receivers):
        for second in range(round(DURATION_S)):
            t_ns = start_ns + to_ns(second + 0.25 + 0.5 * k)
            payload = encode_columns(t_ns, second, {})
            made.append(Frame(t_ns + _delay(rng, 40, 120), receiver, "columns", payload))
    return made


@dataclass(frozen=True)
class Transponder:
    """The ADS-B transmitter of an airliner, silent once it is on the ground.

    Attributes
    ----------
    icao
        24-bit address.
    above_baro_m
        Height above the ellipsoid minus the pressure altitude: the weather of the day.
    until_s
        Touch-down.
    """

    aircraft: str
    icao: int
    callsign: str
    until_s: float
    above_baro_m: float = 20.0
    sd_m: float = 10.0

    def frames(self, receiver: str, world: World, start_ns: int, rng: Generator) -> list[Frame]:
        """Squitters as AVR text: their event time is their arrival, 10 to 30 ms after sending."""
        path = world.named(self.aircraft)
        made: list[Frame] = []

        def send(t: float, message: bytes) -> None:
            recv_ns = start_ns + to_ns(t) + _delay(rng, 10, 30)
            payload = b"*" + message.hex().upper().encode() + b";"
            made.append(Frame(recv_ns, receiver, "adsb", payload))

        begin = float(path.t_s[0])
        for t in np.arange(begin + 0.05, self.until_s, 5.0).tolist():
            send(t, encode_identification(self.icao, self.callsign, "A3"))
            send(t + 0.01, encode_operational_status(self.icao, 9))
        for t in np.arange(begin + 0.1, self.until_s, 0.5).tolist():
            state = path.at(np.array([t]))
            east, north, up = state.vel[0] + rng.normal(0.0, 0.5, 3)
            speeds = east / KNOT, north / KNOT, up / FOOT * 60.0
            send(t, encode_velocity(self.icao, *speeds, self.above_baro_m / FOOT))
        for k, t in enumerate(np.arange(begin + 0.25, self.until_s, 0.5).tolist()):
            place = path.at(np.array([t])).place + rng.normal(0.0, (self.sd_m, self.sd_m, 0.0))
            lat, lon = geodetic(world.tile, place)
            baro_ft = (float(place[0, 2]) - self.above_baro_m) / FOOT
            message = encode_airborne_position(
                self.icao, float(lat[0]), float(lon[0]), baro_ft, k % 2 == 1
            )
            send(t, message)
        return made


def _in_cylinder(
    rng: Generator, n: int, place: tuple[float, float, float], reach_m: float,
    band: tuple[float, float],
) -> F8:  # fmt: skip
    """Places (n, 3), uniform within `reach_m` of a place and a band of heights."""
    r, a = reach_m * np.sqrt(rng.random(n)), rng.uniform(0.0, tau, n)
    height = rng.uniform(*band, n)
    return np.stack((place[0] + r * np.sin(a), place[1] + r * np.cos(a), height), 1)


def _delay(rng: Generator, least_ms: float, most_ms: float) -> int:
    """Delay of a link in ns, whole microseconds."""
    return round(rng.uniform(least_ms, most_ms) * 1000) * 1000
