"""Changes of zones: what they ask for, what is refused, and that nothing breaks the loop."""

import copy
import json

import numpy as np
import pytest

from tests.lowalt.scenes import T0, TILE, box, feature, zone
from v2x.errors import ConfigError
from v2x.lowalt.schedules import Period
from v2x.lowalt.volumes import ZoneIndex
from v2x.lowalt.zone_changes import change, changed, plain, restored
from v2x.lowalt.zone_files import WRITERS
from v2x.lowalt.zones import Limit, Part, Slope, Zones

BASE = Zones.of([zone("A", [box(0, 0, 100, 100)]), zone("B", [box(500, 0, 900, 100)])])
JUNK = [None, True, 0, -1, 1e308, 10**400, "", "x", "AGL", [], [[]], {}, {"a": 1}, ["x"], [1, 2]]


def asked(tree):
    return json.dumps(tree).encode()


def ids(tree):
    return changed(BASE, asked(tree)).ids


def test_put_adds_or_replaces_remove_takes_out_and_a_file_replaces_all():
    assert ids({"op": "put", "zone": feature(id="C")}) == ("A", "B", "C")
    assert ids({"op": "put", "zone": feature(id="A")}) == ("A", "B")
    both = {"type": "FeatureCollection", "features": [feature(id="A"), feature(id="D")]}
    assert ids({"op": "put", "zone": both}) == ("A", "B", "D")
    assert ids({"op": "remove", "id": "A"}) == ("B",)
    assert ids({"op": "remove", "id": ["A", "B"]}) == ()
    assert ids(both) == ("A", "D")
    for name in ("ed269", "ed318"):
        assert ids(WRITERS[name](Zones.of([zone("E", [box(0, 0, 9, 9)])]))) == ("E",)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"op": "remove", "id": "X"}, "there is no zone 'X'"),
        ({"op": "remove", "id": ["A", "X"]}, "there is no zone 'X'"),
        ({"op": "remove", "id": []}, "id must be a text, or a list of them"),
        ({"op": "remove", "id": 7}, "id must be a text, or a list of them"),
        ({"op": "put", "zone": None}, "put: zone: expected an object"),
        ({"op": "put", "zone": {"type": "Point"}}, "not 'FeatureCollection'"),
        (
            {"op": "put", "zone": feature(floor_m=400, floor_ref="agl")},
            r"feature 0 \(Z1\): floor_m",
        ),
    ],
)
def test_a_change_that_is_wrong_is_refused_with_what_is_wrong(tree, words):
    with pytest.raises(ConfigError, match=words):
        changed(BASE, asked(tree))


def nodes(tree, path=()):
    """Every place in a tree, deepest last."""
    yield path
    if isinstance(tree, dict | list):
        entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, inner in entries:
            yield from nodes(inner, (*path, key))


def test_junk_in_any_place_of_any_file_is_read_or_refused_and_never_breaks():
    rng = np.random.default_rng(0)
    rich = Zones.of([
        zone("A", [box(0, 0, 100, 100)], floor_m=1.0, floor_ref="amsl", ceiling_m=90.0,
             ceiling_ref="agl", valid_from_ns=T0, authority="a", note="n"),
        zone("B", [box(0, 0, 50, 50)], [box(200, 0, 250, 50)], ceiling_m=90.0, ceiling_ref="agl"),
    ])  # fmt: skip
    trees = [writer(rich) for writer in WRITERS.values()]
    trees.append({"op": "put", "zone": feature(schedule=[{"days": ["MON"], "start": "08:00",
                                                          "end": "SS", "zone": "Z"}])})  # fmt: skip
    sun = (Period(frozenset({1}), "SR", 720),)
    trees.append(WRITERS["ed318"](Zones.of([zone("C", [box(0, 0, 9, 9)], periods=sun)])))
    taken = refused = 0
    for tree in trees:
        for path in list(nodes(tree))[1:]:
            for junk in rng.choice(len(JUNK), 4, replace=False).tolist():
                broken = copy.deepcopy(tree)
                inner = broken
                for key in path[:-1]:
                    inner = inner[key]
                inner[path[-1]] = JUNK[junk]
                try:
                    changed(BASE, asked(broken))
                except ConfigError:
                    refused += 1
                else:
                    taken += 1
    assert refused > 500
    assert taken > 100


def test_what_only_the_index_finds_wrong_refuses_that_change_alone():
    far = [[-62.66, -39.13], [-62.65, -39.13], [-62.65, -39.12], [-62.66, -39.13]]
    texts = [
        asked({"op": "put", "zone": feature(id="C")}),
        asked({"op": "put", "zone": feature(far, id="F")}),
        asked({"op": "remove", "id": "A"}),
    ]
    index, said = change(ZoneIndex(BASE, TILE), texts, T0)
    assert index.ids == ("B", "C")
    assert [one.taken for one in said] == [True, False, True]
    assert "zone F: corner" in said[1].words
    same, said = change(index, [texts[1]], T0)
    assert same is index
    assert not said[0].taken


def test_zones_come_back_exactly_from_plain_data():
    rise, cone = Slope(117.123456789123, 39.1, 0.02, 154.5), Slope(117.3, 39.1, 0.05)
    part = zone("A", [box(0, 0, 100, 100), box(10, 10, 20, 20)]).parts[0]
    whole = Zones.of([
        zone("A", [box(0, 0, 100, 100)], valid_to_ns=1 << 65, authority="a", note="n"),
        zone("B", [box(0, 0, 50, 50)], country="CHN", datum="gcj02"),
    ])  # fmt: skip
    b = whole.zones[1]
    sloped = Part(part.polygon, Limit(1.5, "hae", rise), Limit(9.0, "agl", cone))
    whole = Zones.of([whole.zones[0], type(b)(**{**vars(b), "parts": (sloped, *b.parts)})])
    again = restored(plain(whole))
    assert again.zones == whole.zones
    assert again.hash == whole.hash
    assert restored(plain(Zones())).zones == ()
