"""The demo drive: five minutes around Tianjin airport, as sensors would have sent them.

``python -m replay.scenarios.demo [OUT]`` writes ``demo.mcap`` with the files it needs attached
(configuration, zones, registry, plans), and beside it ``demo.truth.csv`` and
``demo.expected.json``. Motion comes from the tables in ``kinematics/``, everything else from
seeded generators: the same versions give the same frames.

What is staged, and the alerts that must come of it (no others may):

==============  =================================================================================
`delivery`      registered, in the volume and window of its plan: nothing
`stray`         registered, no plan, flies into the prohibited zone: `zone_breach_predicted`, then
                `zone_intrusion` and `uas_unauthorised`
`unregistered`  broadcasts mark 00000000: `uas_unregistered`
`dark`          broadcasts nothing and crosses the zone: `uas_dark`, `zone_breach_predicted` and
                `zone_intrusion`
`airliner`      lands past all of it: nothing
`patrol-1`      presses the emergency button at 150 s: `sos`
`rsu-3`         falls silent at 200 s: `device_silent`
==============  =================================================================================

Road network and zone are invented (``kinematics/README.md``); product ids, marks, phones and the
callsign are nobody's.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import count
from math import cos, sin, tau
from pathlib import Path

import numpy as np

from replay.scenarios.senders import (
    Beacon,
    Gateway,
    Radar,
    Roadside,
    Rover,
    Terminal,
    Transponder,
    remote_id,
)
from replay.scenarios.world import DURATION_S, ORIGIN, World, geodetic, load, table
from v2x.frames import Frame
from v2x.geodesy import Tile
from v2x.ingest.drive import DriveSink
from v2x.ingest.timestamps import parse_iso

START = "2026-11-24T02:00:00Z"
SEED = 20_261_124
OUT = Path(__file__).parents[1] / "drives" / "demo.mcap"

RADAR = Radar("radar-1", (-400.0, -600.0, 12.0))
UNITS = (
    Roadside("rsu-1", (-4151.0, -2685.0, 3.0), first_s=0.0),
    Roadside("rsu-2", (-3453.0, -3034.0, 3.0), first_s=0.05),
    Roadside("rsu-3", (-2756.0, -3382.0, 3.0), first_s=0.1, until_s=200.0),
    Roadside("rsu-4", (-2058.0, -3731.0, 3.0), first_s=0.15),
)
"""Along the arterial, 780 m apart; the second and third at its junctions."""
GATEWAY = Gateway(
    "gateway-808",
    (
        Terminal("patrol-1", "990000000001", "2019", sos_s=tuple(range(150, 157))),
        Terminal("bus-1", "990000000011", "2013"),
        Terminal("bus-2", "990000000012", "2019"),
        Terminal("bus-3", "990000000013", "2013"),
        Terminal("truck-5", "990000000021", "2019"),
        Terminal("truck-7", "990000000022", "2013"),
    ),
)
ROVERS = (Rover("rtk-1", "car-10"), Rover("rtk-2", "car-59", talker="GB"))
BEACONS = (
    Beacon("delivery", "DEM0DELVERY000000001", "30010001", 2, first_s=0.13),
    Beacon("stray", "DEM0STRAY00000000002", "30010002", 1, first_s=0.41),
    Beacon("unregistered", "DEM0UNREG00000000003", "00000000", 1, first_s=0.77),
)
RECEIVERS = {"rid-1": (-3600.0, -1200.0, 15.0), "rid-2": (-2400.0, -3000.0, 15.0)}
RECEIVER_REACH_M = 6_000.0
ADSB = "adsb-1"
AIRLINER = Transponder("airliner", 0x780ABC, "CCA1234", until_s=229.6)

PLAN_CORNERS = (
    (-4323.0, -1495.0),
    (-4684.0, -363.0),
    (-5647.0, 1443.0),
    (-6176.0, 1161.0),
    (-5236.0, -597.0),
    (-4895.0, -1677.0),
)
"""East and north of the corridor approved for `delivery`: 300 m to each side of its way."""

EXPECTED = (
    ("zone_breach_predicted", 1, f"rid:{BEACONS[1].product_id}"),
    ("zone_intrusion", 1, f"rid:{BEACONS[1].product_id}"),
    ("uas_unauthorised", 1, f"rid:{BEACONS[1].product_id}"),
    ("uas_dark", 1, ""),
    ("zone_breach_predicted", 1, ""),
    ("zone_intrusion", 1, ""),
    ("uas_unregistered", 2, f"rid:{BEACONS[2].product_id}"),
    ("sos", 1, f"808:{GATEWAY.terminals[0].phone}"),
    ("device_silent", 3, "rsu-3"),
)
"""Type, severity and subject: an identity or a device, "" for a track that has no identity."""


def build(out: Path = OUT) -> None:
    """Write the drive to `out`, and truth and expected alerts beside it."""
    world = load()
    with DriveSink(out, attached(world.tile)) as sink:
        for frame in frames(world):
            sink.write(frame)
    out.with_suffix(".truth.csv").write_text(truth(world), "utf-8")
    out.with_suffix(".expected.json").write_text(expected(), "utf-8")


def frames(world: World) -> list[Frame]:
    """All frames in order of arrival."""
    start_ns = parse_iso(START)
    rng = (np.random.default_rng([SEED, k]) for k in count())
    made = RADAR.frames(world, start_ns, next(rng))
    made += GATEWAY.frames(world, start_ns, next(rng))
    made += remote_id(world, start_ns, BEACONS, tuple(RECEIVERS), next(rng))
    made += AIRLINER.frames(ADSB, world, start_ns, next(rng))
    for sender in (*UNITS, *ROVERS):
        made += sender.frames(world, start_ns, next(rng))
    return sorted(made, key=lambda frame: (frame.recv_ns, frame.sensor))


def attached(tile: Tile) -> dict[str, bytes]:
    """Files that the drive carries."""
    return {
        "v2x.toml": settings(tile).encode(),
        "zones.geojson": table("zone_demo.json").encode(),
        "registry.json": _json(
            {
                "as_of": "2026-11-24T00:00:00Z",
                "uas": [
                    {
                        "ident": f"rid:{beacon.product_id}",
                        "mark": beacon.mark,
                        "class": ("micro", "light", "small")[beacon.uas_class],
                        "owner": f"owner of {beacon.drone} (invented)",
                    }
                    for beacon in BEACONS
                    if beacon.mark.strip("0")
                ],
            }
        ),
        "plans.json": _json(
            {
                "plans": [
                    {
                        "id": "P-DEMO-1",
                        "idents": [f"rid:{BEACONS[0].product_id}"],
                        "polygon": _ring(tile, (*PLAN_CORNERS, PLAN_CORNERS[0])),
                        "floor_m": None,
                        "floor_ref": "agl",
                        "ceiling_m": 110,
                        "ceiling_ref": "agl",
                        "valid_from": "2026-11-24T01:50:00Z",
                        "valid_to": "2026-11-24T02:30:00Z",
                        "approval": "invented",
                    }
                ]
            }
        ),
    }


def settings(tile: Tile) -> str:
    """Configuration of the drive, TOML."""
    lat, lon, hae = ORIGIN
    head = f"""\
# Configuration of the demo drive. Poses, noise and coverage are those it was simulated with.

[site]
name = "tianjin-airport"
lat = {lat}
lon = {lon}
hae_m = {hae}
ground_amsl_m = 3.0

[airspace]
zones = "zones.geojson"
registry = "registry.json"
plans = "plans.json"
"""
    parts = [
        _sensor(tile, ADSB, "adsb", "ads_b", (0.0, 0.0, 15.0), p_detect=0.95, sd_m=AIRLINER.sd_m,
                sd_up_m=15.0, clutter_density=1e-9),
        _sensor(tile, GATEWAY.name, "jt808", "self_report", sd_m=GATEWAY.sd_m, sd_up_m=2.0,
                clutter_density=1e-9, period_s=1.0),
        _sensor(tile, RADAR.name, "columns", "radar", RADAR.place, RADAR.reach_m, sd_m=RADAR.sd_m,
                sd_up_m=RADAR.sd_up_m, p_detect=RADAR.p_detect, clutter_density=RADAR.density,
                floor_m=RADAR.lowest_m, period_s=1.0),
    ]  # fmt: skip
    for name, place in RECEIVERS.items():
        parts.append(
            _sensor(tile, name, "remote_id", "remote_id", place, RECEIVER_REACH_M, sd_m=3.0,
                    sd_up_m=4.0, p_detect=0.95, clutter_density=1e-9, period_s=2.0)
        )  # fmt: skip
    for unit in UNITS:
        parts.append(
            _sensor(tile, unit.name, "rsu", "rsu", unit.place, unit.reach_m, sd_m=unit.sd_m,
                    sd_up_m=unit.sd_m, p_detect=unit.p_detect, clutter_density=unit.density,
                    ceiling_m=10.0, period_s=unit.period_s)
        )  # fmt: skip
    for rover in ROVERS:
        parts.append(
            _sensor(tile, rover.name, "nmea", "self_report", sd_m=rover.sd_m, sd_up_m=rover.sd_m,
                    clutter_density=1e-9)
        )  # fmt: skip
    return "\n".join((head, *parts))


def truth(world: World) -> str:
    """Places of all objects once a second, CSV."""
    rows = []
    for path in (*world.road, *world.air):
        t = path.alive(np.arange(0.0, DURATION_S + 1.0))
        if not len(t):
            continue
        place = path.at(t).place
        lat, lon = geodetic(world.tile, place)
        for i in range(len(t)):
            words = f"{path.name},{path.kind},{lat[i]:.7f},{lon[i]:.7f},{place[i, 2]:.1f}"
            rows.append((float(t[i]), path.name, f"{t[i]:.0f},{words}\n"))
    rows.sort()
    return "t_s,object,kind,lat,lon,hae_m\n" + "".join(row[2] for row in rows)


def expected() -> str:
    """Alerts that the drive must give, JSON."""
    keys = ("type", "severity", "subject")
    return _json([dict(zip(keys, alert, strict=True)) for alert in EXPECTED]).decode()


def _sensor(
    tile: Tile,
    name: str,
    wire: str,
    kind: str,
    place: tuple[float, float, float] | None = None,
    reach_m: float | None = None,
    **numbers: float,
) -> str:
    """One ``[[sensors]]`` table; its coverage is a polygon within the circle of `reach_m`."""
    lines = ["[[sensors]]", f'name = "{name}"', f'format = "{wire}"', f'kind = "{kind}"']
    if place is not None:
        lat, lon = geodetic(tile, np.array([place]))
        lines += [f"lat = {lat[0]:.7f}", f"lon = {lon[0]:.7f}", f"hae_m = {place[2]}"]
    lines += [f"{key} = {float(f'{value:.4g}')!r}" for key, value in numbers.items()]
    lines.append("reorder_wait_ms = 300")
    if place is not None and reach_m is not None:
        corners = [
            (place[0] + reach_m * sin(tau * k / 32), place[1] + reach_m * cos(tau * k / 32))
            for k in range(32)
        ]
        ring = [f"  [{lon}, {lat}],\n" for lon, lat in _ring(tile, corners)]
        lines.append(f"coverage = [\n{''.join(ring)}]")
    return "\n".join(lines) + "\n"


def _ring(tile: Tile, corners: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Corners (east, north) as [lon, lat], to a centimetre."""
    place = np.array([(east, north, 0.0) for east, north in corners])
    lat, lon = geodetic(tile, place)
    return np.round(np.stack((lon, lat), 1), 7).tolist()  # type: ignore[no-any-return]


def _json(tree: object) -> bytes:
    return json.dumps(tree, indent=1, ensure_ascii=False).encode() + b"\n"


def main(arguments: Iterable[str]) -> None:
    """Build the drive at the path given, or at its place in the package."""
    out = next((Path(name) for name in arguments), OUT)
    build(out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
