import json

import numpy as np
import pytest

from tests.lowalt.scenes import DRONE, OTHER, SECOND, T0, TILE, box, lonlat, zone
from v2x.errors import ConfigError
from v2x.lowalt.heights import in_all_references
from v2x.lowalt.registry import PlanIndex, Plans, Registry, load_plans, load_registry
from v2x.lowalt.volumes import Places, ZoneIndex
from v2x.lowalt.zones import Zones
from v2x.observations import ident_of

UAS = {"ident": DRONE, "mark": "12345678", "class": "light", "owner": "somebody"}
WINDOW = {"valid_from": "2026-05-01T08:00:00+08:00", "valid_to": "2026-05-01T09:00:00+08:00"}
BAND = {"floor_m": 0, "floor_ref": "agl", "ceiling_m": 150, "ceiling_ref": "agl"}
PLAN = {"id": "P1", "idents": [DRONE], "polygon": box(0, 0, 500, 500), **WINDOW, **BAND}
ZONES = Zones.of([zone("Z1", [box(0, 0, 1000, 1000)], ceiling_m=90.0, ceiling_ref="agl")])


def without(tree, *keys):
    return {k: v for k, v in tree.items() if k not in keys}


def registry(path, *uas, **members):
    tree = {"as_of": "2026-05-01T00:00:00Z", "uas": list(uas)} | members
    path.write_text(json.dumps(tree), "utf-8")
    return load_registry(path)


def plans(path, *entries):
    path.write_text(json.dumps({"plans": list(entries)}), "utf-8")
    return load_plans(path, ZONES)


def where(east, north, agl) -> Places:
    lon, lat = np.array(lonlat([(east, north)]))[:1].T
    levels = in_all_references(lat, lon, np.array([agl]), "agl", 3.0)
    return ZoneIndex(Zones(), TILE).places(lat, lon, *levels.T)


def matched(made: Plans, ident=DRONE, east=100.0, north=100.0, agl=60.0, t_ns=T0) -> str | None:
    row = PlanIndex(made, TILE).match(t_ns, where(east, north, agl), np.array([ident_of(ident)]))[0]
    return None if row < 0 else made.ids[row]


def test_registry_knows_whom_it_holds(tmp_path):
    made = registry(tmp_path / "r.json", UAS, UAS | {"ident": "rid:B", "mark": "00000001"})
    assert [u.ident for u in made.uas] == [DRONE, "rid:B"]
    assert made.uas[0].uas_class == "light"
    asked = np.array([ident_of(DRONE), ident_of(OTHER), -1])
    assert made.holds(asked).tolist() == [True, False, False]


def test_registry_is_fresh_for_a_day():
    made = Registry(T0)
    day = 24 * 3600 * SECOND
    assert [made.fresh(t) for t in (T0 - day, T0, T0 + day - 1, T0 + day)] == [True] * 3 + [False]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (UAS | {"mark": "00000000"}, "uas 1: mark '00000000' is not 8 digits"),
        (UAS | {"mark": "1234567"}, "mark '1234567'"),
        (UAS | {"mark": "１２３４５６７８"}, "is not 8 digits"),
        (UAS | {"ident": "ABC"}, "ident 'ABC' is not 'rid:'"),
        (UAS | {"ident": "rid:"}, "ident 'rid:'"),
        (UAS | {"class": "tiny"}, "class 'tiny' is none of micro"),
        (without(UAS, "mark"), "mark must be a text, found nothing"),
        (UAS, "is there twice"),
        (7, "uas 1: expected an object, found 7"),
    ],
)
def test_unclear_registry_entry_is_refused_with_file_and_row(tmp_path, entry, words):
    with pytest.raises(ConfigError, match=words) as e:
        registry(tmp_path / "r.json", UAS, entry)
    assert str(tmp_path / "r.json") in str(e.value)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"as_of": None}, "as_of is missing"),
        ({"as_of": "2026-05-01"}, "as_of: '2026-05-01' is not a time"),
        ({"uas": {}}, "uas must be a list"),
    ],
)
def test_registry_without_date_or_list_is_refused(tmp_path, members, words):
    with pytest.raises(ConfigError, match=words):
        registry(tmp_path / "r.json", **members)


def test_plan_matches_only_on_identity_and_window_and_volume_together(tmp_path):
    made = plans(tmp_path / "p.json", PLAN)
    hour = 3600 * SECOND
    assert matched(made) == "P1"
    assert matched(made, ident=OTHER) is None
    assert matched(made, t_ns=T0 - 1) is None
    assert matched(made, t_ns=T0 + hour) is None
    assert matched(made, east=501.0) is None
    assert matched(made, agl=151.0) is None
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
    assert matched(made, east=700.0, t_ns=T0 + 3600 * SECOND) == "P2"


def test_plan_may_name_a_zone_and_takes_its_band_unless_it_has_its_own(tmp_path):
    plan = without(PLAN, "polygon", *BAND) | {"zone": "Z1"}
    made = plans(tmp_path / "p.json", plan)
    assert [matched(made, agl=agl, east=900.0) for agl in (89.0, 91.0)] == ["P1", None]
    made = plans(tmp_path / "p.json", plan | BAND)
    assert [matched(made, agl=agl, east=900.0) for agl in (91.0, 151.0)] == ["P1", None]


def test_swarm_of_one_plan_matches_each_and_no_stranger(tmp_path):
    swarm = [f"rid:SWARM{k:04d}" for k in range(200)]
    made = plans(tmp_path / "p.json", PLAN | {"idents": swarm}, PLAN | {"id": "P0"})
    one = where(100, 100, 60)
    places = Places(np.repeat(one.flat, 201, axis=0), np.repeat(one.heights, 201, axis=0))
    idents = np.array([ident_of(text) for text in [*swarm, OTHER]])
    rows = PlanIndex(made, TILE).match(T0, places, idents)
    assert rows.tolist() == [1] * 200 + [-1]


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
        (PLAN | {"zone": "Z1"}, "give one of zone and polygon"),
        (without(PLAN, "polygon"), "give one of zone and polygon"),
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
