"""Rebuild the kinematics tables of the demo drive from the simulators that made them.

Run ``python replay/scenarios/make_kinematics.py`` in an environment that has Eclipse SUMO (the
programs ``netconvert`` and ``sumo``), RotorPy, NumPy, SciPy and pyproj; versions and licences are
in ``kinematics/README.md``. Every simulator runs as a program of its own and only its output is
read. Seeds are fixed: the same versions give the same tables.

The frame is the tile's: east and north of 39.1244 N, 117.3460 E on its tangent plane; ``up_m`` is
*not* the plane's up but the height above the ellipsoid (HAE).
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

F8 = NDArray[np.float64]

ORIGIN_LAT, ORIGIN_LON = 39.1244, 117.3460
GROUND_HAE_M = -5.0
DURATION_S = 300.0
EARTH_RADIUS_M = 6_371_000.0
OUT = Path(__file__).resolve().parent / "kinematics"

# --------------------------------------------------------------------------------------------
# Geodesy


_TO_ENU = pyproj.Transformer.from_pipeline(
    "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad "
    "+step +proj=cart +ellps=WGS84 "
    f"+step +proj=topocentric +ellps=WGS84 +lat_0={ORIGIN_LAT} +lon_0={ORIGIN_LON} +h_0=0"
)


def to_enu(lon: float, lat: float, hae: float) -> tuple[float, float, float]:
    """Return tangent-plane east, north, up in metres of a WGS-84 point."""
    east, north, up = _TO_ENU.transform(lon, lat, hae)
    return float(east), float(north), float(up)


def to_geodetic(east: float, north: float, hae: float) -> tuple[float, float]:
    """Return longitude and latitude of the point with this east, north and *HAE* height."""
    up = hae - (east * east + north * north) / (2.0 * EARTH_RADIUS_M)
    lon = lat = 0.0
    for _ in range(4):
        lon, lat, height = _TO_ENU.transform(east, north, up, direction="INVERSE")
        up += hae - height
    return float(lon), float(lat)


# --------------------------------------------------------------------------------------------
# The zone

ZONE_EAST_M = (-3300.0, -1700.0)
ZONE_NORTH_M = (-2100.0, -900.0)


def zone_demo() -> dict[str, Any]:
    """Return the prohibited zone as an RFC 7946 FeatureCollection, ring anticlockwise."""
    (west, east), (south, north) = ZONE_EAST_M, ZONE_NORTH_M
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    ring = [[round(v, 8) for v in to_geodetic(e, n, GROUND_HAE_M)] for e, n in corners]
    properties = {
        "id": "ZBTJ-P1",
        "name": "Z-DEMO",
        "kind": "prohibited",
        "floor_m": None,
        "ceiling_m": 300,
        "floor_ref": "agl",
        "ceiling_ref": "agl",
        "datum": "wgs84",
    }
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "id": "ZBTJ-P1", "properties": properties, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


# --------------------------------------------------------------------------------------------
# Road users: Eclipse SUMO, run as two programs

SUMO_SEED = 16
SUMO_STEP_S = 0.1
FCD_PERIOD_S = 0.2
WARM_UP_S = 260.0
JUMP_M = 0.8
"""A road user that moves this much further in a step than its speed allows is dropped."""

NODES = {
    "W": (-4500.0, -2500.0),
    "J1": (-3570.0, -2965.0),
    "J2": (-2630.0, -3435.0),
    "E": (-1700.0, -3900.0),
    "N1": (-3382.0, -2589.0),
    "S1": (-3771.0, -3367.0),
    "N2": (-2442.0, -3059.0),
    "S2": (-2831.0, -3837.0),
    "NX1": (-3315.0, -2455.0),
    "SX1": (-3838.0, -3501.0),
    "NX2": (-2375.0, -2925.0),
    "SX2": (-2898.0, -3971.0),
}
SIGNALS = ("J1", "J2")
# ends, carriageway lanes per direction, speed limit in m/s, lane for bicycles
STREETS = (
    ("W", "J1", 2, 16.67, True),
    ("J1", "J2", 2, 16.67, True),
    ("J2", "E", 2, 16.67, True),
    ("J1", "N1", 1, 11.11, False),
    ("J1", "S1", 1, 11.11, False),
    ("J2", "N2", 1, 11.11, False),
    ("J2", "S2", 1, 11.11, False),
    ("N1", "NX1", 1, 11.11, False),
    ("S1", "SX1", 1, 11.11, False),
    ("N2", "NX2", 1, 11.11, False),
    ("S2", "SX2", 1, 11.11, False),
    ("N1", "N2", 1, 11.11, False),
    ("S1", "S2", 1, 11.11, False),
)
# id, SUMO class, length, width, top speed, further attributes
ROAD_TYPES = (
    ("car", "passenger", 4.7, 1.8, 30.0, 'accel="2.3" decel="3.0" sigma="0.3"'),
    ("car-van", "passenger", 5.3, 2.0, 28.0, 'accel="2.0" decel="3.0" sigma="0.3"'),
    ("truck", "truck", 9.6, 2.5, 19.0, 'accel="1.1" decel="2.5" sigma="0.3"'),
    ("bus", "bus", 12.0, 2.5, 19.0, 'accel="1.1" decel="2.5" sigma="0.3"'),
    ("bicycle", "bicycle", 1.8, 0.6, 5.0, 'accel="0.9" decel="2.5" sigma="0.3"'),
    ("pedestrian", "pedestrian", 0.4, 0.5, 1.5, ""),
    ("emergency_vehicle", "emergency", 4.9, 1.9, 30.0, 'accel="2.5" decel="3.5" sigma="0.1"'),
)
# name, type, chance of a departure in each second, nodes of the route
FLOWS = (
    ("east", "car", 0.045, "W J1 J2 E"),
    ("west", "car", 0.040, "E J2 J1 W"),
    ("van-e", "car-van", 0.012, "W J1 J2 E"),
    ("van-w", "car-van", 0.012, "E J2 J1 W"),
    ("left", "car", 0.012, "W J1 N1 NX1"),
    ("up", "car", 0.012, "SX1 S1 J1 N1 NX1"),
    ("down", "car", 0.012, "NX2 N2 J2 S2 SX2"),
    ("join", "car", 0.012, "SX2 S2 J2 E"),
    ("truck-e", "truck", 0.009, "W J1 J2 E"),
    ("truck-w", "truck", 0.009, "E J2 J1 W"),
    ("bike-n", "bicycle", 0.008, "SX1 S1 J1 J2 S2 SX2"),
    ("bike-s", "bicycle", 0.008, "NX2 N2 J2 J1 N1 NX1"),
)
# type, departure in simulation seconds, nodes of the route, edge with a bus stop
SCHEDULED = (
    ("bus", 60.0, "W J1 J2 E", "J1_J2"),
    ("bus", 190.0, "E J2 J1 W", "J2_J1"),
    ("bus", 340.0, "W J1 J2 E", "J1_J2"),
)
PATROL_ROUTE = "W J1 J2 N2 N1 J1 J2 S2 S1 J1 N1 N2 J2 E"
# departure, start along the first street in metres, streets walked
WALKS = (
    (150.0, 700.0, "W_J1 J1_J2"),
    (180.0, 60.0, "J1_J2"),
    (200.0, 850.0, "J1_J2 J2_E"),
    (210.0, 150.0, "N1_J1 J1_S1"),
    (230.0, 200.0, "S1_J1 J1_N1"),
    (240.0, 180.0, "N2_J2 J2_S2"),
    (245.0, 100.0, "S2_J2 J2_E"),
    (250.0, 500.0, "J2_J1"),
    (320.0, 250.0, "N1_J1 J1_J2"),
)

ROAD_TOLERANCE_M = 0.05
ROAD_TOLERANCE_DEG = 2.0
ROAD_TOLERANCE_MPS = 0.20
ROAD_MAX_GAP = 5
"""Longest gap between two rows of one object, in steps of FCD_PERIOD_S (1 s)."""
ROAD_MIN_ROWS = 10
"""Fewer rows than this are someone who just left, or has just come: dropped."""
WALK_SMOOTH = 3
"""Half width, in steps, of the mean that rounds the walkers' corners."""


@dataclass(frozen=True)
class RoadRow:
    """One road user at one time."""

    t_s: float
    east_m: float
    north_m: float
    heading_deg: float
    speed_mps: float


def program(name: str) -> str:
    """Return the path of a SUMO program: beside this interpreter, then on the path."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name}: not found; install Eclipse SUMO, see kinematics/README.md")
    return found


def run(command: Sequence[str], cwd: Path) -> None:
    """Run a simulator, show what it warns about, stop if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        print(f"  {Path(command[0]).name}: {line}")
    if done.returncode:
        raise SystemExit(f"{command[0]}: exit status {done.returncode}")


def edges_of(nodes: str) -> str:
    """Return SUMO's edge list for a route given by its nodes."""
    names = nodes.split()
    return " ".join(f"{a}_{b}" for a, b in pairwise(names))


def write_network(folder: Path) -> None:
    """Write the plain node and edge files and have ``netconvert`` build the network."""
    nodes = [
        f'<node id="{name}" x="{x}" y="{y}" '
        f'type="{"traffic_light" if name in SIGNALS else "priority"}" radius="8"/>'
        for name, (x, y) in NODES.items()
    ]
    edges = []
    for a, b, lanes, limit, bicycles in STREETS:
        side = 'sidewalkWidth="2.5"' + (' bikeLaneWidth="2.0"' if bicycles else "")
        priority = 3 if lanes == 2 else 1
        edges += [
            f'<edge id="{i}_{j}" from="{i}" to="{j}" priority="{priority}" numLanes="{lanes}" '
            f'speed="{limit}" {side}/>'
            for i, j in ((a, b), (b, a))
        ]
    (folder / "road.nod.xml").write_text("<nodes>" + "\n".join(nodes) + "</nodes>")
    (folder / "road.edg.xml").write_text("<edges>" + "\n".join(edges) + "</edges>")
    options = "-n road.nod.xml -e road.edg.xml -o road.net.xml --offset.disable-normalization true"
    options += " --crossings.guess true --no-turnarounds true --tls.cycle.time 60"
    options += " --junctions.internal-link-detail 20 --junctions.limit-turn-speed 3.0"
    run([program("netconvert"), *options.split()], folder)


def write_demand(folder: Path) -> None:
    """Write bus stops and everyone who drives, rides or walks."""
    stops = [
        f'<busStop id="stop_{edge}" lane="{edge}_2" startPos="480" endPos="500"/>'
        for edge in sorted({stop for *_, stop in SCHEDULED})
    ]
    (folder / "road.add.xml").write_text("<additional>" + "".join(stops) + "</additional>")
    lines = [
        f'<vType id="{name}" vClass="{klass}" length="{length}" width="{width}" '
        f'maxSpeed="{top}" {more}/>'
        for name, klass, length, width, top, more in ROAD_TYPES
    ]
    lines += [f'<route id="r_{name}" edges="{edges_of(nodes)}"/>' for name, *_, nodes in FLOWS]
    end = WARM_UP_S + DURATION_S
    timed = [
        (
            0.0,
            f'<flow id="{name}" type="{kind}" route="r_{name}" begin="0" end="{end}" '
            f'probability="{chance}" departLane="best" departSpeed="max"/>',
        )
        for name, kind, chance, _ in FLOWS
    ]
    for number, (kind, depart, nodes, stop) in enumerate(SCHEDULED):
        timed.append(
            (
                depart,
                f'<vehicle id="{kind}{number}" type="{kind}" depart="{depart}" departLane="best" '
                f'departSpeed="max"><route edges="{edges_of(nodes)}"/>'
                f'<stop busStop="stop_{stop}" duration="15"/></vehicle>',
            )
        )
    timed.append(
        (
            WARM_UP_S - 20.0,
            f'<vehicle id="patrol-1" type="emergency_vehicle" depart="{WARM_UP_S - 20.0}" '
            f'departLane="best" departSpeed="max"><route edges="{edges_of(PATROL_ROUTE)}"/>'
            "</vehicle>",
        )
    )
    for number, (depart, start, streets) in enumerate(WALKS):
        timed.append(
            (
                depart,
                f'<person id="walker{number}" type="pedestrian" depart="{depart}" '
                f'departPos="{start}"><walk edges="{streets}"/></person>',
            )
        )
    lines += [text for _, text in sorted(timed, key=lambda pair: pair[0])]
    (folder / "road.rou.xml").write_text("<routes>" + "\n".join(lines) + "</routes>")


def simulate_road(folder: Path) -> Path:
    """Run ``sumo`` and return its floating car data file."""
    write_network(folder)
    write_demand(folder)
    options = (
        f"-n road.net.xml -r road.rou.xml -a road.add.xml "
        f"--end {WARM_UP_S + DURATION_S + 1.0} "
        f"--seed {SUMO_SEED} --step-length {SUMO_STEP_S} --step-method.ballistic true "
        "--lateral-resolution 0.8 --time-to-teleport -1 --no-step-log true "
        f"--fcd-output fcd.xml --device.fcd.begin {WARM_UP_S} --device.fcd.period {FCD_PERIOD_S}"
    )
    run([program("sumo"), *options.split()], folder)
    return folder / "fcd.xml"


def read_fcd(path: Path) -> dict[tuple[str, str], list[RoadRow]]:
    """Read floating car data: rows by (SUMO id, type), position moved to the body's centre."""
    length = {name: size for name, _, size, *_ in ROAD_TYPES}
    rows: dict[tuple[str, str], list[RoadRow]] = defaultdict(list)
    t_s = 0.0
    for event, element in ET.iterparse(path, events=("start", "end")):
        if t_s > DURATION_S:
            break
        if event == "start" and element.tag == "timestep":
            t_s = round(float(element.attrib["time"]) - WARM_UP_S, 1)
        elif event == "end" and element.tag in ("vehicle", "person"):
            item = element.attrib
            kind = item["type"]
            angle = float(item["angle"])
            # SUMO gives the middle of a vehicle's front; a person's place is its own
            back = length[kind] / 2.0 if element.tag == "vehicle" else 0.0
            rows[item["id"], kind].append(
                RoadRow(
                    t_s,
                    float(item["x"]) - back * math.sin(math.radians(angle)),
                    float(item["y"]) - back * math.cos(math.radians(angle)),
                    angle % 360.0,
                    float(item["speed"]),
                )
            )
        elif event == "end":
            element.clear()
    return rows


def smooth_walk(rows: Sequence[RoadRow]) -> list[RoadRow]:
    """Return a walk with its corners rounded.

    SUMO moves walkers along lines and turns them on the spot; places become their mean over
    1.4 s (shorter at the ends), speed and heading follow from the places.
    """
    place = np.array([[r.east_m, r.north_m] for r in rows])
    n = len(rows)
    reach = [min(WALK_SMOOTH, i, n - 1 - i) for i in range(n)]
    mean = np.array([place[i - k : i + k + 1].mean(axis=0) for i, k in enumerate(reach)])
    velocity = np.gradient(mean, FCD_PERIOD_S, axis=0)
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    heading = rows[0].heading_deg
    out = []
    for i, row in enumerate(rows):
        if speed[i] > 0.2:
            heading = math.degrees(math.atan2(velocity[i, 0], velocity[i, 1])) % 360.0
        east, north = mean[i].tolist()
        out.append(RoadRow(row.t_s, east, north, heading, float(speed[i])))
    return out


def jumps(rows: Sequence[RoadRow]) -> bool:
    """Return whether an object is seen to leap, or to be missing in between."""
    for a, b in pairwise(rows):
        dt = b.t_s - a.t_s
        moved = math.hypot(b.east_m - a.east_m, b.north_m - a.north_m)
        if dt > 1.5 * FCD_PERIOD_S or moved > max(a.speed_mps, b.speed_mps) * dt + JUMP_M:
            return True
    return False


def thin(rows: Sequence[RoadRow]) -> list[RoadRow]:
    """Drop rows that a straight line in time between their neighbours reproduces."""
    t = np.array([r.t_s for r in rows])
    heading = np.unwrap([r.heading_deg for r in rows], period=360.0)
    values = np.array([[r.east_m, r.north_m, 0.0, r.speed_mps] for r in rows])
    values[:, 2] = heading
    kept = [0]
    while kept[-1] < len(rows) - 1:
        first = kept[-1]
        best = first + 1
        for last in range(first + 2, min(first + ROAD_MAX_GAP, len(rows) - 1) + 1):
            share = ((t[first + 1 : last] - t[first]) / (t[last] - t[first]))[:, None]
            error = values[first + 1 : last] - (values[first] * (1 - share) + values[last] * share)
            if (
                np.hypot(error[:, 0], error[:, 1]).max() > ROAD_TOLERANCE_M
                or np.abs(error[:, 2]).max() > ROAD_TOLERANCE_DEG
                or np.abs(error[:, 3]).max() > ROAD_TOLERANCE_MPS
            ):
                break
            best = last
        kept.append(best)
    return [rows[i] for i in kept]


def make_road() -> None:
    """Simulate the road and write ``road.csv``."""
    size = {name: (length, width) for name, _, length, width, *_ in ROAD_TYPES}
    with tempfile.TemporaryDirectory() as folder:
        objects = read_fcd(simulate_road(Path(folder)))
    counts: dict[str, int] = defaultdict(int)
    table: list[tuple[float, str, list[str]]] = []
    for (name, type_id), rows in sorted(objects.items(), key=lambda o: (o[1][0].t_s, o[0])):
        if len(rows) < ROAD_MIN_ROWS or jumps(rows):
            print(f"  dropped {name} ({type_id}): {len(rows)} rows")
            continue
        kind = type_id.split("-")[0]
        if kind == "pedestrian":
            rows = smooth_walk(rows)
        counts[kind] += 1
        label = name if kind == "emergency_vehicle" else f"{kind}-{counts[kind]}"
        length, width = size[type_id]
        for row in thin(rows):
            text = [
                f"{row.t_s:.1f}",
                label,
                kind,
                f"{row.east_m:.2f}",
                f"{row.north_m:.2f}",
                f"{row.heading_deg % 360.0:.1f}",
                f"{row.speed_mps:.2f}",
                f"{length:.1f}",
                f"{width:.1f}",
            ]
            table.append((row.t_s, label, text))
    header = "t_s,object,kind,east_m,north_m,heading_deg,speed_mps,length_m,width_m"
    write_csv("road.csv", header, table)


# --------------------------------------------------------------------------------------------
# Drones: RotorPy, run as a program of its own for each drone

DRONE_STEP_S = 0.01
DRONE_ROW_S = 0.2
DRONE_HOLD_S = 12.0
SPLINE_KNOT_S = 2.0
SPLINE_DEGREE = 5
AIRBORNE_AGL_M = 0.3
WIND_AMPLITUDE = (2.0, 1.5, 0.3)
WIND_FREQUENCY_HZ = (0.021, 0.034, 0.11)

# plan of each drone: seconds, east, north, metres above ground; straight in time between them;
# the first time is a multiple of DRONE_ROW_S, and about a second after the drone lifts off
PLANS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "delivery": (
        (11.2, -4700.0, -1300.0, 0.0),
        (17.0, -4700.0, -1300.0, 25.0),
        (29.0, -4740.0, -1172.0, 60.0),
        (87.0, -4950.0, -500.0, 60.0),
        (243.0, -5750.0, 1000.0, 60.0),
        (249.0, -5770.0, 1037.0, 57.0),
        (254.0, -5770.0, 1037.0, 52.0),
        (278.0, -5770.0, 1037.0, 8.0),
        (290.0, -5770.0, 1037.0, 0.0),
    ),
    "stray": (
        (21.2, -4180.0, -1600.0, 0.0),
        (25.0, -4180.0, -1600.0, 20.0),
        (41.0, -4030.0, -1600.0, 80.0),
        (72.0, -3725.0, -1600.0, 80.0),
        (82.0, -3725.0, -1600.0, 80.0),
        (126.0, -3300.0, -1600.0, 80.0),
        (168.0, -2895.0, -1600.0, 80.0),
        (182.0, -2880.0, -1725.0, 80.0),
        (229.0, -3300.0, -1860.0, 80.0),
        (262.0, -3610.0, -1960.0, 45.0),
        (266.0, -3640.0, -1970.0, 38.0),
        (280.0, -3640.0, -1970.0, 6.0),
        (288.0, -3640.0, -1970.0, 0.0),
    ),
    "unregistered": (
        (41.0, -4900.0, -3100.0, 0.0),
        (46.0, -4900.0, -3100.0, 22.0),
        (60.0, -4850.0, -3150.0, 70.0),
        (110.0, -4520.0, -3480.0, 70.0),
        (235.0, -3560.0, -4200.0, 70.0),
        (243.0, -3510.0, -4240.0, 66.0),
        (247.0, -3500.0, -4248.0, 60.0),
        (268.0, -3500.0, -4248.0, 8.0),
        (280.0, -3500.0, -4248.0, 0.0),
    ),
    "dark": (
        (61.2, -888.0, -2037.0, 0.0),
        (65.0, -888.0, -2037.0, 22.0),
        (76.0, -960.0, -1996.0, 70.0),
        (82.0, -1022.0, -1960.0, 90.0),
        (147.5, -1700.0, -1568.0, 90.0),
        (257.5, -2857.0, -900.0, 90.0),
        (320.0, -3514.0, -520.0, 90.0),
    ),
}


def plan_spline(name: str) -> Any:
    """Return the smooth path of a drone, a vector spline over time.

    The plan is sampled every `SPLINE_KNOT_S` and used as the control points of a uniform quintic
    B-spline, which keeps straight legs straight and rounds corners over a few seconds.
    """
    from scipy.interpolate import BSpline

    plan = np.array(PLANS[name])
    half = (SPLINE_DEGREE + 1) / 2 * SPLINE_KNOT_S
    start, stop = plan[0, 0] - DRONE_HOLD_S - half, plan[-1, 0] + DRONE_HOLD_S + half
    centre = np.arange(start, stop + SPLINE_KNOT_S, SPLINE_KNOT_S)
    points = np.stack([np.interp(centre, plan[:, 0], plan[:, i]) for i in (1, 2, 3)], axis=1)
    knots = centre[0] - half + SPLINE_KNOT_S * np.arange(len(centre) + SPLINE_DEGREE + 1)
    return BSpline(knots, points, SPLINE_DEGREE)


def fly(name: str) -> None:
    """Fly one plan in RotorPy and print a row ``t,x,y,z,vx,vy,vz`` for each output time.

    The vehicle is RotorPy's Hummingbird with aerodynamic drag, its rotors driven by RotorPy's
    geometric SE(3) controller at 100 Hz, in a slowly changing wind. z is height above ground.
    """
    hummingbird = importlib.import_module("rotorpy.vehicles.hummingbird_params").quad_params
    multirotor = importlib.import_module("rotorpy.vehicles.multirotor").Multirotor
    se3_control = importlib.import_module("rotorpy.controllers.quadrotor_control").SE3Control
    sinusoid_wind = importlib.import_module("rotorpy.wind.default_winds").SinusoidWind

    spline = plan_spline(name)
    rates = [spline.derivative(order) for order in range(1, 5)]
    first, last = PLANS[name][0][0] - DRONE_HOLD_S, PLANS[name][-1][0] + DRONE_HOLD_S
    last = min(last, DURATION_S)
    phase = np.array([10.0, 25.0, 40.0]) * (1 + sorted(PLANS).index(name))
    wind = sinusoid_wind(np.array(WIND_AMPLITUDE), np.array(WIND_FREQUENCY_HZ), phase)
    controller = se3_control(hummingbird)
    mass, k_eta = hummingbird["mass"], hummingbird["k_eta"]
    hover = math.sqrt(mass * 9.81 / hummingbird["num_rotors"] / k_eta)
    state = {
        "x": spline(first),
        "v": np.zeros(3),
        "q": np.array([0.0, 0.0, 0.0, 1.0]),
        "w": np.zeros(3),
        "wind": np.zeros(3),
        "rotor_speeds": np.full(4, hover),
    }
    vehicle = multirotor(hummingbird, initial_state=state)
    every = round(DRONE_ROW_S / DRONE_STEP_S)
    for step in range(round((last - first) / DRONE_STEP_S) + 1):
        t = first + step * DRONE_STEP_S
        if step % every == 0:
            print(",".join(f"{v:.4f}" for v in (t, *state["x"], *state["v"])))
        wanted = {"x": spline(t), "yaw": 0.0, "yaw_dot": 0.0, "yaw_ddot": 0.0}
        for key, rate in zip(("x_dot", "x_ddot", "x_dddot", "x_ddddot"), rates, strict=True):
            wanted[key] = rate(t)
        state["wind"] = wind.update(t, state["x"])
        state = vehicle.step(state, controller.update(t, state, wanted), DRONE_STEP_S)


def make_drones() -> None:
    """Fly every plan and write ``drones.csv``: the rows between take-off and touch-down."""
    table: list[tuple[float, str, list[str]]] = []
    for name in PLANS:
        command = [sys.executable, str(Path(__file__).resolve()), "--fly", name]
        single = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=single)
        rows = np.array([[float(v) for v in line.split(",")] for line in done.stdout.splitlines()])
        up = np.flatnonzero(rows[:, 3] > AIRBORNE_AGL_M)
        for row in rows[up[0] : up[-1] + 1]:
            t_s, x, y, z, *v = row.tolist()
            place = [f"{x:.2f}", f"{y:.2f}", f"{z + GROUND_HAE_M:.2f}"]
            table.append((t_s, name, [f"{t_s:.1f}", name, *place, *(f"{c:.2f}" for c in v)]))
    write_csv("drones.csv", "t_s,object,east_m,north_m,up_m,ve_mps,vn_mps,vu_mps", table)


# --------------------------------------------------------------------------------------------
# Airliner: published approach geometry, a formula

# Threshold of runway 34L in a public-domain list of airports (not survey grade); its elevation
# and the EGM96 undulation there give the height above the ellipsoid.
THRESHOLD_LAT, THRESHOLD_LON, THRESHOLD_BEARING_DEG = 39.1113739, 117.3541565, 334.461
THRESHOLD_HAE_M = 2.44 - 8.14
GLIDE_DEG = 3.0
CROSSING_HEIGHT_M = 15.0
APPROACH_FROM_M = 14_000.0
APPROACH_START_S = 20.0
APPROACH_SPEED_MPS, FINAL_SPEED_MPS, TAXI_SPEED_MPS = 72.0, 68.0, 10.0
APPROACH_DECELERATION, BRAKING, LEAVE_BRAKING = 0.04, 2.0, 0.5
FLARE_SINK_MPS = 0.7
FLARE_TAU_S = 3.0
AIRLINER_ROW_S = 0.5
AIRLINER_STEP_S = 0.01


def airliner_profile() -> tuple[F8, F8, F8]:
    """Return time, distance past the threshold and height above it along the approach.

    Speed falls evenly from 72 to 68 m/s, stays, and falls by 2 m/s² after touch-down to 10 m/s.
    The glide path is straight in space: tan(3 deg) times the distance to go, plus the crossing
    height, plus d²/2R because heights are measured from the curved ellipsoid. In the flare the
    sink rate dies away as exp(-t/tau) towards 0.7 m/s and starts where both sink rates agree.
    """
    n = round((DURATION_S - APPROACH_START_S) / AIRLINER_STEP_S) + 1
    t = np.asarray(APPROACH_START_S + AIRLINER_STEP_S * np.arange(n), dtype=np.float64)
    along, height = np.empty(n), np.empty(n)
    speed, place = APPROACH_SPEED_MPS, -APPROACH_FROM_M
    slope = math.tan(math.radians(GLIDE_DEG))
    flare_m = FLARE_TAU_S * (FINAL_SPEED_MPS * slope - FLARE_SINK_MPS)
    state = "glide"
    for i in range(n):
        along[i] = place
        if state == "glide":
            height[i] = CROSSING_HEIGHT_M - slope * place + place * place / (2 * EARTH_RADIUS_M)
            if height[i] < flare_m:
                state = "flare"
        elif state == "flare":
            sink = FLARE_SINK_MPS + height[i - 1] / FLARE_TAU_S
            height[i] = height[i - 1] - sink * AIRLINER_STEP_S
            if height[i] <= 0.0:
                height[i], state = 0.0, "roll"
        else:
            height[i] = 0.0
        if state == "roll":
            speed = max(TAXI_SPEED_MPS, speed - BRAKING * AIRLINER_STEP_S)
        else:
            speed = max(FINAL_SPEED_MPS, speed - APPROACH_DECELERATION * AIRLINER_STEP_S)
        place += speed * AIRLINER_STEP_S
    return t, along, height


def make_airliner() -> None:
    """Place the approach on the runway's extended centreline and write ``airliner.csv``."""
    geod = pyproj.Geod(ellps="WGS84")
    t, along, height = airliner_profile()
    n = len(t)
    lon, lat, _ = geod.fwd(
        np.full(n, THRESHOLD_LON),
        np.full(n, THRESHOLD_LAT),
        np.full(n, THRESHOLD_BEARING_DEG),
        along,
    )
    hae = height + THRESHOLD_HAE_M
    east, north, _ = (np.asarray(v) for v in _TO_ENU.transform(lon, lat, hae))
    ve, vn, vu = (np.gradient(v, AIRLINER_STEP_S) for v in (east, north, hae))
    table: list[tuple[float, str, list[str]]] = []
    for i in range(0, n, round(AIRLINER_ROW_S / AIRLINER_STEP_S)):
        metres = [f"{v[i]:.2f}" for v in (east, north, hae, ve, vn, vu)]
        degrees = [f"{lat[i]:.7f}", f"{lon[i]:.7f}"]
        table.append((t[i], "airliner", [f"{t[i]:.1f}", "airliner", *metres, *degrees]))
    header = "t_s,object,east_m,north_m,up_m,ve_mps,vn_mps,vu_mps,lat,lon"
    write_csv("airliner.csv", header, table)


# --------------------------------------------------------------------------------------------


def write_csv(name: str, header: str, table: Iterable[tuple[float, str, list[str]]]) -> None:
    """Write rows sorted by time, then object."""
    rows = [text for *_, text in sorted(table, key=lambda row: (round(row[0], 1), row[1]))]
    with (OUT / name).open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
    objects = {row[1] for row in rows}
    print(f"{name}: {len(rows)} rows, {len(objects)} objects, {(OUT / name).stat().st_size} bytes")


def main(argv: Sequence[str] | None = None) -> None:
    """Rebuild all tables, or those named with ``--only``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    makers = {"road": make_road, "drones": make_drones, "airliner": make_airliner}
    parser.add_argument("--only", choices=sorted(makers), action="append", help="just this table")
    parser.add_argument("--fly", choices=sorted(PLANS), help="print one drone's flight and stop")
    options = parser.parse_args(argv)
    if options.fly:
        fly(options.fly)
        return
    OUT.mkdir(exist_ok=True)
    text = json.dumps(zone_demo(), indent=2)
    (OUT / "zone_demo.json").write_text(text + "\n", encoding="utf-8")
    for name, make in makers.items():
        if not options.only or name in options.only:
            make()


if __name__ == "__main__":
    main()
