"""Structures of arrays: the one shape in which facts travel between rooms.

A `Columns` subclass is a frozen dataclass whose fields are NumPy arrays of one length. The field's
metadata says dtype, width and what "not measured" is, so that blank rows, concatenation and row
selection are written once.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

B1 = NDArray[np.bool_]
F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I4 = NDArray[np.int32]
I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]
U2 = NDArray[np.uint16]


def column(dtype: str, width: int | tuple[int, ...] = (), *, blank: float | None = None) -> Any:
    """Declare one column.

    Parameters
    ----------
    dtype
        NumPy type string such as ``"f8"``.
    width
        Trailing shape: ``()`` for one value a row, 3 for ``(n, 3)``, ``(6, 6)`` for matrices.
    blank
        Value of a row that was not measured; NaN for floats and 0 for integers unless given.
    """
    if blank is None:
        blank = np.nan if dtype[0] == "f" else 0
    shape = (width,) if isinstance(width, int) else width
    return field(metadata={"dtype": np.dtype(dtype), "shape": shape, "blank": blank})


@dataclass(frozen=True, slots=True)
class Columns:
    """Equally long arrays, one per field. Subclasses declare fields with `column`."""

    _schemas: ClassVar[dict[type, list[tuple[str, np.dtype[Any], tuple[int, ...], float]]]] = {}

    _empties: ClassVar[dict[type, "Columns"]] = {}

    _plans: ClassVar[dict[type, tuple[int, list[Any], list[Any]]]] = {}

    @classmethod
    def schema(cls) -> list[tuple[str, np.dtype[Any], tuple[int, ...], float]]:
        """(name, dtype, trailing shape, blank) of each column, in order."""
        known = Columns._schemas.get(cls)
        if known is None:
            known = [
                (f.name, f.metadata["dtype"], f.metadata["shape"], f.metadata["blank"])
                for f in fields(cls)
                if "dtype" in f.metadata
            ]
            Columns._schemas[cls] = known
        return known

    @classmethod
    def blank(cls, n: int = 0, **given: Any) -> Self:
        """`n` rows of "not measured", with the columns of `given` filled in."""
        if not given:
            return cls._in_one_block(n) if n else cls._nothing()
        made: dict[str, Any] = {}
        for name, dtype, shape, empty in cls.schema():
            value = given.pop(name, empty)
            rows = np.asarray(value, dtype)
            if rows.shape == (n, *shape):
                made[name] = np.array(rows) if rows is value else np.ascontiguousarray(rows)
            elif value is empty and empty == 0:
                made[name] = np.zeros((n, *shape), dtype)
            else:
                made[name] = np.empty((n, *shape), dtype)
                made[name][...] = rows
        if given:
            raise TypeError(f"{cls.__name__} has no column {', '.join(sorted(given))}")
        return cls(**made)

    @classmethod
    def _in_one_block(cls, n: int) -> Self:
        """Blank rows whose columns share one block, widest first: a few fills instead of many."""
        plan = Columns._plans.get(cls)
        if plan is None:
            plan = Columns._plans[cls] = cls._plan()
        row, columns, fills = plan
        block = np.zeros(n * row, np.uint8)
        for dtype, begin, end, value in fills:
            block[n * begin : n * end].view(dtype).fill(value)
        return cls(
            *(np.ndarray((n, *shape), dtype, block, n * begin) for dtype, shape, begin in columns)
        )

    @classmethod
    def _plan(cls) -> tuple[int, list[Any], list[Any]]:
        """Bytes of a row; dtype, shape and place of each column; what is not zero, and where."""
        columns: list[Any] = []
        fills: list[Any] = []
        at = 0
        schema = cls.schema()
        for name, dtype, shape, value in sorted(
            schema, key=lambda c: (-c[1].itemsize, c[1].kind, str(c[3]))
        ):
            end = at + dtype.itemsize * int(np.prod(shape, dtype=int))
            columns.append((name, dtype, shape, at))
            if value != 0:
                last = fills[-1] if fills else None
                if last and last[2] == at and last[0] == dtype and str(last[3]) == str(value):
                    fills[-1] = (dtype, last[1], end, value)
                else:
                    fills.append((dtype, at, end, value))
            at = end
        order = {name: k for k, (name, *_) in enumerate(schema)}
        columns.sort(key=lambda column: order[column[0]])
        return at, [column[1:] for column in columns], fills

    @classmethod
    def _nothing(cls) -> Self:
        """No rows; one instance serves all, for there is nothing in it to change."""
        known = Columns._empties.get(cls)
        if known is None:
            known = cls(**{n: np.zeros((0, *shape), d) for n, d, shape, _ in cls.schema()})
            Columns._empties[cls] = known
        return cast(Self, known)

    @classmethod
    def concat(cls, parts: list[Self]) -> Self:
        """All rows of `parts`, in order."""
        parts = [p for p in parts if len(p)]
        if not parts:
            return cls.blank(0)
        if len(parts) == 1:
            return parts[0]
        return cls(
            **{
                name: np.concatenate([getattr(p, name) for p in parts])
                for name, _, _, _ in cls.schema()
            }
        )

    def take(self, rows: Any) -> Self:
        """Rows by index array, mask or slice."""
        return type(self)(**{name: getattr(self, name)[rows] for name, _, _, _ in self.schema()})

    def __len__(self) -> int:
        name = self.schema()[0][0]
        return int(getattr(self, name).shape[0])
