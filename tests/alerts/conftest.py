"""What the tests of alerts share."""

from collections.abc import Iterator

import pytest

from v2x.alerts import timers
from v2x.alerts.texts import LANGUAGES, catalogue


@pytest.fixture(autouse=True)
def nobody_is_due(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer of people goes off, but in modules that say ``TIMERS_RUN``.

    What rules and the engine say of the world is then all there is in a story.
    """
    if not getattr(request.module, "TIMERS_RUN", False):
        monkeypatch.setattr(timers, "TIMERS", dict.fromkeys(timers.TIMERS, ()))


@pytest.fixture(autouse=True)
def own_texts() -> Iterator[None]:
    """Words that a test lent to a type of its own are given back."""
    before = {language: dict(catalogue(language)["rules"]) for language in LANGUAGES}
    yield
    for language, rules in before.items():
        catalogue(language)["rules"] = rules
