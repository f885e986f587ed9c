"""The sum over eight motion modes as a fixed tree, a vector at a time.

The compiler must not choose the order of a sum, so it would add eight numbers one by one. Folding
the vector of eight onto itself three times is a tree too, always the same one, and half the work.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from v2x.columns import F8

_DOUBLE = ir.DoubleType()


def sum_of_eight(p: F8, q: int) -> float:
    """``p[q:q + 8]`` of a C-contiguous array taken as flat, halves added until one is left."""
    v = p.reshape(-1)
    even = (v[q] + v[q + 4]) + (v[q + 2] + v[q + 6])
    return float(even + ((v[q + 1] + v[q + 5]) + (v[q + 3] + v[q + 7])))


def _vectors(typing: Any, p: Any, q: Any) -> Any:
    """`sum_of_eight` as vector instructions, for Numba."""
    if not (isinstance(p, types.Array) and p.layout == "C" and p.dtype == types.float64):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        spot = builder.gep(data, [args[1]])
        eight = builder.bitcast(spot, ir.VectorType(_DOUBLE, 8).as_pointer())
        v = builder.load(eight)
        v.align = 8
        for half in (4, 2, 1):
            low, high = (
                builder.shuffle_vector(v, v, _lanes(range(first, first + half)))
                for first in (0, half)
            )
            v = builder.fadd(low, high)
        return builder.extract_element(v, ir.Constant(ir.IntType(32), 0))

    return types.float64(p, types.intp), generate


_fold: Any = intrinsic(_vectors)


def _lanes(numbers: range) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))


@overload(sum_of_eight, inline="always")
def _compiled(p: Any, q: Any) -> Any:
    def body(p: Any, q: Any) -> Any:
        return _fold(p, q)

    return body
