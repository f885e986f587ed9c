"""Changes of what the low airspace is judged by, as frames, JSON: zones, registry, plans.

A zone that is drawn, moved or lifted while the system runs comes as a frame like all others: so it
stands in the recording, and a replay draws it at the same slice.

==========================================  =====================================================
object                                      what it asks for
==========================================  =====================================================
``{"op": "put", "zone": F}``                add or replace by id; F: one GeoJSON feature, or a
                                            FeatureCollection of several
``{"op": "remove", "id": ID}``              take out; ID: one id, or a list of them
``{"features": [...], ...}``                a whole zone file, in place of all there is: without
                                            ``op``, of any kind (ED-269 has ``UASZoneList``)
==========================================  =====================================================

So are ``registry`` (put ``uas``, ``operator`` or ``friend``; remove with ``of``; whole: ``uas``)
and ``plans`` (put ``plan``; whole: ``plans``), whose entries `v2x.lowalt.registry` and
`v2x.lowalt.plans` describe.

Only this envelope is looked at here; what stands in it is judged where it is used, and a change
that is refused there leaves all as it was. Not JSON, or JSON that is no object: `Reject.BAD_TEXT`;
nested beyond reason: `Reject.TOO_COMPLEX`; none of the three: `Reject.UNKNOWN_MESSAGE`. The layout
is ours; the features are RFC 7946.
"""

import json
from typing import Any

import numpy as np

from v2x.frames import FrameBatch
from v2x.ingest.decoded import Decoded, Document, Reject
from v2x.observations import Observations
from v2x.readings import Readings
from v2x.sensors import SensorTable


class DocumentFormat:
    """One name of this layout; every frame stands alone.

    Parameters
    ----------
    name
        Of the format.
    items
        Keys of what may be put.
    whole
        Keys of which a whole file has one.
    """

    def __init__(self, name: str, items: tuple[str, ...], whole: tuple[str, ...]) -> None:
        self.name = name
        self._items = items
        self._whole = whole

    def timed(self, payload: bytes) -> bool:
        """Tell that equal bytes are no repeat: what was put back is put back."""
        return False

    def new_state(self) -> None:
        """Nothing is remembered."""
        return

    def decode(self, batch: FrameBatch, sensors: SensorTable, state: None) -> Decoded:
        """Turn any bytes into a document or a reject code per frame."""
        n = len(batch)
        payloads = [batch.payload(i) for i in range(n)]
        rejects = np.array([self._judged(payload) for payload in payloads], np.uint8)
        documents = tuple(
            Document(i, self.name, payloads[i]) for i in np.flatnonzero(rejects == 0).tolist()
        )
        return Decoded(Observations.blank(), Readings.blank(), rejects, documents=documents)

    def finish(self, sensors: SensorTable, state: None) -> Decoded:
        """Nothing is ever pending."""
        return Decoded.nothing()

    def extra(self, payload: bytes) -> dict[str, Any]:
        """Say what a frame asks for; {} for one that is refused."""
        if self._judged(payload) != Reject.OK:
            return {}
        return {"document": json.loads(payload.decode("utf-8-sig"))}

    def _judged(self, payload: bytes) -> Reject:
        try:
            tree = json.loads(payload.decode("utf-8-sig"), parse_constant=_no_number)
        except RecursionError:
            return Reject.TOO_COMPLEX
        except ValueError:  # also what is no UTF-8
            return Reject.BAD_TEXT
        if not isinstance(tree, dict):
            return Reject.BAD_TEXT
        needs = {"put": self._items, "remove": ("id",)}
        operation = tree.get("op")
        if operation is None:
            known = any(key in tree for key in self._whole)
        else:
            keys = needs.get(operation, ()) if isinstance(operation, str) else ()
            known = any(key in tree for key in keys)
        return Reject.OK if known else Reject.UNKNOWN_MESSAGE


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number")


FORMATS = (
    DocumentFormat("zones", ("zone",), ("features", "UASZoneList")),
    DocumentFormat("registry", ("uas", "operator", "friend"), ("uas",)),
    DocumentFormat("plans", ("plan",), ("plans",)),
)
