import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tests.lowalt.scenes import DRONE, OTHER, SECOND, T0, TILE, box, lonlat, zone
from v2x.errors import ConfigError
from v2x.lowalt.heights import in_all_references
from v2x.lowalt.plans import PlanIndex, Plans, load_plans, normal_cdf, plans_from
from v2x.lowalt.terrain import Ground
from v2x.lowalt.volumes import Places, ZoneIndex
from v2x.lowalt.zones import Slope, Zones
from v2x.observations import ident_of

WINDOW = {"valid_from": "2026-05-01T08:00:00+08:00", "valid_to": "2026-05-01T09:00:00+08:00"}
BAND = {"floor_m": 0, "floor_ref": "agl", "ceiling_m": 150, "ceiling_ref": "agl"}
PLAN = {"id": "P1", "idents": [DRONE], "polygon": box(0, 0, 500, 500), **WINDOW, **BAND}
ZONES = Zones.of([zone("Z1", [box(0, 0, 1000, 1000)], ceiling_m=90.0, ceiling_ref="agl")])
HOUR = 3600 * SECOND
ME = np.array([ident_of(DRONE)])


def without(tree, *keys):
    return {k: v for k, v in tree.items() if k not in keys}


def plans(path, *entries):
    path.write_text(json.dumps({"plans": list(entries)}), "utf-8")
    return load_plans(path, ZONES)


def made_of(*entries, zones=ZONES) -> Plans:
    return plans_from("plans.json", {"plans": list(entries)}, zones)


def where(east, north, agl) -> Places:
    lon, lat = np.array(lonlat([(east, north)]))[:1].T
    levels = in_all_references(lat, lon, np.array([agl]), "agl", Ground())
    return ZoneIndex(Zones(), TILE).places(lat, lon, *levels.T)


def fit(made: Plans, east=100.0, north=100.0, agl=60.0, t_ns=T0, sd=0.0, sd_up=0.0, ident=DRONE):
    """How one drone keeps to its plan: (plan id or None, keeps, lateral, vertical, late)."""
    f = PlanIndex(made, TILE).fit(
        t_ns, where(east, north, agl), np.array([ident_of(ident)]), np.array([sd]),
        np.array([sd_up]),
    )  # fmt: skip
    row = int(f.plan[0])
    return (None if row < 0 else made.ids[row], bool(f.keeps[0]), *(float(c[0]) for c in f[2:]))


def matched(made: Plans, **given) -> str | None:
    plan, keeps, *_ = fit(made, **given)
    return plan if keeps else None


def test_plan_matches_only_on_identity_and_window_and_volume_together(tmp_path):
    made = plans(tmp_path / "p.json", PLAN)
    assert matched(made) == "P1"
    assert matched(made, ident=OTHER) is None
    assert matched(made, t_ns=T0 - 61 * SECOND) is None
    assert matched(made, t_ns=T0 + HOUR + 61 * SECOND) is None
    assert matched(made, east=531.0) is None
    assert matched(made, agl=166.0) is None
    assert matched(made, agl=np.nan) is None


def test_window_of_one_plan_and_volume_of_another_do_not_add_up(tmp_path):
    later = {"valid_from": "2026-05-01T09:00:00+08:00", "valid_to": "2026-05-01T10:00:00+08:00"}
    made = plans(
        tmp_path / "p.json",
        PLAN,
        PLAN | later | {"id": "P2", "polygon": box(600, 0, 900, 500)},
        PLAN | {"id": "P3", "idents": [OTHER], "polygon": box(600, 0, 900, 500)},
    )
    assert matched(made, east=700.0) is None
    assert matched(made, east=700.0, ident=OTHER) == "P3"
    assert matched(made, east=700.0, t_ns=T0 + HOUR) == "P2"


def test_plan_may_name_a_zone_and_takes_its_band_unless_it_has_its_own(tmp_path):
    plan = without(PLAN, "polygon", *BAND) | {"zone": "Z1"}
    made = plans(tmp_path / "p.json", plan)
    assert [matched(made, agl=agl, east=900.0) for agl in (89.0, 106.0)] == ["P1", None]
    made = plans(tmp_path / "p.json", plan | BAND)
    assert [matched(made, agl=agl, east=900.0) for agl in (106.0, 166.0)] == ["P1", None]


def test_swarm_of_one_plan_matches_each_and_no_stranger(tmp_path):
    swarm = [f"rid:SWARM{k:04d}" for k in range(200)]
    made = plans(tmp_path / "p.json", PLAN | {"idents": swarm}, PLAN | {"id": "P0"})
    one = where(100, 100, 60)
    places = Places(np.repeat(one.flat, 201, axis=0), np.repeat(one.heights, 201, axis=0))
    idents = np.array([ident_of(text) for text in [*swarm, OTHER]])
    sd = np.full(201, 3.0)
    f = PlanIndex(made, TILE).fit(T0, places, idents, sd, sd)
    assert f.plan.tolist() == [1] * 200 + [-1]
    assert f.keeps.tolist() == [True] * 200 + [False]


def test_of_two_plans_that_match_the_first_by_id_is_named(tmp_path):
    made = plans(tmp_path / "p.json", PLAN | {"id": "P2"}, PLAN)
    assert made.ids == ("P1", "P2")
    assert matched(made) == "P1"


def test_no_plans_match_nobody():
    assert matched(Plans()) is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (without(PLAN, "valid_to"), "valid_from and valid_to are both needed"),
        (PLAN | {"valid_to": WINDOW["valid_from"]}, "valid_from is not before valid_to"),
        (PLAN | {"idents": []}, "idents must be a list"),
        (PLAN | {"idents": [7]}, "idents must be a list of one text"),
        (PLAN | {"idents": ["808:1"]}, "ident '808:1' is not 'rid:'"),
        (PLAN | {"zone": "Z1"}, "give one of zone, polygon and corridor"),
        (without(PLAN, "polygon"), "give one of zone, polygon and corridor"),
        (without(PLAN, "polygon") | {"zone": "Z9"}, "zone 'Z9' is not in the zone file"),
        (without(PLAN, "ceiling_m"), "ceiling_m is missing"),
        (without(PLAN, "floor_ref"), "floor_ref is missing"),
        (PLAN | {"polygon": PLAN["polygon"][:-1]}, "ring 0: not closed"),
        (without(PLAN, "id"), "id must be a text"),
        (PLAN | {"id": "P0"}, "id 'P0' is there twice"),
    ],
)
def test_unclear_plan_is_refused_with_file_and_plan(tmp_path, entry, words):
    with pytest.raises(ConfigError, match=words) as e:
        plans(tmp_path / "p.json", PLAN | {"id": "P0"}, entry)
    assert f"{tmp_path / 'p.json'}: plan 1" in str(e.value)


# --- how far outside, and when


@pytest.mark.parametrize(
    ("given", "keeps", "lateral", "vertical", "late"),
    [
        ({}, True, 0.0, 0.0, 0.0),
        ({"east": 529.9}, True, 29.9, 0.0, 0.0),
        ({"east": 530.1}, False, 30.1, 0.0, 0.0),
        ({"agl": 164.9}, True, 0.0, 14.9, 0.0),
        ({"agl": 165.1}, False, 0.0, 15.1, 0.0),
        ({"agl": -15.1}, False, 0.0, -15.1, 0.0),
        ({"t_ns": T0 - 60 * SECOND}, True, 0.0, 0.0, -60.0),
        ({"t_ns": T0 - 60 * SECOND - 1}, False, 0.0, 0.0, -60.0),
        ({"t_ns": T0 + HOUR + 59 * SECOND}, True, 0.0, 0.0, 59.0),
        ({"t_ns": T0 + HOUR + 61 * SECOND}, False, 0.0, 0.0, 61.0),
        ({"east": 540.0, "agl": 170.0}, False, 40.0, 20.0, 0.0),
    ],
)
def test_departure_is_told_beside_above_and_in_time(given, keeps, lateral, vertical, late):
    made = fit(made_of(PLAN), **given)
    assert made[:2] == ("P1", keeps)
    assert made[2:] == pytest.approx((lateral, vertical, late), abs=0.05)


def test_plan_half_an_hour_away_has_nothing_to_do_with_this_flight():
    plan = made_of(PLAN)
    assert fit(plan, t_ns=T0 - 1800 * SECOND)[0] == "P1"
    assert fit(plan, t_ns=T0 - 1801 * SECOND)[0] is None


def test_uncertain_place_leaves_a_plan_only_when_it_is_outside_for_sure():
    plan = made_of(PLAN)
    # 90 % of a normal place lie below 1.2816 deviations.
    assert fit(plan, east=540.0, sd=32.0)[1]
    assert not fit(plan, east=540.0, sd=31.0)[1]
    assert fit(plan, agl=180.0, sd_up=24.0)[1]
    assert not fit(plan, agl=180.0, sd_up=23.0)[1]


def test_unknown_height_departs_only_beside():
    made = fit(made_of(PLAN), agl=np.nan)
    assert made[:3] == ("P1", False, 0.0)
    assert np.isnan(made[3])
    unlimited = PLAN | {"floor_m": None, "ceiling_m": None}
    assert matched(made_of(unlimited), agl=np.nan) == "P1"


def test_of_several_volumes_the_one_that_is_kept_or_nearest_counts():
    volumes = [
        {"polygon": box(0, 0, 100, 100), **BAND},
        {"polygon": box(100, 0, 200, 100), **BAND, "ceiling_m": 60},
    ]
    made = made_of(without(PLAN, "polygon", *BAND) | {"volumes": volumes})
    assert matched(made, east=50.0, agl=140.0) == "P1"
    assert matched(made, east=150.0, agl=50.0) == "P1"
    _, keeps, *away = fit(made, east=190.0, north=50.0, agl=100.0)
    assert not keeps
    assert away == pytest.approx([0.0, 40.0, 0.0], abs=0.01)


def test_volumes_may_have_windows_of_their_own():
    volumes = [
        {"polygon": box(0, 0, 100, 100), **BAND, "valid_to": "2026-05-01T08:30:00+08:00"},
        {"polygon": box(400, 0, 500, 100), **BAND, "valid_from": "2026-05-01T08:30:00+08:00"},
    ]
    made = made_of(without(PLAN, "polygon", *BAND) | {"volumes": volumes})
    assert matched(made, east=50.0, north=50.0) == "P1"
    assert matched(made, east=450.0, north=50.0) is None
    assert matched(made, east=450.0, north=50.0, t_ns=T0 + HOUR // 2) == "P1"
    late = fit(made, east=50.0, north=50.0, t_ns=T0 + HOUR // 2 + 120 * SECOND)
    assert late[1:] == (False, 0.0, 0.0, pytest.approx(120.0))


def corridor(**given):
    line = lonlat([(0, 0), (1000, 0), (1000, 1000)])[:3]
    volume = {"corridor": line, "half_width_m": 40, **BAND} | given
    return without(PLAN, "polygon", *BAND) | {"volumes": [volume]}


def test_corridor_is_wide_on_both_sides_of_its_waypoints():
    made = made_of(corridor())
    assert fit(made, east=500.0, north=39.0)[2] == 0.0
    assert fit(made, east=500.0, north=75.0)[2] == pytest.approx(35.0, abs=0.05)
    assert fit(made, east=1000.0, north=900.0)[2] == 0.0


def test_corridor_with_times_is_flown_leg_by_leg():
    times = [f"2026-05-01T08:{m:02d}:00+08:00" for m in (0, 10, 20)]
    made = made_of(corridor(times=times))
    minute = 60 * SECOND
    assert matched(made, east=500.0, north=0.0, t_ns=T0 + 5 * minute) == "P1"
    assert matched(made, east=1000.0, north=500.0, t_ns=T0 + 15 * minute) == "P1"
    early = fit(made, east=1000.0, north=500.0, t_ns=T0 + 5 * minute)
    assert early[1:] == (False, 0.0, 0.0, pytest.approx(-300.0))


def test_group_plan_holds_for_the_fleet_of_its_operator_and_no_more_than_it_says():
    plan = without(PLAN, "idents") | {"group": {"operator": "OP-7", "count": 2}}
    fleet = sorted(ident_of(f"rid:SHOW{k}") for k in range(3))
    index = PlanIndex(made_of(plan), TILE, {"OP-7": fleet})
    assert index.groups.tolist() == [True]
    one = where(100, 100, 60)
    places = Places(np.repeat(one.flat, 4, axis=0), np.repeat(one.heights, 4, axis=0))
    idents = np.array([fleet[2], ident_of(DRONE), fleet[0], fleet[1]])
    f = index.fit(T0, places, idents, np.zeros(4), np.zeros(4))
    assert f.plan.tolist() == [0, -1, 0, 0]
    assert f.keeps.tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (PLAN | {"group": {"operator": "O", "count": 2}}, "one of idents and group"),
        (without(PLAN, "idents") | {"group": {"operator": "O", "count": 0}}, "count must be"),
        (without(PLAN, "idents") | {"group": {"count": 3}}, "operator must be a text"),
        (PLAN | {"volumes": []}, "volumes is empty"),
        (corridor(half_width_m=None), "half_width_m must be metres"),
        (corridor(times=["2026-05-01T08:00:00Z"]), "times must be one per waypoint"),
        (corridor(times=["2026-05-01T08:00:00Z"] * 3), "times 1 is not after"),
        (corridor(corridor=[[117.3, 39.1]]), "a corridor needs two positions"),
        (PLAN | {"times": []}, "times are those of a corridor"),
    ],
)
def test_unclear_group_or_volume_is_refused(entry, words):
    with pytest.raises(ConfigError, match=words):
        made_of(entry)


def test_plan_on_a_zone_whose_limit_slopes_needs_a_band_of_its_own():
    rise = Slope(117.346, 39.1244, 0.02, 90.0)
    tall = zone(
        "Z2", [box(0, 0, 1000, 1000)], ceiling_m=90.0, ceiling_ref="agl", ceiling_slope=rise
    )
    plan = without(PLAN, "polygon", *BAND) | {"zone": "Z2"}
    with pytest.raises(ConfigError, match="zone 'Z2' has a sloping limit"):
        made_of(plan, zones=Zones.of([tall]))
    assert matched(made_of(plan | BAND, zones=Zones.of([tall]))) == "P1"


def test_plans_are_put_removed_and_replaced():
    made = made_of(PLAN, PLAN | {"id": "P2"})
    east = PLAN | {"id": "P1", "polygon": box(600, 0, 900, 500)}
    moved = made.changed("frame", {"op": "put", "plan": east}, ZONES)
    assert matched(moved, east=700.0) == "P1"
    assert matched(moved) == "P2"
    assert moved.changed("frame", {"op": "remove", "id": "P2"}, ZONES).ids == ("P1",)
    assert moved.changed("frame", {"plans": []}, ZONES).ids == ()
    again = plans_from("state", {"plans": list(moved.source)}, ZONES)
    assert again == moved


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"op": "remove", "id": "P9"}, "no plan is named 'P9'"),
        ({"op": "put", "plan": PLAN | {"idents": []}}, "idents must be a list"),
        ({"op": "put"}, "expected an object"),
        ({"op": "burn"}, "op 'burn'"),
        ({}, "plans must be a list"),
    ],
)
def test_refused_change_names_what_is_wrong_and_leaves_the_plans(document, words):
    made = made_of(PLAN)
    with pytest.raises(ConfigError, match=words):
        made.changed("frame", document, ZONES)
    assert made.ids == ("P1",)


@given(st.lists(st.floats(-40.0, 40.0), max_size=20))
def test_normal_cdf_is_that_of_scipy(x):
    assert normal_cdf(np.array(x)) == pytest.approx(norm.cdf(x), rel=1e-12, abs=1e-300)
