"""A change of what is judged by was refused: the old is still in use."""

from collections.abc import Iterator

import numpy as np

from v2x.alert import Finding
from v2x.picture import Picture
from v2x.readings import Name


class ConfigRefused:
    """The last change that a source sent, of zones for example, was refused.

    Cause: a slip in what was sent. Consequence: alerts go by the old zones, while somebody believes
    in the new ones. Answer at once: read why, mend it, send it again. One whose mark is sent right
    clears it; no hold, for nothing comes of waiting.
    """

    type = "config_refused"
    cause = "device"
    auto = True
    reads = (Name.CHANGE_REFUSED,)
    hold_s = 0.0
    quiet_s = 0.0

    def check(self, picture: Picture) -> Iterator[Finding]:
        """Findings on sources whose last change was refused."""
        said = picture.readings
        for i in np.flatnonzero((said.name == Name.CHANGE_REFUSED) & (said.value > 0.0)).tolist():
            sensor = int(said.sensor[i])
            words = picture.idents.get(int(said.ident2[i]), "")
            form = picture.idents.get(int(said.ident[i]), "").partition(":")[2]
            yield Finding(
                ("device", picture.sensors[sensor].name),
                3,
                reasons=(("file", form, None, ""), ("refused", words, None, "")),
                evidence=(sensor,),
            )


RULE = ConfigRefused()
