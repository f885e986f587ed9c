import numpy as np
import pytest

from tests.lowalt.scenes import SECOND, T0
from v2x.geodesy import undulation
from v2x.lowalt.levels import Levels
from v2x.lowalt.terrain import Ground
from v2x.observations import Flag, Observations
from v2x.readings import Name, Readings

LAT, LON = 39.1244, 117.3460
GEOID = float(undulation(np.array([LAT]), np.array([LON]))[0])
BARO = int(Flag.HEIGHT_BAROMETRIC)
NAN = float("nan")


def levels(qnh=NAN) -> Levels:
    return Levels(LAT, LON, Ground(), qnh)


def rows(ident=7, height=NAN, flags=0, t_ns=T0, up_var=NAN) -> Observations:
    cov = [25.0, 0.0, 0.0, 25.0, 0.0, up_var]
    return Observations.blank(
        1, t_ns=t_ns, ident=ident, lat=LAT, lon=LON, height=height, cov=cov, flags=flags
    )


def words(ident=7, t_ns=T0, **values) -> Readings:
    """Readings by name, as ``words(pressure_altitude=90.0)``."""
    names = [Name[name.upper()] for name in values]
    return Readings.blank(
        len(names), t_ns=t_ns, ident=ident, name=names, value=list(values.values())
    )


def shown(made: Levels, *differences: float, t_ns=T0) -> Levels:
    """Each difference is what one emitter shows."""
    for k, difference in enumerate(differences):
        word = words(100 + k, t_ns, geo_minus_baro_m=difference)
        made.complete(t_ns, Observations.blank(), word)
    return made


def height(made: Levels, observations: Observations, readings=None) -> tuple[float, float]:
    """Height and its deviation after `complete`."""
    out = made.complete(T0, observations, Readings.blank(0) if readings is None else readings)
    return float(out.height[0]), float(np.sqrt(out.cov[0, 5]))


# --- the region's pressure


def test_offset_is_the_median_over_three_emitters_and_unknown_with_fewer():
    assert np.isnan(shown(levels(), -60.0, -64.0).offset()[0])
    assert shown(levels(), -60.0, -64.0, -62.0).offset() == (-62.0, 3.0)
    b, sd = shown(levels(), -60.0, -64.0, -62.0, 500.0, -61.0).offset()
    assert b == -61.0
    assert sd == 3.0


def test_one_emitter_that_shouts_does_not_decide():
    made = shown(levels(), -60.0, -64.0, -62.0)
    for k in range(100):
        made.complete(T0, Observations.blank(), words(100, T0 + k * 10 * SECOND,
                                                      geo_minus_baro_m=400.0))  # fmt: skip
    assert made.offset()[0] == -62.0


def test_drone_that_sends_both_shows_the_offset_too():
    made = levels()
    for k, h in enumerate((40.0, 42.0, 41.0)):
        made.complete(T0, rows(10 + k, h), words(10 + k, pressure_altitude=100.0))
    assert made.offset()[0] == -59.0


def test_offset_is_forgotten_after_half_an_hour():
    made = shown(levels(), -60.0, -64.0, -62.0)
    later = T0 + 1800 * SECOND
    made.complete(later, Observations.blank(), Readings.blank(0))
    assert made.offset()[0] == -62.0
    made.complete(later + 1, Observations.blank(), Readings.blank(0))
    assert np.isnan(made.offset()[0])


def test_configured_qnh_stands_in_until_emitters_show_better():
    b, sd = levels(1003.25).offset()
    assert b == pytest.approx(-83.0 + GEOID)
    assert sd == 10.0
    assert shown(levels(1003.25), -60.0, -64.0, -62.0).offset()[0] == -62.0


def test_pressure_altitude_becomes_a_height_once_the_offset_is_known():
    made = shown(levels(), -60.0, -64.0, -62.0)
    assert height(made, rows(height=120.0, flags=BARO, up_var=1e4)) == (58.0, 3.0)
    told = rows(flags=BARO), words(pressure_altitude=130.0)
    assert height(made, *told) == (68.0, 3.0)


def test_pressure_altitude_of_unknown_pressure_is_no_height_but_is_remembered():
    made = levels()
    h, sd = height(made, rows(height=120.0, flags=BARO, up_var=1e4))
    assert np.isnan(h)
    assert np.isnan(sd)
    asked = np.array([7, 8])
    assert made.pressure(asked, T0 + SECOND, 10 * SECOND)[0] == 120.0
    assert np.isnan(made.pressure(asked, T0 + SECOND, 10 * SECOND)[1])
    assert np.isnan(made.pressure(asked, T0 + 11 * SECOND, 10 * SECOND)).all()
    shown(made, -60.0, -64.0, -62.0)  # from now on it is a height, and told as one
    assert np.isnan(made.pressure(asked, T0 + SECOND, 10 * SECOND)).all()


# --- above take-off


def test_take_off_is_learnt_from_moments_with_both_heights():
    made = levels()
    for h in (50.0, 51.0, 90.0):
        made.complete(T0, rows(height=h), words(height_takeoff=40.0))
    assert made.take_off(7) == (11.0, pytest.approx(1.4826))
    told = rows(), words(height_takeoff=60.0)
    assert height(made, *told)[0] == 71.0


def test_drone_that_stood_on_the_ground_took_off_there():
    made = levels()
    made.complete(T0, rows(height=-5.0), words(rid_status=1.0))
    made.complete(T0, rows(height=80.0), words(rid_status=2.0))
    assert height(made, rows(), words(height_takeoff=60.0)) == (55.0, 3.0)


def test_else_it_took_off_from_the_ground_below_its_first_place_or_from_a_roof():
    h, sd = height(levels(), rows(), words(height_takeoff=60.0))
    assert h == pytest.approx(60.0 + 3.0 + GEOID)
    assert sd == 20.0


def test_height_above_take_off_beats_a_worse_barometric_one_and_loses_to_a_better():
    made = levels(1013.25)
    made.complete(T0, rows(height=50.0), words(height_takeoff=40.0))
    told = words(height_takeoff=60.0)
    assert height(made, rows(height=300.0, flags=BARO), told) == (70.0, 1.0)
    unknown = rows(9, height=300.0, flags=BARO), words(9, height_takeoff=60.0)
    assert height(made, *unknown)[0] == pytest.approx(300.0 + GEOID)


def test_height_that_was_measured_stays():
    made = shown(levels(), -60.0, -64.0, -62.0)
    told = rows(height=77.0, up_var=4.0), words(height_takeoff=60.0, pressure_altitude=9.0)
    assert height(made, *told) == (77.0, 2.0)


def test_word_of_another_frame_gives_no_height():
    assert np.isnan(height(levels(), rows(), words(t_ns=T0 - 1, height_takeoff=60.0))[0])
    assert np.isnan(height(levels(), rows(), words(8, height_takeoff=60.0))[0])


def test_rows_without_anything_to_learn_are_handed_on_as_they_are():
    given = rows(height=5.0)
    assert levels().complete(T0, given, Readings.blank(0)) is given


def test_tables_are_bounded():
    made = levels()
    n = 5000
    idents = np.arange(n)
    both = Observations.blank(n, t_ns=T0, ident=idents, lat=LAT, lon=LON, height=50.0)
    names = np.repeat([Name.HEIGHT_TAKEOFF, Name.PRESSURE_ALTITUDE], n)
    told = Readings.blank(2 * n, t_ns=T0, ident=np.tile(idents, 2), name=names, value=9.0)
    made.complete(T0, both, told)
    state = made.state()
    assert len(state["both"]) == len(state["first"]) == 4096
    assert len(state["shown"]) == 1024


def test_what_was_learnt_survives_a_restart():
    one = shown(levels(), -60.0, -64.0, -62.0)
    one.complete(T0, rows(height=50.0), words(height_takeoff=40.0, rid_status=1.0))
    again = levels()
    again.restore(one.state())
    assert again.offset() == one.offset()
    assert again.take_off(7) == one.take_off(7)
    assert again.state() == one.state()
