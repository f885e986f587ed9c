"""``v2x bench airspace``: how it counts, what it prints, and the bars on a small part of it.

`V2X_SOAK=1` flies a thousand incursions and 999 innocents.
"""

import json
import os
import shlex
from math import inf, isnan, nan

import numpy as np
import pytest
from typer.testing import CliRunner

from replay.scenarios.flights import field
from replay.scenarios.flights.truth import Breach
from v2x import cli
from v2x.cli.bench import airspace
from v2x.cli.bench.airspace_scores import Scores, Tally, as_dict, bars, count
from v2x.cli.bench.flying import Flown, Outcome, Told

SOAK = os.environ.get("V2X_SOAK") == "1"
FLIGHTS = {"incursions": 1000 if SOAK else 40, "innocents": 999 if SOAK else 9}


def invoke(*words):
    made = CliRunner().invoke(
        cli.app, ["bench", "airspace", *(str(w) for w in words)], env={"COLUMNS": "300"}
    )
    return made.exit_code, made.output


def told(type="zone_intrusion", out_s=30.0, zone="", severity=1, identified_s=nan) -> Told:
    return Told(type, zone, severity, out_s, out_s - 0.4, identified_s, ("p_inside",), "x")


def counted(suite, family, alerts=(), *, strays=(), breach=None, **changes) -> tuple[Tally, Scores]:
    """Tally of one flight of a family that had these alerts."""
    flight = field.draw(suite, 0, 0, [family])
    alerts = [
        Told(**{**vars_of(a), "zone": flight.zone.id if a.zone == "its" else a.zone})
        for a in alerts
    ]
    outcome = Outcome(flight, alerts=alerts, **changes)
    scores = Scores()
    count(
        suite,
        Flown(None, {flight.name: outcome}, list(strays), {"in": 0}, 0.0, 0),
        {flight.name: breach},
        scores,
    )
    return scores.families[suite][family], scores


def vars_of(alert: Told) -> dict:
    return {name: getattr(alert, name) for name in Told.__dataclass_fields__}


def bar(scores: Scores, words: str):
    return next(b for b in bars(scores) if words in b.name)


ENTERS = Breach(40.0, 60.0, 80.0, 3.0, due=True, foreseeable=True)


def test_an_incursion_nobody_alerts_is_missed_and_fails_its_bar():
    tally, scores = counted("incursions", "straight", breach=ENTERS)
    assert tally.missed == ["straight-0-0"]
    assert tally.unwarned == ["straight-0-0"]
    assert not bar(scores, "not alerted").ok


def test_an_alert_of_another_zone_or_type_does_not_save_an_incursion():
    alerts = [told(zone="Z-other"), told("uas_dark", zone="its")]
    tally, _ = counted("incursions", "straight", alerts, breach=ENTERS)
    assert tally.missed == ["straight-0-0"]
    assert len(tally.false) == 1


@pytest.mark.parametrize(("out_s", "late"), [(39.9, 0), (40.1, 1)])
def test_a_warning_counts_when_it_came_out_before_the_breach(out_s, late):
    alerts = [told("zone_breach_predicted", out_s, "its"), told(out_s=41.0, zone="its")]
    tally, scores = counted("incursions", "straight", alerts, breach=ENTERS)
    assert tally.missed == []
    assert len(tally.unwarned) == late
    assert bar(scores, "warned of").ok == (late == 0)
    assert len(tally.ahead_s) == 1 - late


def test_an_incursion_no_sensor_saw_is_no_miss():
    unseen = Breach(40.0, 60.0, 80.0, nan, due=False, foreseeable=False)
    tally, scores = counted("incursions", "straight", breach=unseen)
    assert tally.missed == tally.unwarned == []
    assert bar(scores, "not alerted").ok


@pytest.mark.parametrize(("expected", "ok"), [(8.6, True), (11.4, True), (11.6, False)])
def test_the_error_of_the_expected_breach_is_that_of_ten_seconds_before(expected, ok):
    _, scores = counted("incursions", "straight", breach=ENTERS, expected_s=expected)
    found = bar(scores, "median error")
    assert found.value == pytest.approx(abs(expected - 10.0))
    assert found.ok == ok


def test_urgent_alerts_on_innocents_and_of_nobody_are_false_and_others_are_not():
    alerts = [told(severity=2), told(severity=3)]
    strays = [told(severity=1), told(severity=4)]
    tally, scores = counted("innocents", "boundary", alerts, strays=strays)
    assert len(tally.false) == 1
    assert len(scores.strays) == 1
    found = bar(scores, "innocents")
    assert (found.value, found.ok) == (2, False)


@pytest.mark.parametrize(("dark_s", "wrong"), [(7.0, 0), (7.2, 1), (nan, 1)])
def test_dark_must_be_said_within_three_seconds_of_the_confirmed_track(dark_s, wrong):
    said = {} if isnan(dark_s) else {"dark": dark_s}
    tally, scores = counted("claims", "dark", confirmed_s=4.0, verdict_s=said)
    assert len(tally.wrong) == wrong
    assert bar(scores, "not within 3 s").ok == (wrong == 0)


@pytest.mark.parametrize(
    ("said", "wrong"),
    [({"unidentified": 2.0}, 0), ({"unidentified": 2.0, "dark": 3.0}, 1), ({"undecided": 1.0}, 1)],
)
def test_silence_where_nobody_listens_is_unidentified_and_never_dark(said, wrong):
    tally, _ = counted("claims", "unheard", verdict_s=said)
    assert len(tally.wrong) == wrong


@pytest.mark.parametrize(("identified_s", "wrong"), [(60.0, 0), (nan, 1)])
def test_an_identity_that_comes_late_must_be_named_by_the_dark_alert(identified_s, wrong):
    alert = told("uas_dark", 9.0, severity=2, identified_s=identified_s)
    said = {"dark": 3.0}
    tally, _ = counted("claims", "late", [alert], confirmed_s=1.0, verdict_s=said)
    assert len(tally.wrong) == wrong
    assert len(tally.revised_s) == 1 - wrong


def test_false_claims_count_from_when_they_are_false():
    since = field.draw("claims", 0, 0, ["drift"]).since_s
    alerts = [told("identity_spoof", since - 5.0), told("identity_spoof", since + 12.0)]
    tally, _ = counted("claims", "drift", alerts)
    assert tally.detected_s == pytest.approx([12.0])
    assert len(tally.spoof_alarms) == 1
    tally, scores = counted("claims", "drift")
    assert tally.undetected == ["drift-0-0"]
    assert not bar(scores, "not found: drift").ok


def test_an_alarm_on_an_honest_transmitter_is_a_false_one():
    tally, scores = counted("claims", "honest", [told("identity_spoof", severity=2)])
    assert len(tally.spoof_alarms) == 1
    assert tally.honest_s > 100.0
    assert not bar(scores, "honest").ok


def test_seconds_become_median_and_ninetieth_percentile_and_infinite_ones_do_not_count():
    made = as_dict(Tally(ahead_s=[1.0, 2.0, 3.0, inf, nan]))
    assert made["ahead_s"] == {"n": 3, "median": 2.0, "p90": 2.8, "max": 3.0}
    assert made["delay_s"] is None


@pytest.mark.parametrize(
    "words",
    [("--suite", "none"), ("--family", "none"), ("--flights", 0), ("--seeds", "x")],
)
def test_a_word_it_does_not_know_is_a_usage_error(words):
    code, output = invoke(*words)
    assert code == 2
    assert words[0] in output


@pytest.fixture(scope="module")
def flown():
    """Reports of both suites."""
    made = {}
    for suite, flights in FLIGHTS.items():
        code, output = invoke("--suite", suite, "--flights", flights, "--json")
        assert code == 0, output
        made[suite] = json.loads(output)
    return made


def reached(made, words):
    return next(b for b in made["bars"] if words in b["name"])


def test_every_incursion_that_sensors_saw_is_alerted(flown):
    found = reached(flown["incursions"], "not alerted")
    assert found["of"] >= 0.9 * FLIGHTS["incursions"]
    assert found["ok"], airspace.lines(flown["incursions"])


def test_the_foreseeable_are_warned_of_before_the_breach_at_the_time_it_comes(flown):
    assert reached(flown["incursions"], "warned of")["ok"], airspace.lines(flown["incursions"])
    assert reached(flown["incursions"], "median error")["ok"]


def test_innocents_that_sensors_resolve_raise_nothing_urgent(flown):
    """Not birds and shows, which fly too close together for these radars, nor along a boundary.

    A turn back at the boundary is foreseen too late: one such flight is told of as a breach.
    """
    families = flown["innocents"]["families"]["innocents"]
    for name in sorted(set(families) - {"birds", "boundary", "show"}):
        assert families[name]["flights"] == FLIGHTS["innocents"] // len(families)
        assert families[name]["false"] == []


@pytest.mark.parametrize("suite", FLIGHTS)
def test_the_report_says_what_it_flew_and_how_to_fly_it_again(flown, suite):
    made = flown[suite]
    assert shlex.split(made["command"])[:3] == ["v2x", "bench", "airspace"]
    assert f"--suite {suite} --flights {FLIGHTS[suite]} --seeds 0" in made["command"]
    assert made["machine"]
    assert made["versions"]["v2x"]
    assert set(made["families"][suite]) == set(field.SUITES[suite])
    assert sum(row["flights"] for row in made["families"][suite].values()) == FLIGHTS[suite]
    assert made["frames"] > 100 * FLIGHTS[suite]


@pytest.mark.parametrize("suite", FLIGHTS)
def test_tables_name_every_family_and_every_bar(flown, suite, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # a narrow terminal cuts names short
    airspace.show(flown[suite])
    printed = capsys.readouterr().out
    assert all(family in printed for family in field.SUITES[suite])
    assert all(b["name"][:20] in printed for b in flown[suite]["bars"])


def test_check_is_exit_one_where_a_bar_is_not_reached(monkeypatch):
    def nothing(suite, seed, numbers, families, to):
        to.tally(suite, "straight").missed.append("straight-0-0")

    monkeypatch.setattr("v2x.cli.bench.airspace_scores.run", nothing)
    words = ("--suite", "incursions", "--flights", 1)
    assert invoke(*words)[0] == 0
    assert invoke(*words, "--check")[0] == 1


def test_numbers_of_cells_are_bounded():
    for part in field.fields("incursions", 0, 120):
        assert len(part) <= field.CELLS
    places = np.array([field.centre(cell) for cell in range(field.CELLS)])
    apart = np.hypot(*(places[:, None] - places[None]).T)
    assert apart[~np.eye(len(places), dtype=bool)].min() == pytest.approx(field.APART_M)
