"""Drones and manned aircraft: closest approach, approaches in use, who is manned, whom to doubt."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.lowalt.scenes import (
    IDENTS,
    NOTHING,
    PLANE,
    SECOND,
    T0,
    TILE,
    bits,
    devices,
    table,
    track,
    zone,
)
from tests.lowalt.test_stays import airfield
from v2x.alerts.engine import Engine
from v2x.alerts.rules import registry
from v2x.lowalt.airspace import Airspace
from v2x.lowalt.trust import Trust
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zones import Zones
from v2x.observations import Kind, Observations, ident_of
from v2x.picture import Latest, Picture, Verdict, ZoneKind
from v2x.readings import Name, Readings
from v2x.sensors import SensorKind
from v2x.tracks import Status, Tracks

SENSORS = table()
RADAR, ADSB = bits(SensorKind.RADAR), bits(SensorKind.ADS_B)


def moving(made, east=0.0, north=0.0, up=0.0, sd=0.5):
    made.x[:, 3:] = east, north, up
    for k in (3, 4, 5):
        made.P[:, k, k] = sd * sd
    return made


def plane(t_ns, east, north, agl=60.0, v=(0.0, 0.0, 0.0), **given):
    known = {"kind": Kind.UNKNOWN, "ident": PLANE, "fed": ADSB | RADAR, "track_id": 2} | given
    return moving(track(t_ns, east, north, agl, **known), *v)


def sky(*zones):
    return Airspace(TILE, SENSORS, ZoneIndex(Zones.of(zones), TILE))


def judged(airspace, *tracks, t_s=0.0, readings=NOTHING, observations=None):
    t_ns = T0 + round(t_s * SECOND)
    tracks = [replace(one, t_ns=np.array([t_ns])) for one in tracks]
    made = Tracks.concat(tracks)
    return airspace.judge(t_ns, made, readings, devices(SENSORS), IDENTS, observations)


def pair(*tracks):
    near = judged(sky(), *tracks).proximity
    return near.take(slice(0, 1)) if len(near) else None


def test_closest_approach_of_two_that_meet():
    # 2 km apart, closing at 50 m/s, passing 100 m beside and 20 m above.
    drone = moving(track(T0, 0.0, 0.0, 60.0), east=10.0)
    near = pair(drone, plane(T0, 2000.0, 100.0, 80.0, (-40.0, 0.0, 0.0)))
    assert (near.track[0], near.other[0]) == (0, 1)
    assert near.cpa_s[0] == pytest.approx(40.0, abs=0.01)
    assert near.cpa_m[0] == pytest.approx(100.0, abs=0.1)
    assert near.vertical_m[0] == pytest.approx(20.0, abs=0.5)
    assert near.range_m[0] == pytest.approx(math.hypot(2000.0, 100.0), abs=0.1)
    assert near.p[0] > 0.8
    assert near.p_keep[0] >= near.p[0]


@pytest.mark.parametrize(
    ("agl", "v_up", "low", "high"),
    [
        (60.0, 0.0, 0.95, 1.0),
        (60.0 + 76.0, 0.0, 0.45, 0.55),  # on the limit
        (400.0, 0.0, 0.0, 0.03),
        (400.0, -10.0, 0.8, 1.0),  # comes down onto it
        (90.0, 12.0, 0.95, 1.0),
    ],
)
def test_both_limits_at_one_time(agl, v_up, low, high):
    drone = moving(track(T0, 0.0, 0.0, 60.0), sd=0.01)
    made = plane(T0, 200.0, 0.0, agl, (0.0, 0.0, v_up))
    near = pair(drone, moving(made, 0.0, 0.0, v_up, sd=0.01))
    assert low <= near.p[0] <= high


def test_below_but_far_and_near_but_above_is_no_danger():
    # Beside at 500 m when it is 300 m above; down at its height only 3 km further on.
    drone = moving(track(T0, 0.0, 0.0, 60.0))
    near = pair(drone, plane(T0, 0.0, 0.0, 360.0, (80.0, 0.0, -6.0)))
    assert near.p[0] < 0.01


def test_heading_apart_the_closest_is_now():
    drone = moving(track(T0, 0.0, 0.0, 60.0), east=-10.0)
    near = pair(drone, plane(T0, 700.0, 0.0, 60.0, (30.0, 0.0, 0.0)))
    assert (near.cpa_s[0], near.cpa_m[0]) == (0.0, pytest.approx(700.0))


def test_pairs_that_stay_two_kilometres_apart_are_not_told():
    assert pair(track(T0), plane(T0, 3000.0, 0.0)) is None
    assert pair(track(T0), plane(T0, 9000.0, 1900.0, v=(-80.0, 0.0, 0.0))) is None


def test_a_drone_of_unknown_height_is_told_and_decides_little():
    drone = track(T0, 0.0, 0.0, math.nan)
    near = pair(drone, plane(T0, 100.0, 0.0, 100.0))
    assert near.vertical_m[0] == pytest.approx(40.0, abs=0.5)
    assert near.vertical_sd[0] == pytest.approx(100.0, abs=1.0)
    assert 0.2 < near.p[0] < 0.7


def test_an_aircraft_of_unknown_height_is_told_without_a_probability():
    near = pair(track(T0), plane(T0, 100.0, 0.0, math.nan))
    assert math.isnan(near.vertical_m[0])
    assert near.p[0] == 0.0


def test_two_drones_and_two_aircraft_are_no_pair():
    assert pair(track(T0), track(T0, 10.0, 0.0, track_id=3)) is None
    assert pair(plane(T0, 0.0, 0.0), plane(T0, 10.0, 0.0, track_id=3)) is None


# --- approaches


LANDING = {"v": (-60.0, 0.0, -3.0)}


def test_a_drone_in_an_approach_that_is_in_use_is_told_for_half_an_hour():
    here = sky(*airfield())
    drone = track(T0, 4500.0, 0.0, 100.0)  # the surface is at 58.8 m there
    far = plane(T0, 14_000.0, 0.0, 800.0, **LANDING)
    assert not len(judged(here, drone).proximity)
    near = judged(here, drone, far, t_s=1.0).proximity
    name = here.zones.ids[near.approach[0]]
    assert name == "F-27-approach"
    assert judged(here, drone, t_s=1700.0).proximity.approach.tolist() == near.approach.tolist()
    assert judged(here, drone, t_s=1700.0).proximity.other.tolist() == [-1]
    assert not len(judged(here, drone, t_s=1802.0).proximity)


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        ((4500.0, 0.0, 100.0), True),
        ((4500.0, 0.0, 50.0), False),  # below the surface
        ((4500.0, 0.0, 58.8 + 151.0), False),  # above the volume
        ((4500.0, 700.0, 100.0), False),  # beside: half width 140 + 0.15 x 2,940 = 581 m
        ((-4500.0, 0.0, 100.0), False),  # the other end's approach is not in use
    ],
)
def test_the_approach_volume_is_150_m_over_its_surface(place, inside):
    here = sky(*airfield())
    judged(here, plane(T0, 14_000.0, 0.0, 800.0, **LANDING))
    near = judged(here, track(T0, *place), t_s=1.0).proximity
    assert bool(len(near)) == inside


@pytest.mark.parametrize(
    "v", [(60.0, 0.0, -3.0), (0.0, -60.0, -3.0), (-60.0, 0.0, 8.0), (-20.0, 0.0, -1.0)]
)
def test_who_leaves_passes_climbs_or_hovers_does_not_land(v):
    here = sky(*airfield())
    drone = track(T0, 4500.0, 0.0, 100.0)
    assert not len(judged(here, drone, plane(T0, 14_000.0, 0.0, 800.0, v=v)).proximity)


def test_approaches_in_use_survive_a_restart():
    here, again = sky(*airfield()), sky(*airfield())
    judged(here, plane(T0, 14_000.0, 0.0, 800.0, **LANDING))
    again.restore(here.state())
    assert len(judged(again, track(T0, 4500.0, 0.0, 100.0), t_s=10.0).proximity) == 1


# --- manned, or not


@pytest.mark.parametrize(
    ("v", "agl", "manned"),
    [
        ((90.0, 0.0, 0.0), 300.0, True),
        ((0.0, -82.0, 0.0), 300.0, True),
        ((79.0, 0.0, 0.0), 300.0, False),
        ((20.0, 0.0, 0.0), 3100.0, True),
        ((20.0, 0.0, 0.0), 2900.0, False),
    ],
)
def test_what_no_drone_can_fly_is_manned(v, agl, manned):
    made = moving(track(T0, 0.0, 0.0, agl, kind=Kind.UNKNOWN), *v)
    verdict = judged(sky(), made).identities.verdict[0]
    assert (verdict == Verdict.MANNED) == manned


def test_it_stays_manned_for_two_minutes_after_it_slowed_down():
    here = sky()
    fast = moving(track(T0, 0.0, 0.0, 300.0, kind=Kind.UNKNOWN), 90.0)
    slow = moving(track(T0, 0.0, 0.0, 100.0, kind=Kind.UNKNOWN), 60.0)
    judged(here, fast)
    assert judged(here, slow, t_s=119.0).identities.verdict[0] == Verdict.MANNED
    assert judged(here, slow, t_s=121.0).identities.verdict[0] != Verdict.MANNED


@pytest.mark.parametrize(
    "given", [{"fed": ADSB}, {"fed": bits(SensorKind.REMOTE_ID)}, {"status": Status.COASTING}]
)
def test_speed_that_only_its_own_word_tells_exempts_nobody(given):
    made = moving(track(T0, 0.0, 0.0, 300.0, kind=Kind.UNKNOWN, **given), 90.0)
    assert judged(sky(), made).identities.verdict[0] != Verdict.MANNED


def nacp(value):
    return Readings.blank(
        1, t_ns=T0, recv_ns=T0, sensor=SENSORS.row("adsb"), ident=ident_of(PLANE), name=Name.NACP,
        value=value,
    )  # fmt: skip


@pytest.mark.parametrize(("value", "manned"), [(7.0, True), (6.0, False), (0.0, False)])
def test_poor_adsb_does_not_exempt_but_still_warns(value, manned):
    here = sky()
    drone = track(T0, 0.0, 0.0, 60.0)
    made = judged(here, drone, plane(T0, 200.0, 0.0, v=(10.0, 0.0, 0.0)), readings=nacp(value))
    assert (made.identities.verdict[1] == Verdict.MANNED) == manned
    assert 1 in made.proximity.other.tolist()


def said(t_s, east):
    lat, lon, _ = TILE.to_geodetic(np.array([[east, 0.0, 100.0]]))
    return Observations.blank(
        1, t_ns=T0 + round(t_s * SECOND), recv_ns=T0, sensor=SENSORS.row("adsb"),
        ident=ident_of(PLANE), lat=lat, lon=lon,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("east", "after_s", "jumped"),
    [(350.0, 1.0, False), (650.0, 1.0, True), (3900.0, 10.0, False), (4300.0, 10.0, True)],
)
def test_positions_that_imply_400_m_per_second_are_doubted(east, after_s, jumped):
    trust = Trust(SENSORS)
    trust.hear(T0, NOTHING, said(0.0, 0.0))
    trust.hear(T0 + round(after_s * SECOND), NOTHING, said(after_s, east))
    other = Trust(SENSORS)
    other.restore(trust.state())
    for one in (trust, other):
        assert one.doubtful(np.array([ident_of(PLANE), 5])).tolist() == [jumped, False]
    trust.hear(T0 + 200 * SECOND, NOTHING, Observations.blank())
    assert not trust.doubtful(np.array([ident_of(PLANE)])).any()


def test_an_airliner_through_all_zones_raises_nothing():
    zones = [
        zone(f"Z{k}", [[[117.30 + 0.01 * k, 39.0], [117.40, 39.0], [117.40, 39.3], [117.30, 39.3],
                        [117.30 + 0.01 * k, 39.0]]], kind=kind)
        for k, kind in enumerate(ZoneKind)
    ]  # fmt: skip
    here = sky(*zones, *airfield())
    engine = Engine(registry().values(), {}, {})
    seen = set()
    for step in range(200):
        t_s = 0.5 * step
        made = plane(
            T0, 14_000.0 - 70.0 * t_s * 1.5, 0.0, max(850.0 - 5.0 * t_s, 0.0), (-105.0, 0.0, -5.0)
        )
        t_ns = T0 + round(t_s * SECOND)
        tracks = replace(made, t_ns=np.array([t_ns]), last_ns=np.array([t_ns]))
        low = here.judge(t_ns, tracks, NOTHING, devices(SENSORS), IDENTS)
        seen |= set(low.inside.zone.tolist())
        alerts = engine.judge(
            Picture(
                t_ns=t_ns, sensors=SENSORS, tracks=tracks, geodetic=low.geodetic,
                heights=low.heights, identities=low.identities, zones=low.zones,
                inside=low.inside, breach=low.breach, stays=low.stays, proximity=low.proximity,
                devices=devices(SENSORS), readings=Latest.blank(), zone_ids=here.zones.ids,
                idents=IDENTS,
            )
        )  # fmt: skip
        assert alerts == []
    assert len(seen) > 5
