"""Phone numbers of terminals and their identities, remembered so that a poll hashes only new ones.

A kernel finds the row of a phone in an open hash table; Python fills in what is new. It is a memo:
forgetting it all changes no row, so it is cleared when a fleet outgrows it.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from v2x.columns import I4, I8
from v2x.jit import uncounted
from v2x.observations import Observations, ident_of

_FIRST = 1 << 12
_MOST = 1 << 17
FLEET_CONF = 0.9
"""How sure the fleet table is of a kind."""


def pseudonym(scheme: str, text: str) -> str:
    """Identity text ``scheme:<hash>`` of a plate or vehicle number, which is never kept itself.

    16 hex digits of BLAKE2b over the text without blanks, in capitals; empty where nothing is left.
    It keeps the text out of logs and stores and lets wires that name the same vehicle meet; who has
    a list of all plates can undo it.
    """
    plain = "".join(text.replace("\0", "").split()).upper()
    if not plain.strip("-0"):
        return ""
    return f"{scheme}:{blake2b(plain.encode(), digest_size=8, person=scheme.encode()).hexdigest()}"


class Terminals:
    """Identity by phone: its last 14 BCD digits in one i8, up to 6 more above them in another.

    Attributes
    ----------
    keys
        (slots, 2) i8: last 14 digits and the digits above; both 0 where free.
    seen
        (slots,) i8 number of the last poll that used the slot.
    ident
        (slots,) i8 of `ident_of`; -1 until `resolve`.
    poll
        Number of the current poll.
    """

    def __init__(self, text: Callable[[str], str]) -> None:
        self._text = text
        self.poll = 0
        self._clear(_FIRST)

    def _clear(self, slots: int) -> None:
        self.keys: I8 = np.zeros((slots, 2), np.int64)
        self.seen: I8 = np.zeros(slots, np.int64)
        self.ident: I8 = np.full(slots, -1, np.int64)
        self._texts: NDArray[np.object_] = np.empty(slots, np.object_)
        self._known = 0

    def state(self) -> dict[str, Any]:
        """Nothing: it is a memo."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Remember nothing."""
        self._clear(_FIRST)

    def open(self, frames: int) -> None:
        """Begin a poll of at most `frames` phones: at least half of the table stays free."""
        self.poll += 1
        most = self._known + frames
        if 2 * most > self.ident.shape[0]:
            roomy = 1 << (4 * most).bit_length()
            self._clear(roomy if roomy <= _MOST else max(_MOST, 1 << (2 * frames).bit_length()))

    def say_kinds(self, slots: I8, fleet: Mapping[str, int], rows: Observations) -> None:
        """Write the kinds that `fleet`, by identity text, knows of the terminals in `slots`."""
        for slot in np.unique(slots[slots >= 0]).tolist():
            kind = fleet.get(self._texts[slot])
            if kind is not None:
                mine = slots == slot
                rows.kind[mine], rows.kind_conf[mine] = kind, FLEET_CONF

    def resolve(self, used: I4) -> dict[int, str]:
        """Identities of the slots `used` in this poll, the new ones made; hash to text."""
        idents = self.ident[used]
        new = used[idents < 0]
        if new.size:
            for slot in new.tolist():
                low, high = self.keys[slot].tolist()
                text = self._text(f"{high:06x}{low:014x}".lstrip("0"))
                self._texts[slot], self.ident[slot] = text, ident_of(text)
            self._known += new.size
            idents = self.ident[used]
        return dict(zip(idents.tolist(), self._texts[used].tolist(), strict=True))


@uncounted
def slot_of(keys: I8, low: int, high: int) -> int:
    """Slot of a phone in keys (slots, 2) i8, taken if it is new; slots is a power of two."""
    mask: int = keys.shape[0] - 1
    h = (low ^ (high * 0x1000193)) * 0x2545F4914F6CDD1D
    at = (h >> 29) & mask
    while True:
        if keys[at, 0] == low and keys[at, 1] == high:
            break
        if keys[at, 0] == 0 and keys[at, 1] == 0:
            keys[at, 0], keys[at, 1] = low, high
            break
        at = (at + 1) & mask
    return at
