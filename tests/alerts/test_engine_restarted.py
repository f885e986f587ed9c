"""Every test of the engine once more, with an engine that restarts after each slice."""

import pytest

from v2x.alert import Alert
from v2x.alerts.engine import Engine
from v2x.alerts.rules.uas_dark import RULE as UAS_DARK
from v2x.alerts.rules.zone_intrusion import RULE as ZONE_INTRUSION
from v2x.app.checkpoint import packed, unpacked
from v2x.picture import Picture, Verdict

from . import pictures, test_engine

globals().update((n, t) for n, t in vars(test_engine).items() if n.startswith("test_"))


class Restarting(Engine):
    """An engine of which only what a checkpoint carries lives on to the next slice."""

    restarts = 0

    def judge(self, picture: Picture) -> list[Alert]:
        made = super().judge(picture)
        self.restore(unpacked(packed(self.state())))
        Restarting.restarts += 1
        return made


@pytest.fixture(autouse=True)
def restarting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "Engine", Restarting)


def test_the_engine_under_test_did_restart() -> None:
    before = Restarting.restarts
    test_engine.test_positions_are_told_once_a_second_or_every_five("P-1", 1.0)
    assert Restarting.restarts > before + 5


def test_what_is_restored_is_what_was_saved() -> None:
    first, again = (pictures.engine(UAS_DARK, ZONE_INTRUSION) for _ in range(2))
    for t in pictures.steps(0, 8, 0.25):
        dark = pictures.drone(verdict=Verdict.DARK, ident="rid:X", first=-5.0, east=30 * t)
        held = pictures.drone(id=2, verdict=Verdict.DARK, north=900.0)
        rows = [dark, held] if t > 6 else [dark]
        first.judge(pictures.picture(t, rows, inside=[(0, "P-1", 0.95)]))
    again.restore(unpacked(packed(first.state())))
    assert packed(again.state()) == packed(first.state())
    (life, _), (twin, _) = (list(e._active.values()) for e in (first, again))
    assert (type(twin.motion), type(twin.finding)) == (type(life.motion), type(life.finding))
    assert (twin.key, twin.said, twin.reasons) == (life.key, life.said, life.reasons)
    assert first.state()["held"]
