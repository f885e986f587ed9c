"""Inverse of a positive definite matrix, the same bits on any number of threads."""

from v2x.columns import F8
from v2x.jit import kernel


@kernel
def invert(A: F8, n: int) -> bool:
    """Inverse of the leading n x n of a positive definite matrix, in place; False if it is none.

    Gauss and Jordan's sweeps along rows, which vectorise; a positive definite matrix needs no
    pivoting, for its pivots are positive. A matrix that is none is left half swept.
    """
    for k in range(n):
        pivot = A[k, k]
        if not pivot > 0.0:
            return False
        A[k, k] = 1.0
        for j in range(n):
            A[k, j] /= pivot
        for i in range(n):
            if i != k:
                f = A[i, k]
                A[i, k] = 0.0
                for j in range(n):
                    A[i, j] -= f * A[k, j]
    for i in range(n):
        for j in range(i):
            A[i, j] = A[j, i]
    return True
