"""``v2x bench zones``: a small run whole, and what it refuses."""

import json

import pytest
import typer

from v2x.cli.bench import zone_lookup
from v2x.cli.bench.zones import zones


def test_a_small_run_agrees_with_shapely_and_says_where_it_was_made(capsys):
    zones(zones="30,60", points=3_000, seed=1, seconds=0.0, json_=True)
    made = json.loads(capsys.readouterr().out)
    assert [row["zones"] for row in made["results"]] == [30, 60]
    for row in made["results"]:
        assert row["differences"] == 0
        assert 0.1 < row["hits_per_point"] < 3.0
        assert row["ratio"] > 0.0
        assert row["build_cpu_s"] > 0.0
    assert made["command"] == "v2x bench zones --zones 30,60 --points 3000 --seed 1 --seconds 0.0"
    assert {"shapely", "geos", "numba"} <= made["versions"].keys()
    assert made["machine"]["cores"] >= 1


def test_the_table_has_a_row_for_each_number_of_zones(capsys):
    row = zone_lookup.measure(20, 500, 0, 0.0)
    options = {"zones": [20], "points": 500, "seed": 0, "seconds": 0.0}
    zone_lookup.show(zone_lookup.report([row], options))
    out = capsys.readouterr().out
    assert "hits/pt" in out
    assert "batches of 500 points" in out


def test_a_difference_is_counted_and_ends_with_1(monkeypatch):
    wrong = zone_lookup.Peer.hits
    monkeypatch.setattr(
        zone_lookup.Peer, "hits", lambda it, at: tuple(x[1:] for x in wrong(it, at))
    )
    with pytest.raises(typer.Exit) as e:
        zones(zones="30", points=2_000, seed=0, seconds=0.0, json_=True)
    assert e.value.exit_code == 1


def test_scenes_come_from_the_seed_alone():
    one, other = zone_lookup.scene(12, 3), zone_lookup.scene(12, 3)
    assert one.hash == other.hash != zone_lookup.scene(12, 4).hash


@pytest.mark.parametrize(
    "options",
    [
        {"zones": "a"}, {"zones": "0"}, {"zones": "20001"}, {"points": 0}, {"points": 1_000_001},
        {"seed": -1}, {"seconds": -1.0},
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(typer.BadParameter):
        zones(**({"zones": "10", "points": 10, "seed": 0, "seconds": 0.0} | options))
