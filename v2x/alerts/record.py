"""The alert record: what is known of the world as JSON-able values, by ``schema.json``.

What is not known is absent: no null, no NaN, no invented value. Numbers are rounded (1e-7 deg,
1 cm, 1e-3 in reasons), so that the bytes do not depend on the last bit of a float.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from v2x.alert import Reason
from v2x.alerts.life import Life, Motion
from v2x.alerts.stamps import iso_utc
from v2x.alerts.subjects import INDEPENDENT_BITS, P_RAISE, receivers
from v2x.columns import B1, I4
from v2x.observations import Kind
from v2x.picture import ClaimStatus, Picture, PilotSource, ZoneKind
from v2x.sensors import SensorKind

_DEGREES, _METRES, _REASON, _EXIST, _SECONDS = 7, 2, 3, 2, 2
_PILOT = {
    PilotSource.LIVE: "remote_id",
    PilotSource.TAKE_OFF: "take_off",
    PilotSource.BEARINGS: "bearing",
    PilotSource.TRACK: "back_projection",
}


def motions(picture: Picture, rows: Sequence[int]) -> list[Motion]:
    """Copy tracks out of the picture."""
    tracks, heights = picture.tracks, picture.heights
    at = np.asarray(rows, np.int64)
    x, P, hae = tracks.x[at], tracks.P[at], heights.hae[at]
    ee, en, nn = P[:, 0, 0], P[:, 0, 1], P[:, 1, 1]
    widest = 0.5 * (ee + nn) + np.sqrt(0.25 * (ee - nn) ** 2 + en * en)
    columns = (
        *picture.geodetic[at].T,
        hae,
        heights.amsl[at],
        heights.agl[at],
        x[:, 0],
        x[:, 1],
        x[:, 3],
        x[:, 4],
        np.where(np.isfinite(hae), x[:, 5], np.nan),
        np.sqrt(np.maximum(widest, 0.0)),
        tracks.last_ns[at],
        tracks.kind[at],
        tracks.ident[at],
        (tracks.sensor_kinds[at] & INDEPENDENT_BITS) != 0,
    )
    return [Motion(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def position_of(life: Life) -> dict[str, float]:
    """Where the alert is, rounded; empty if nowhere.

    The finding's own place wins over the track's: an alarm word has the place it was sent from.
    """
    at, finding = life.shown, life.finding
    if isfinite(finding.lat) and isfinite(finding.lon):
        place = {"lat": finding.lat, "lon": finding.lon}
        return _known(place, _DEGREES)
    if at is None:
        return {}
    return {
        **_known({"lat": at.lat, "lon": at.lon}, _DEGREES),
        **_known({"hae_m": at.hae, "amsl_m": at.amsl, "agl_m": at.agl, "sd_m": at.sd}, _METRES),
    }


def facts_of(life: Life, picture: Picture, context: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of the world now; what people did is `v2x.alerts.cases.people`.

    Evidence, pilot and identity are taken from a picture with a finding; from any other they stay
    as they were told.
    """
    before, zones_hash = life.facts, picture.zones_hash
    found = life.found_ns == picture.t_ns
    row = life.finding.track if found else -1
    facts: dict[str, Any] = {
        "type": life.rule,
        "onset": iso_utc(life.onset_ns),
        "subject": _subject(life, picture, row),
        "cause": life.cause,
        "reasons": [_reason(r) for r in life.every_reason()],
        "evidence": _evidence(life, picture, row) if found else before.get("evidence", []),
        "drill": False,
        "replay": bool(context.get("replay", False)),
        "v2x": {
            "version": str(context.get("version", "")),
            "config_hash": str(context.get("config_hash", "")),
            "zones_hash": zones_hash or str(context.get("zones_hash", "")),
        },
    }
    if life.zone:
        facts["zone"] = life.zone
    if position := position_of(life):
        facts["position"] = position
    if row >= 0 and (soon := time_to_breach(picture, row, life.zone)):
        facts["time_to_breach_s"] = soon
    if pilot := _pilot(picture, row) or before.get("pilot"):
        facts["pilot"] = pilot
    if life.shown is not None:
        at = life.shown
        velocity = _known(
            {"east_mps": at.v_east, "north_mps": at.v_north, "up_mps": at.v_up}, _METRES
        )
        if velocity:
            facts["velocity"] = velocity
    return facts


def time_to_breach(picture: Picture, row: int, zone: str) -> dict[str, float]:
    """Seconds until a track is in a zone, or, without one, in the next that must not be entered.

    0 where it is inside; empty where nothing says that it will be.
    """
    inside, breach, kind = picture.inside, picture.breach, picture.zones.kind
    if zone:
        wanted = np.array([name == zone for name in picture.zone_ids], np.bool_)
    else:
        wanted = (kind == ZoneKind.PROHIBITED) | (kind == ZoneKind.RESTRICTED)
        wanted |= kind == ZoneKind.OBSTACLE_SURFACE
    wanted &= picture.zones.active != 0
    if not wanted.any():
        return {}
    held = (inside.track == row) & (inside.p_inside >= P_RAISE)
    if (held & _among(wanted, inside.zone, inside.head)).any():
        return {"earliest": 0.0, "expected": 0.0, "latest": 0.0}
    rows = np.flatnonzero((breach.track == row) & _among(wanted, breach.zone, breach.head))
    rows = rows[np.isfinite(breach.expected[rows])]
    if not len(rows):
        return {}
    k = rows[breach.expected[rows].argmin()]
    times = {name: float(getattr(breach, name)[k]) for name in ("earliest", "expected", "latest")}
    return _known(times, _SECONDS)


def _among(wanted: B1, zone: I4, head: I4) -> B1:
    """Pairs of a wanted zone, or of one that such a zone speaks for."""
    made: B1 = wanted[zone] | ((head >= 0) & wanted[head])
    return made


def _pilot(picture: Picture, row: int) -> dict[str, Any]:
    if row < 0:
        return {}
    identities = picture.identities
    lat, lon = float(identities.pilot_lat[row]), float(identities.pilot_lon[row])
    source = _PILOT.get(PilotSource(int(identities.pilot_source[row])))
    if source is None or not (isfinite(lat) and isfinite(lon)):
        return {}
    return {
        **_known({"lat": lat, "lon": lon}, _DEGREES),
        **_known({"sd_m": float(identities.pilot_sd[row])}, _METRES),
        "source": source,
    }


def _subject(life: Life, picture: Picture, row: int) -> dict[str, Any]:
    kind, name = life.subject
    if kind == "device":
        return {"device": str(name)}
    before = life.facts.get("subject", {})
    subject: dict[str, Any] = {
        name: before[name] for name in ("identity", "claimed_identity", "exist") if name in before
    }
    if row >= 0:
        claimed = picture.idents.get(int(picture.tracks.ident[row]))
        if claimed:
            subject.pop("identity", None)
            subject["claimed_identity"] = claimed
            if picture.identities.status[row] == ClaimStatus.CORROBORATED:
                subject["identity"] = claimed
        subject["exist"] = _rounded(float(picture.tracks.exist[row]), _EXIST)
    if kind == "track":
        subject["track"] = str(name)
    else:
        subject["claimed_identity"] = str(name)
        subject.pop("exist", None)
    if life.shown is not None:
        subject["kind"] = Kind(life.shown.kind).name.lower()
    return subject


def _evidence(life: Life, picture: Picture, row: int) -> list[dict[str, Any]]:
    """List sensors that are known by name, and the kinds of those that are not."""
    named = set(life.finding.evidence)
    kinds: set[int] = set()
    if row >= 0:
        named |= set(receivers(picture, row))
        bits = int(picture.tracks.sensor_kinds[row])
        kinds = {k for k in SensorKind if k and bits >> k & 1}
    found: list[dict[str, Any]] = []
    for sensor in sorted(named):
        kind = picture.sensors[sensor].kind
        kinds.discard(kind)
        entry = {"sensor": picture.sensors[sensor].name, "kind": kind.name.lower()}
        last = _last_seen(life, picture, row, sensor)
        if last >= 0:
            entry["last_seen"] = iso_utc(last)
        found.append(entry)
    found += [{"kind": SensorKind(kind).name.lower()} for kind in sorted(kinds)]
    return found


def _last_seen(life: Life, picture: Picture, row: int, sensor: int) -> int:
    if life.subject[0] == "device":
        return int(picture.devices.last_ns[sensor])
    readings = picture.readings
    ident = int(picture.tracks.ident[row]) if row >= 0 else life.finding.ident
    times = readings.t_ns[(readings.sensor == sensor) & (readings.ident == ident)]
    return int(times.max()) if len(times) else -1


def _reason(reason: Reason) -> dict[str, Any]:
    code, value, limit, unit = reason
    made: dict[str, Any] = {"code": code}
    for name, number in (("value", value), ("limit", limit)):
        if isinstance(number, str):
            made[name] = number
        elif number is not None and isfinite(number):
            made[name] = _rounded(number, _REASON)
    if unit:
        made["unit"] = unit
    return made


def _known(values: Mapping[str, float], digits: int) -> dict[str, float]:
    return {name: _rounded(v, digits) for name, v in values.items() if isfinite(v)}


def _rounded(value: float, digits: int) -> float:
    if isinstance(value, int):
        return value
    return round(float(value), digits) + 0.0  # + 0.0: there is no -0.0
