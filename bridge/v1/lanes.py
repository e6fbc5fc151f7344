"""Rows of LANES numbers as values on which numba computes lane by lane, with vector instructions.

numba has no vector type, and it vectorises a loop only if its compiler can prove that no two slices
overlap. `load` and `store` move row i of an array (n, LANES); `+`, `-` and `*` operate on rows, and `*` also
on a number and a row. Nothing is reordered or contracted: each lane yields the same result as scalar code.
numba's cache of the kernel depends only on the date of kernel.py: after a change here, update LANES_SHA256 there.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload, register_model

LANES = 8
"""Signals side by side: the doubles of an AVX-512 register; other processors need several instructions per row."""
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class _Lanes(types.Type):
    """The numba type of a row."""

    def __init__(self):
        super().__init__("Lanes")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, numba_type):
        super().__init__(manager, numba_type, _VECTOR)


def _pointer(context, builder, array_type, array, row):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [builder.mul(row, row.type(LANES))]), _VECTOR.as_pointer())


@intrinsic
def load(typing, rows, row):
    """Load row number `row` of an array."""

    def generate(context, builder, signature, args):
        return builder.load(_pointer(context, builder, signature.args[0], *args), align=8)

    return _lanes(rows, types.intp), generate


@intrinsic
def store(typing, rows, row, value):
    """Store a value in row number `row` of an array."""

    def generate(context, builder, signature, args):
        array, number, vector = args
        builder.store(vector, _pointer(context, builder, signature.args[0], array, number), align=8)
        return context.get_dummy_value()

    return types.none(rows, types.intp, _lanes), generate


@intrinsic
def spread(typing, number):
    """Put a number in every lane."""

    def generate(context, builder, signature, args):
        one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], ir.IntType(32)(0))
        return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return _lanes(types.float64), generate


def _define(function, instruction):
    @intrinsic
    def on_rows(typing, a, b):
        def generate(context, builder, signature, args):
            return getattr(builder, instruction)(*args)

        return _lanes(_lanes, _lanes), generate

    @overload(function)
    def typed(a, b):
        if a is _lanes and b is _lanes:
            return lambda a, b: on_rows(a, b)
        if isinstance(a, types.Float) and b is _lanes:
            return lambda a, b: on_rows(spread(a), b)
        return None


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
