"""How long to wait before the next try: twice as long each time, and somewhere within that.

The jitter keeps a thousand clients that lost the same broker from coming back in the same instant.
"""

from collections.abc import Callable
from secrets import SystemRandom

_DRAW = SystemRandom().random


class Backoff:
    """Waits of 50 % to 100 % of a time that doubles from `first_s` up to `most_s`."""

    def __init__(self, first_s: float, most_s: float, draw: Callable[[], float] = _DRAW) -> None:
        self._first_s, self._most_s, self._draw = first_s, most_s, draw
        self.tries = 0

    def next_s(self) -> float:
        """Seconds to wait now."""
        span = min(self._first_s * 2.0 ** min(self.tries, 60), self._most_s)
        self.tries += 1
        return span * (0.5 + 0.5 * self._draw())

    def reset(self) -> None:
        """It worked: begin with short waits again."""
        self.tries = 0
