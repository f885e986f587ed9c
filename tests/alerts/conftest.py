"""What the tests of alerts share."""

import pytest

from v2x.alerts import timers


@pytest.fixture(autouse=True)
def nobody_is_due(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer of people goes off, but in modules that say ``TIMERS_RUN``.

    What rules and the engine say of the world is then all there is in a story.
    """
    if not getattr(request.module, "TIMERS_RUN", False):
        monkeypatch.setattr(timers, "TIMERS", dict.fromkeys(timers.TIMERS, ()))
