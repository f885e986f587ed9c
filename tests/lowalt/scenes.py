"""Made zones, tracks and sensors around one tile, for the tests of this folder."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from v2x.geodesy import Tile
from v2x.lowalt.files import split
from v2x.lowalt.zones import Limit, Part, Zone
from v2x.observations import Kind, ident_of
from v2x.picture import Devices, ZoneKind
from v2x.readings import Name, Readings
from v2x.sensors import Sensor, SensorKind, SensorTable
from v2x.tracks import Status, Tracks

TILE = Tile(39.1244, 117.3460, 0.0)
SECOND = 1_000_000_000
T0 = 1_777_593_600 * SECOND  # 2026-05-01T00:00:00Z
DRONE = "rid:ABCDE012345678901234"
OTHER = "rid:ABCDE012345678909999"
PLANE = "icao:780abc"
IDENTS = {ident_of(text): text for text in (DRONE, OTHER, PLANE, "808:13800000001")}
PROPERTIES: dict[str, Any] = {
    "id": "Z1",
    "kind": "prohibited",
    "floor_m": None,
    "ceiling_m": 300,
    "ceiling_ref": "agl",
    "datum": "wgs84",
}


def lonlat(corners: Iterable[Sequence[float]]) -> list[list[float]]:
    """Closed ring of [lon, lat] from (east, north) metres in the tile."""
    enu = np.array([[e, n, 0.0] for e, n in corners])
    enu[:, 2] = -(enu[:, 0] ** 2 + enu[:, 1] ** 2) / (2.0 * 6.371e6)
    lat, lon, _ = TILE.to_geodetic(enu)
    ring = np.column_stack((lon, lat)).tolist()
    return [*ring, ring[0]]


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    """Closed ring of [lon, lat] around a box in tile metres."""
    return lonlat([(west, south), (east, south), (east, north), (west, north)])


def zone(zone_id: str, *polygons: Sequence[list[list[float]]], **given: Any) -> Zone:
    """Zone of polygons (each a list of rings of [lon, lat]); prohibited without limits."""
    limits = {}
    for side in ("floor", "ceiling"):
        metres, ref = given.pop(f"{side}_m", None), given.pop(f"{side}_ref", None)
        slope = given.pop(f"{side}_slope", None)
        limits[side] = None if metres is None else Limit(metres, ref, slope)
    parts = [
        Part(tuple(tuple(map(tuple, ring)) for ring in polygon), **limits) for polygon in polygons
    ]
    return Zone(zone_id, zone_id, given.pop("kind", ZoneKind.PROHIBITED), tuple(parts), **given)


def feature(*rings: list[list[float]], **properties: Any) -> dict[str, Any]:
    """One feature of a zone file."""
    return {
        "type": "Feature",
        "properties": PROPERTIES | properties,
        "geometry": {"type": "Polygon", "coordinates": list(rings) or [box(0, 0, 1000, 1000)]},
    }


def written(path: Path, *features: dict[str, Any], **members: Any) -> Path:
    """Write a zone file."""
    tree = {"type": "FeatureCollection", "features": list(features)} | members
    path.write_text(json.dumps(tree), "utf-8")
    return path


def dense(ring: list[list[float]]) -> np.ndarray:
    """The same ring with short edges, (n, 2) lon, lat."""
    return split(np.array(ring), 0.0005)


def table(*more: Sensor) -> SensorTable:
    """A radar, a Remote ID receiver and an ADS-B receiver that reach 3 km; `more` replaces."""
    reach = ((-3e3, -3e3), (3e3, -3e3), (3e3, 3e3), (-3e3, 3e3))
    standard = {
        "adsb": Sensor("adsb", kind=SensorKind.ADS_B),
        "radar": Sensor("radar", kind=SensorKind.RADAR, coverage=reach),
        "rid": Sensor("rid", kind=SensorKind.REMOTE_ID, coverage=reach),
    }
    return SensorTable.of({**standard, **{s.name: s for s in more}}.values())


def devices(sensors: SensorTable, dead: Iterable[str] = ()) -> Devices:
    """All alive but those named."""
    live = [sensor.name not in dead for sensor in sensors.sensors]
    return Devices.blank(len(sensors), live=live)


def bits(*kinds: SensorKind) -> int:
    """Bit set as in `Tracks.sensor_kinds`."""
    return sum(1 << kind for kind in kinds)


def track(
    t_ns: int,
    east: float = 0.0,
    north: float = 0.0,
    agl: float = 60.0,
    *,
    track_id: int = 1,
    kind: Kind = Kind.UAS,
    prob: float = 0.9,
    ident: str = "",
    fed: int | None = None,
    age_s: float = 10.0,
    status: Status = Status.CONFIRMED,
    sd: float = 2.0,
) -> Tracks:
    """One track at a place and height above ground (NaN: height never measured)."""
    from v2x.geodesy import undulation

    flat = np.array([[east, north, np.nan]])
    lat, lon, _ = TILE.to_geodetic(flat, h_ref=0.0)
    hae = agl + undulation(lat, lon) + 3.0
    x = np.zeros(6)
    x[:3] = TILE.to_enu(lat, lon, np.nan_to_num(hae))[0]
    P = np.diag([4.0, 4.0, sd * sd, 1.0, 1.0, 1.0])
    if np.isnan(agl):
        x[2], P[2, 2] = 0.0, 1e6
    return Tracks.blank(
        1, id=track_id, t_ns=t_ns, x=x, P=P, exist=0.99, kind=kind, kind_prob=prob,
        ident=ident_of(ident), first_ns=t_ns - round(age_s * SECOND), last_ns=t_ns, status=status,
        n_sensors=1, sensor_kinds=bits(SensorKind.RADAR) if fed is None else fed,
    )  # fmt: skip


def heard(
    sensors: SensorTable,
    t_ns: int,
    ident: str,
    *,
    by: str = "rid",
    mark: str | None = "12345678",
    status: int = 2,
) -> Readings:
    """What a Remote ID receiver says of one broadcast; mark None: "not registered"."""
    rows = [
        (Name.RID_HEARD, 1.0, -1, np.nan, np.nan),
        (Name.RID_REGISTERED, float(mark is not None), -1, np.nan, np.nan),
        (Name.PILOT, 1.0, -1, 39.12, 117.34),
        (Name.RID_STATUS, float(status), -1, np.nan, np.nan),
    ]
    if mark is not None:
        rows.append((Name.RID_REGISTRATION, 1.0, ident_of(mark), np.nan, np.nan))
    name, value, ident2, lat, lon = zip(*rows, strict=True)
    return Readings.blank(
        len(rows), t_ns=t_ns, recv_ns=t_ns, sensor=sensors.row(by), ident=ident_of(ident),
        name=name, value=value, ident2=ident2, lat=lat, lon=lon,
    )  # fmt: skip


NOTHING = Readings.blank(0)
