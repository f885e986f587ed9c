"""Observations and readings as JSON-able values: what is absent was not measured."""

import math
from typing import Any

from v2x.ingest.decoded import Decoded
from v2x.ingest.timestamps import iso
from v2x.observations import Flag, Kind, Model
from v2x.readings import Name, Readings
from v2x.sensors import SensorTable


def _put(line: dict[str, Any], name: str, value: float, digits: int) -> None:
    if math.isfinite(value):
        line[name] = round(float(value), digits)


def _list(values: Any, digits: int) -> list[float | None]:
    return [round(float(v), digits) if math.isfinite(v) else None for v in values]


def observation(
    made: Decoded, i: int, sensors: SensorTable, idents: dict[int, str]
) -> dict[str, Any]:
    """Row `i` of `made`: times, identity and kind as text, SI units and degrees."""
    o = made.observations
    line: dict[str, Any] = {
        "t": iso(int(o.t_ns[i])),
        "t_ns": int(o.t_ns[i]),
        "sensor": sensors[int(o.sensor[i])].name,
        "kind": Kind(int(o.kind[i])).name.lower(),
        "kind_conf": round(float(o.kind_conf[i]), 3),
    }
    if o.ident[i] != -1:
        line["ident"] = idents.get(int(o.ident[i]), f"#{int(o.ident[i])}")
    if o.track_ref[i] != -1:
        line["track_ref"] = int(o.track_ref[i])
    _put(line, "lat", o.lat[i], 9)
    _put(line, "lon", o.lon[i], 9)
    _put(line, "hae_m", o.height[i], 4)
    if made.amsl is not None:
        _put(line, "amsl_m", made.amsl[i], 4)
    variances = o.cov[i, [0, 3, 5]]
    if math.isfinite(variances[0]):
        line["sd_m"] = _list([math.sqrt(v) if v >= 0 else math.nan for v in variances], 4)
        line["cov"] = _list(o.cov[i], 6)
    east, north, up = (float(v) for v in o.vel[i])
    if math.isfinite(east) and math.isfinite(north):
        line["vel"] = _list(o.vel[i], 4)
        line["speed"] = round(math.hypot(east, north), 4)
        if east or north:
            line["heading_deg"] = round(math.degrees(math.atan2(east, north)) % 360.0, 4)
    elif math.isfinite(up):
        line["vel"] = _list(o.vel[i], 4)
    _put(line, "vel_sd", o.vel_sd[i], 3)
    if o.model[i] != Model.POSITION:
        line["model"] = Model(int(o.model[i])).name.lower()
    _put(line, "range_m", o.range[i], 4)
    _put(line, "az_deg", math.degrees(o.az[i]), 6)
    _put(line, "el_deg", math.degrees(o.el[i]), 6)
    _put(line, "radial_mps", o.radial[i], 3)
    _put(line, "rssi_dbm", o.rssi[i], 1)
    if any(math.isfinite(v) for v in o.size[i]):
        line["size_m"] = _list(o.size[i], 2)
    flags = int(o.flags[i])
    line["flags"] = [flag.name.lower() for flag in Flag if flag.name and flags & flag]
    return line


def reading(rows: Readings, i: int, sensors: SensorTable, idents: dict[int, str]) -> dict[str, Any]:
    """Row `i` of `rows`; ``text`` where the value stands for a text."""
    value = float(rows.value[i])
    line: dict[str, Any] = {
        "t": iso(int(rows.t_ns[i])),
        "t_ns": int(rows.t_ns[i]),
        "sensor": sensors[int(rows.sensor[i])].name,
        "name": Name(int(rows.name[i])).name.lower(),
        "value": value if math.isfinite(value) else None,
    }
    if rows.ident[i] != -1:
        line["ident"] = idents.get(int(rows.ident[i]), f"#{int(rows.ident[i])}")
    if rows.ident2[i] != -1:
        line["text"] = idents.get(int(rows.ident2[i]), f"#{int(rows.ident2[i])}")
    _put(line, "lat", rows.lat[i], 9)
    _put(line, "lon", rows.lon[i], 9)
    return line
