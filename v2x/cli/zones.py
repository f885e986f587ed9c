"""``v2x zones``: what a zone file means, in plain words."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from v2x.lowalt.terrain import Ground
    from v2x.lowalt.zones import Limit, Zone

_ALWAYS = "always in force"


def check(
    file: Annotated[Path, typer.Argument(help="zone file: GeoJSON, ED-269 or ED-318")],
    at: Annotated[
        str | None,
        typer.Option(help="judge a point: LAT,LON,HEIGHT, or LAT,LON where no height is known"),
    ] = None,
    ref: Annotated[str, typer.Option(help="reference of HEIGHT: hae, amsl or agl")] = "hae",
    time: Annotated[
        str | None, typer.Option(help="at this time, like 2026-05-01T08:00:00+08:00")
    ] = None,
    ground: Annotated[
        float | None, typer.Option(help="ground above mean sea level, m, [default: 3]")
    ] = None,
    terrain: Annotated[
        Path | None, typer.Option(help="ESRI ASCII grid of the ground, as in [site] terrain")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say what each zone is, where, from which height to which and when; judge a point."""
    from v2x.lowalt.files import REFERENCES, parse_time
    from v2x.lowalt.zone_files import load_zones

    if ref not in REFERENCES:
        raise typer.BadParameter(f"--ref {ref!r} is none of {', '.join(REFERENCES)}")
    try:
        t_ns = None if time is None else parse_time(time)
    except ValueError as e:
        raise typer.BadParameter(f"--time: {e}") from None
    point = None if at is None else _point(at)
    level = _ground(ground, terrain)
    zones = load_zones(file)
    rows = [_described(zone, t_ns, level) for zone in zones]
    if point is not None:
        for zone, row in zip(zones, rows, strict=True):
            row["at"] = _judged(zone, point, ref, t_ns, level)
            if t_ns is None and row["window"] != _ALWAYS:
                row["warnings"].append("judged as if in force: give --time")
    report = {
        "file": str(file),
        "zones_hash": zones.hash,
        "zones": rows,
        "warnings": list(zones.warnings),
    }
    if json_:
        import json

        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _say(report)


def convert(
    file: Annotated[Path, typer.Argument(help="zone file: GeoJSON, ED-269 or ED-318")],
    to: Annotated[str, typer.Option(help="geojson, ed269 or ed318")] = "geojson",
    country: Annotated[
        str, typer.Option(help="of zones that have none, for the two ED formats, ISO 3166")
    ] = "CHN",
) -> None:
    """Write the zones of a file in another format to standard output."""
    import json

    from v2x.lowalt.zone_files import WRITERS, load_zones

    if to not in WRITERS:
        raise typer.BadParameter(f"--to {to!r} is none of {', '.join(WRITERS)}")
    zones = load_zones(file)
    for words in zones.warnings:
        print(f"note: {words}", file=sys.stderr)
    given = {} if to == "geojson" else {"country": country}
    print(json.dumps(WRITERS[to](zones, **given), ensure_ascii=False, indent=1))


def airport(
    config: Annotated[Path, typer.Argument(help="aerodrome file (TOML)")],
    only: Annotated[
        str, typer.Option(help="surfaces, patrol, controlled; comma-separated")
    ] = "surfaces,patrol,controlled",
) -> None:
    """Write the zones of an aerodrome as GeoJSON to standard output."""
    import json

    from v2x.lowalt.aerodrome import GENERATORS
    from v2x.lowalt.aerodrome_file import load_aerodrome
    from v2x.lowalt.zone_files import WRITERS
    from v2x.lowalt.zones import Zones

    words = only.split(",")
    strange = [word for word in words if word not in GENERATORS]
    if strange:
        raise typer.BadParameter(f"--only {strange[0]!r} is none of {', '.join(GENERATORS)}")
    field = load_aerodrome(config)
    zones = Zones.of(zone for word in words for zone in GENERATORS[word](field))
    print(json.dumps(WRITERS["geojson"](zones), ensure_ascii=False, indent=1))


def _ground(amsl_m: float | None, terrain: Path | None) -> "Ground":
    from v2x.lowalt.terrain import GROUND_AMSL_M, Ground, load_terrain

    grid = None if terrain is None else load_terrain(terrain)
    return Ground(GROUND_AMSL_M if amsl_m is None else amsl_m, grid=grid)


def _point(words: str) -> tuple[float, float, float]:
    """Latitude, longitude and height, NaN where it is left out."""
    import math

    parts = words.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(math.isfinite(n) for n in numbers):
        raise typer.BadParameter(f"--at {words!r}: expected LAT,LON,HEIGHT or LAT,LON")
    lat, lon = numbers[:2]
    if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
        raise typer.BadParameter(f"--at {words!r}: latitude comes first, in degrees")
    return lat, lon, numbers[2] if len(numbers) == 3 else math.nan


def _described(zone: "Zone", t_ns: int | None, ground: "Ground") -> dict[str, Any]:
    import math

    import numpy as np

    from v2x.ingest.timestamps import iso

    lon, lat = zone.centre
    bands = {(part.floor, part.ceiling) for part in zone.parts}
    floor, ceiling = (_in_words(limit, lat, lon, ground) for limit in _one_of(zone))
    area = _area_km2(zone, lat, lon)
    warnings = []
    for name, limit in (("floor", floor), ("ceiling", ceiling)):
        if limit is not None and None in limit.values():
            warnings.append(f"{name}: the geoid is not known here, one reference says nothing")
    if ground.grid is not None and not ground.at(*np.array([[lat], [lon]])).mapped[0]:
        warnings.append("its centre is outside the terrain: the ground there is the constant")
    band = [limit["hae_m"] for limit in (floor, ceiling) if limit]
    if len(band) == 2 and None not in band and band[0] > band[1]:
        warnings.append("its floor is above its ceiling: nothing is ever inside")
    if ceiling and ceiling["agl_m"] is not None and ceiling["agl_m"] <= 0.0:
        warnings.append("its ceiling is not above the ground")
    if len(zone.parts) > 1:
        warnings.append("area counts parts that overlap more than once")
    if len(bands) > 1:
        warnings.append(f"its {len(zone.parts)} parts have limits of their own; those of the first")
    state = _ALWAYS
    if zone.valid_from_ns is not None or zone.valid_to_ns is not None:
        begin = "-" if zone.valid_from_ns is None else iso(zone.valid_from_ns)
        end = "-" if zone.valid_to_ns is None else iso(zone.valid_to_ns)
        state = f"in force from {begin} until {end}"
    if zone.periods:
        state += ", at the hours of its schedule"
    in_force = None if t_ns is None else zone.in_force(t_ns)[0]
    if in_force is False:
        warnings.append("not in force at that time")
    return {
        "id": zone.id,
        "name": zone.name,
        "kind": zone.kind.name.lower(),
        "datum": zone.datum,
        "area_km2": area if math.isfinite(area) else None,
        "centre": {"lat": lat, "lon": lon},
        "floor": floor,
        "ceiling": ceiling,
        "window": state,
        "in_force": in_force,
        "warnings": warnings,
    }


def _one_of(zone: "Zone") -> "tuple[Limit | None, Limit | None]":
    """Floor and ceiling of its first part."""
    return zone.parts[0].floor, zone.parts[0].ceiling


def _in_words(
    limit: "Limit | None", lat: float, lon: float, ground: "Ground"
) -> dict[str, Any] | None:
    """A limit in all references at one place; None where there is no limit."""
    import numpy as np

    from v2x.lowalt.files import REFERENCES
    from v2x.lowalt.heights import in_all_references

    if limit is None:
        return None
    metres = in_all_references(
        np.array([lat]), np.array([lon]), np.array([limit.m]), limit.ref, ground
    )[0]
    made: dict[str, Any] = {"given": limit.ref}
    if limit.slope is not None:
        made["slope"] = limit.slope.gradient
    for name, value in zip(REFERENCES, metres.tolist(), strict=True):
        made[f"{name}_m"] = round(value, 3) if np.isfinite(value) else None
    return made


def _area_km2(zone: "Zone", lat: float, lon: float) -> float:
    """Area of the footprint less its holes."""
    import numpy as np

    from v2x.geodesy import Tile

    tile = Tile(lat, lon)
    area = 0.0
    for part in zone.parts:
        for k, ring in enumerate(part.polygon):
            ring_lon, ring_lat = np.array(ring).T
            e, n, _ = tile.to_enu(ring_lat, ring_lon, np.zeros(len(ring))).T
            twice = float(np.sum(e[:-1] * n[1:] - e[1:] * n[:-1]))
            area += abs(twice) / 2.0 * (1.0 if k == 0 else -1.0)
    return area / 1e6


def _judged(
    zone: "Zone", point: tuple[float, float, float], ref: str, t_ns: int | None, ground: "Ground"
) -> dict[str, Any]:
    """Verdict on one point, by the same code that judges tracks."""
    import math
    from dataclasses import replace

    from v2x.geodesy import Tile
    from v2x.lowalt.volumes import ZoneIndex
    from v2x.lowalt.zones import Zones

    if t_ns is not None and not zone.in_force(t_ns)[0]:
        return {"verdict": "not in force", "depth_m": None}
    lat, lon, height = point
    always = replace(zone, valid_from_ns=None, valid_to_ns=None, periods=())
    mid_lon, mid_lat = zone.centre
    far = math.hypot(lat - mid_lat, lon - mid_lon) > 20.0
    index = ZoneIndex(Zones.of([always]), Tile(mid_lat, mid_lon), ground)
    pairs = index.at(lat, lon, height, ref, 0)
    if far or not len(pairs.point):
        return {"verdict": "outside", "depth_m": None}
    verdict = "inside the footprint, height unknown" if pairs.height_unknown[0] else "inside"
    return {"verdict": verdict, "depth_m": round(float(pairs.depth[0]), 3)}


def _say(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=True)
    colours = {"prohibited": "red", "restricted": "dark_orange", "warning": "yellow"}
    for zone in report["zones"]:
        head = Text(zone["id"], style="bold")
        head.append(f" {zone['name']}: ", style="not bold")
        head.append(zone["kind"].replace("_", " "), style=colours.get(zone["kind"], "blue"))
        area = "unknown" if zone["area_km2"] is None else f"{zone['area_km2']:.3f} km²"
        head.append(f", area {area}, drawn in {zone['datum']}", style="not bold")
        out.print(head)
        for name in ("floor", "ceiling"):
            out.print(Text(f"  {name}: {_limit_words(zone[name])}"))
        centre = zone["centre"]
        out.print(Text(f"  at its centre {centre['lat']:.5f} N {centre['lon']:.5f} E"))
        out.print(Text(f"  {zone['window']}"))
        if "at" in zone:
            depth = zone["at"]["depth_m"]
            deep = "" if depth is None else f", {depth:.1f} m from the nearest side"
            out.print(Text(f"  the point is {zone['at']['verdict']}{deep}", style="bold"))
        for words in zone["warnings"]:
            out.print(Text(f"  note: {words}", style="yellow"))
    for words in report["warnings"]:
        out.print(Text(f"note: {words}", style="yellow"))
    out.print(Text(f"{len(report['zones'])} zones, hash {report['zones_hash']}"))


def _limit_words(limit: dict[str, Any] | None) -> str:
    """As it was written, and in the two other references."""
    if limit is None:
        return "none"
    words = {
        name: "unknown" if limit[f"{name}_m"] is None else f"{limit[f'{name}_m']:.1f} m"
        for name in ("hae", "amsl", "agl")
    }
    names = {"hae": "above the ellipsoid", "amsl": "above sea level", "agl": "above ground"}
    given = limit["given"]
    others = ", ".join(f"{words[n]} {names[n]}" for n in names if n != given)
    slopes = f", rising {limit['slope']:g} m per m from there" if "slope" in limit else ""
    return f"{words[given]} {names[given]}{slopes} ({others})"
