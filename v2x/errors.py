"""What can go wrong, by what the reader must do about it.

::

    V2XError
    ├── ConfigError    a file or key must be edited; the message names both
    ├── DecodeError    bytes that are no valid frame; the message names the reject reason
    ├── SourceError    a wire or file cannot be read
    ├── StoreError     the durable store cannot be written or contradicts what was derived
    ├── RetryLater     a destination is busy or away: try the same alert again
    └── GiveUp         a destination will never take this alert

Any other exception is a bug of ours: it rises in tests and in replay.
"""


class V2XError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigError(V2XError):
    """Configuration, zone, registry or plan file refused; names file and key."""


class DecodeError(V2XError):
    """Bytes that are no valid frame, outside the counted path of the decoders."""


class SourceError(V2XError):
    """A drive, broker or file cannot be read."""


class StoreError(V2XError):
    """The durable store cannot be written, or holds another content for the same (id, rev)."""


class RetryLater(V2XError):
    """A destination did not take the alert now; the same call may succeed later.

    `after_s` is how long it asks to be left alone, seconds; 0: it did not say.
    """

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class GiveUp(V2XError):
    """A destination refused the alert for good."""
