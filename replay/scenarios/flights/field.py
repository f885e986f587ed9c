"""A field: up to 49 flights far apart around an airport, and all that a run of them needs.

Cells stand 5 km apart, in rows of seven; what flies in one is out of the sight and the reach of
the others' receivers and zones. Four radars see all of it, most places twice or more; each cell
has a Remote ID receiver in its middle, but those of `unheard` flights.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.affinity import translate

from replay.scenarios.flights import airport, claims, incursions, innocents
from replay.scenarios.flights.senders import (
    GROUND_AMSL_M,
    Air,
    Radar,
    Receiver,
    squitters,
)
from replay.scenarios.flights.truth import Body, Flight
from replay.scenarios.world import ORIGIN, geodetic
from v2x.columns import F8
from v2x.frames import Frame
from v2x.geodesy import Tile
from v2x.ingest.timestamps import SECOND, iso, parse_iso

START_NS = parse_iso("2026-11-24T02:00:00Z")
DURATION_S = 118.0
ROW, APART_M = 7, 5_000.0
CELLS = ROW * ROW
ADSB = "adsb-1"

SUITES = {
    "incursions": incursions.FAMILIES,
    "innocents": innocents.FAMILIES,
    "claims": claims.FAMILIES,
}
RADARS = (
    Radar("radar-1", (-7_500.0, -7_500.0), 0.11),
    Radar("radar-2", (7_500.0, -7_500.0), 0.36),
    Radar("radar-3", (-7_500.0, 7_500.0), 0.61, wire="objects"),
    Radar("radar-4", (7_500.0, 7_500.0), 0.86, wire="objects"),
)


@dataclass(frozen=True)
class Field:
    """One run: flights in their cells, the frames of all sensors, what each radar saw of whom.

    ``seen`` holds the times at which radars saw each body, by its name; ``heard`` those at which a
    receiver heard it.
    """

    flights: tuple[Flight, ...]
    frames: tuple[Frame, ...]
    seen: dict[str, F8]
    heard: dict[str, F8]
    tile: Tile
    receivers: tuple[Receiver, ...]

    @property
    def bodies(self) -> list[Body]:
        """All bodies of all flights."""
        return [body for flight in self.flights for body in flight.bodies]

    def write(self, folder: Path) -> dict[str, Any]:
        """Write zones, registry and plans to a folder; returns the tree of the configuration."""
        for name, tree in (
            ("zones.geojson", self._zones()),
            ("registry.json", self._registry()),
            ("plans.json", self._plans()),
        ):
            (folder / name).write_text(json.dumps(tree), "utf-8")
        lat, lon, hae = ORIGIN
        return {
            "site": {"name": "flights", "lat": lat, "lon": lon, "hae_m": hae,
                     "ground_amsl_m": GROUND_AMSL_M},
            "airspace": {"zones": "zones.geojson", "registry": "registry.json",
                         "plans": "plans.json"},
            "sensors": [
                {"name": ADSB, "format": "adsb", "kind": "ads_b", "sd_m": 10.0, "sd_up_m": 15.0,
                 "p_detect": 0.95, "clutter_density": 1e-9, "reorder_wait_ms": 300},
                *(radar.settings(self.tile) for radar in RADARS),
                *(receiver.settings(self.tile) for receiver in self.receivers),
            ],
        }  # fmt: skip

    def _ring(self, shape: shapely.Polygon) -> list[list[float]]:
        """Corners as [lon, lat], to a centimetre."""
        corners = np.array(shape.exterior.coords)[:, :2]
        lat, lon = geodetic(self.tile, np.column_stack((corners, np.zeros(len(corners)))))
        return np.round(np.stack((lon, lat), 1), 7).tolist()  # type: ignore[no-any-return]

    def _zones(self) -> dict[str, Any]:
        features = [
            {
                "type": "Feature",
                "id": zone.id,
                "properties": {
                    "id": zone.id, "name": zone.id, "kind": zone.kind, "datum": "wgs84",
                    "floor_m": zone.floor_m, "floor_ref": "agl",
                    "ceiling_m": zone.ceiling_m, "ceiling_ref": "agl",
                },
                "geometry": {"type": "Polygon", "coordinates": [self._ring(zone.shape)]},
            }
            for zone in (flight.zone for flight in self.flights)
            if zone is not None
        ]  # fmt: skip
        if all(flight.family in innocents.MANNED for flight in self.flights):
            features += airport.features()
        return {"type": "FeatureCollection", "features": features}

    def _registry(self) -> dict[str, Any]:
        known = {
            body.beacon.ident: body.beacon.mark
            for flight in self.flights
            for body in flight.bodies
            if flight.registered and body.beacon is not None
        }
        return {
            "as_of": iso(START_NS - 3600 * SECOND),
            "uas": [
                {"ident": ident, "mark": mark, "class": "light", "owner": "invented"}
                for ident, mark in known.items()
            ],
        }

    def _plans(self) -> dict[str, Any]:
        return {
            "plans": [
                {
                    "id": plan.id, "idents": list(plan.idents), "polygon": self._ring(plan.shape),
                    "floor_m": plan.floor_m, "floor_ref": "agl",
                    "ceiling_m": plan.ceiling_m, "ceiling_ref": "agl",
                    "valid_from": iso(START_NS - 600 * SECOND),
                    "valid_to": iso(START_NS + 1800 * SECOND),
                    "approval": "invented",
                }
                for plan in (flight.approval for flight in self.flights)
                if plan is not None
            ]
        }  # fmt: skip


def draw(suite: str, seed: int, number: int, families: Sequence[str] = ()) -> Flight:
    """Flight `number` of a suite and seed, around the origin; families take turns."""
    known = SUITES[suite]
    names = [name for name in known if not families or name in families]
    family = names[number % len(names)]
    rng = np.random.default_rng([list(SUITES).index(suite), seed, number])
    return known[family](rng, f"{family}-{seed}-{number}")


def fields(
    suite: str, seed: int, flights: int, families: Sequence[str] = ()
) -> list[tuple[int, ...]]:
    """Numbers of the flights of each field: manned ones fly apart from drones."""
    names = [name for name in SUITES[suite] if not families or name in families]
    manned = [k for k in range(flights) if names[k % len(names)] in innocents.MANNED]
    others = [k for k in range(flights) if names[k % len(names)] not in innocents.MANNED]
    return [
        tuple(part[at : at + CELLS])
        for part in (others, manned)
        for at in range(0, len(part), CELLS)
    ]


def make(suite: str, seed: int, numbers: Sequence[int], families: Sequence[str] = ()) -> Field:
    """Fly these flights of a suite in one field, and film them."""
    tile = Tile(*ORIGIN)
    flights, receivers = [], []
    for cell, number in enumerate(numbers):
        flight = draw(suite, seed, number, families)
        east, north = centre(cell)
        flights.append(_moved(flight, east, north))
        if flight.family != "unheard":
            receivers.append(Receiver(f"rid-{cell:02d}", (east, north), 0.02 * cell))
    air = Air(tile, START_NS, DURATION_S, [body for f in flights for body in f.bodies])
    frames: list[Frame] = []
    seen: dict[str, list[F8]] = {}
    heard: dict[str, list[F8]] = {}
    rng = np.random.default_rng([99, list(SUITES).index(suite), seed, *numbers[:1]])
    for radar, one in zip(RADARS, rng.spawn(len(RADARS)), strict=True):
        frames += radar.frames(air, one, seen)
    for receiver in receivers:
        frames += receiver.heartbeats(air, rng)
    frames += air.broadcasts(receivers, rng, heard)
    frames += squitters(air, ADSB, rng, heard)
    frames.sort(key=lambda frame: (frame.recv_ns, frame.sensor))
    return Field(
        tuple(flights), tuple(frames), _joined(seen), _joined(heard), tile, tuple(receivers)
    )


def centre(cell: int) -> tuple[float, float]:
    """Middle of a cell, m east and north."""
    half = (ROW - 1) / 2
    return (cell % ROW - half) * APART_M, (cell // ROW - half) * APART_M


def _moved(flight: Flight, east: float, north: float) -> Flight:
    by = np.array([east, north, 0.0])
    zone, plan = flight.zone, flight.approval
    return replace(
        flight,
        bodies=tuple(replace(body, path=body.path + by) for body in flight.bodies),
        zone=None if zone is None else replace(zone, shape=translate(zone.shape, east, north)),
        approval=None if plan is None else replace(plan, shape=translate(plan.shape, east, north)),
    )


def _joined(parts: dict[str, list[F8]]) -> dict[str, F8]:
    return {name: np.sort(np.concatenate(times)) for name, times in parts.items()}
