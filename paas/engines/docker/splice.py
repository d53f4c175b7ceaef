"""splice(2) with the offset in shared memory, which `os.splice` cannot: the kernel moves the bytes and notes how far, in
one call that no SIGKILL comes in between. It knows nothing of what the bytes are."""

import ctypes
import mmap
import os

_NONBLOCK = 2
_OFFSET_SIZE = 8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.splice.argtypes = (
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_uint,
)
_libc.splice.restype = ctypes.c_ssize_t


class DurableOffset:
    """A number in the first bytes of an open file, which outlives this process at every instant."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._memory = mmap.mmap(file, mmap.PAGESIZE)
        self._value = ctypes.c_int64.from_buffer(self._memory)

    @property
    def value(self) -> int:
        return self._value.value

    @value.setter
    def value(self, offset: int) -> None:
        self._value.value = offset

    def splice(self, target: int, count: int) -> int:
        """Move up to `count` bytes of the file, from the offset on, into a pipe, and the offset with them.

        Returns how many there was room for; raises OSError.
        """
        moved = _libc.splice(self._file, ctypes.addressof(self._value), target, None, count, _NONBLOCK)
        if moved >= 0:
            return int(moved)
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))

    def close(self) -> None:
        """Let go of the memory; the file keeps the number."""
        del self._value
        self._memory.close()
