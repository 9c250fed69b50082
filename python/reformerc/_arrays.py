"""Arrays in and out: checked, never copied. What has no NumPy array comes through DLPack or as a sequence of numbers."""

import ctypes as c
from collections.abc import Sequence
from typing import Any, Protocol, Union

import numpy as np
import numpy.typing as npt

from ._errors import InputError


class SupportsDLPack(Protocol):
    """An array of another library, in this process's memory."""

    def __dlpack__(self) -> Any: ...


Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
#: What a call reads: an array that has the type it is to have, or nested sequences of numbers.
ArrayLike = Union[Array, SupportsDLPack, Sequence[Any]]

# ---- DLPack: the structures of dlpack.h, as they were before version 1 --------------------------------------


class _DLTensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("device_type", c.c_int32),
        ("device_id", c.c_int32),
        ("ndim", c.c_int32),
        ("code", c.c_uint8),
        ("bits", c.c_uint8),
        ("lanes", c.c_uint16),
        ("shape", c.POINTER(c.c_int64)),
        ("strides", c.POINTER(c.c_int64)),
        ("byte_offset", c.c_uint64),
    ]


_Deleter = c.CFUNCTYPE(None, c.c_void_p)


class _DLManagedTensor(c.Structure):
    _fields_ = [
        ("tensor", _DLTensor),
        ("manager_ctx", c.c_void_p),
        ("deleter", c.c_void_p),
    ]


_CPU = 1
_BFLOAT16 = (4, 16)
_TYPES = {
    (0, 8): "i1",
    (0, 32): "<i4",
    (0, 64): "<i8",
    (1, 8): "u1",
    (1, 16): "<u2",
    (2, 16): "<f2",
    (2, 32): "<f4",
    (2, 64): "<f8",
    _BFLOAT16: "<u2",
    (6, 8): "|b1",
}
_NAME, _USED = c.create_string_buffer(b"dltensor"), c.create_string_buffer(b"used_dltensor")
_get = c.pythonapi.PyCapsule_GetPointer
_get.restype, _get.argtypes = c.c_void_p, [c.py_object, c.c_void_p]
_rename = c.pythonapi.PyCapsule_SetName
_rename.restype, _rename.argtypes = c.c_int, [c.py_object, c.c_void_p]


class _Borrowed:
    """Memory of another library: given back when no array looks at it any more."""

    def __init__(self, value: SupportsDLPack, name: str) -> None:
        self._address = 0
        try:
            capsule = value.__dlpack__()
        except Exception as problem:  # "Can't export tensors that require gradient, use tensor.detach()"
            raise InputError(f"{name}: {problem}") from problem
        try:
            address = int(_get(capsule, c.addressof(_NAME)))
        except (ValueError, TypeError) as problem:
            raise InputError(f"{name}: {problem}") from problem
        managed = _DLManagedTensor.from_address(address)
        self.tensor = managed.tensor
        kind = (self.tensor.code, self.tensor.bits)
        if self.tensor.device_type != _CPU:
            raise InputError(f"{name}: its memory is not the CPU's")
        if kind not in _TYPES or self.tensor.lanes != 1:
            raise InputError(f"{name}: a type of DLPack's that is none here: {kind}")
        _rename(capsule, c.addressof(_USED))
        self._address = address
        self.bfloat16 = kind == _BFLOAT16
        rank, size = self.tensor.ndim, self.tensor.bits // 8
        strides = self.tensor.strides
        self.__array_interface__ = {
            "version": 3,
            "typestr": _TYPES[kind],
            "shape": tuple(self.tensor.shape[:rank]),
            "strides": tuple(s * size for s in strides[:rank]) if strides else None,
            "data": ((self.tensor.data or 0) + self.tensor.byte_offset, False),
        }

    def __del__(self) -> None:
        if self._address:
            managed = _DLManagedTensor.from_address(self._address)
            self._address = 0
            if managed.deleter:
                _Deleter(managed.deleter)(c.addressof(managed))


def array_of(value: object, name: str) -> tuple[Array, bool]:
    """A NumPy array over the memory of a value, and whether its 16 bits are a bfloat16."""
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.name == "bfloat16":  # of ml_dtypes: NumPy has none
            return value.view(np.uint16), True
        return value, False
    if hasattr(value, "__dlpack__"):
        borrowed = _Borrowed(value, name)
        return np.asarray(borrowed), borrowed.bfloat16
    raise InputError(f"{name}: {type(value).__name__} is neither an array nor has it __dlpack__")


# ---- checks --------------------------------------------------------------------------------------------------

#: A number per dimension: its size, or None where any will do.
Shape = tuple[Union[int, None], ...]


def _show(shape: Sequence[Union[int, None]]) -> str:
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"


def _converted(value: Sequence[Any], dtype: np.dtype[Any], name: str) -> Array:
    """Python's numbers become an array of the type, where they fit."""
    try:
        array = np.array(value)
        if array.dtype.kind not in ("iub" if dtype.kind in "iu" else "iubf"):
            raise InputError(f"{name}: {array.dtype.name} numbers, not {dtype.name}")
        if array.size and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            if array.min() < limits.min or array.max() > limits.max:
                raise InputError(f"{name}: a number that no {dtype.name} holds")
        return array.astype(dtype)
    except (ValueError, TypeError, OverflowError) as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"{name}: no array of numbers: {problem}") from problem


def _typed(array: Array, dtype: np.dtype[Any], name: str) -> Array:
    if dtype == np.uint8 and array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.dtype != dtype or not array.dtype.isnative:
        raise InputError(
            f"{name}: of type {array.dtype.name}, not {dtype.name}; .astype('{dtype.name}') makes a copy that is"
        )
    return array


def _shaped(array: Array, shape: Shape, name: str) -> Array:
    if array.ndim != len(shape) or any(s is not None and s != n for s, n in zip(shape, array.shape)):
        raise InputError(f"{name}: of shape {_show(array.shape)}, not {_show(shape)}")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise InputError(f"{name}: not contiguous in memory; numpy.ascontiguousarray makes a copy that is")
    return array


def taken(value: ArrayLike, dtype: Any, shape: Shape, name: str) -> Array:
    """A value to read, as a contiguous array of this type and shape over the same memory."""
    kind = np.dtype(dtype)
    if isinstance(value, (str, bytes)):
        raise InputError(f"{name}: {type(value).__name__} is no array of numbers")
    if isinstance(value, Sequence):
        return _shaped(_converted(value, kind, name), shape, name)
    array, bfloat16 = array_of(value, name)
    if bfloat16:
        raise InputError(f"{name}: of type bfloat16, not {kind.name}")
    return _shaped(_typed(array, kind, name), shape, name)


def given(value: object, shape: Shape, name: str) -> Floats:
    """An array of float32 that a call may write."""
    array, bfloat16 = array_of(value, name)
    if bfloat16 or array.dtype == np.bool_:
        raise InputError(f"{name}: not of type float32")
    array = _shaped(_typed(array, np.dtype(np.float32), name), shape, name)
    if not array.flags.writeable:
        raise InputError(f"{name}: read-only")
    return array


def rows_of_ids(value: ArrayLike, name: str = "input_ids") -> Array:
    """Token ids [batch][length]; a single row may be [length]."""
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        array = _converted(value, np.dtype(np.int32), name)
    else:
        array = array_of(value, name)[0]
    if array.ndim == 1:
        array = array.reshape(1, -1)
    array = taken(array, np.int32, (None, None), name)
    if array.size == 0:
        raise InputError(f"{name}: of shape {_show(array.shape)}: there is nothing in it")
    return array


def address(array: Union[Array, None]) -> Union[int, None]:
    return None if array is None else array.ctypes.data


def aligned_floats(bytes_: int) -> Floats:
    """Memory for floats, aligned to 64 bytes."""
    room = np.empty(bytes_ + 64, np.uint8)
    at = -room.ctypes.data % 64
    return room[at : at + bytes_].view(np.float32)


def whole(value: Any, name: str, least: int, most: int) -> int:
    try:
        number = int(value.__index__())
    except (AttributeError, TypeError):
        raise InputError(f"{name}: {value!r} is no whole number") from None
    if not least <= number <= most:
        raise InputError(f"{name}: {number} is not from {least} to {most}")
    return number
