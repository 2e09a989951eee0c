"""Bytes -> a zlib stream, written by several threads in independent blocks: the way to compress large files.

Any zlib reader can read the stream. Each block begins without the memory of the one before, which costs about
one byte in a thousand, and a block without repetitions is coded without a search for them, which makes it no
larger and takes a quarter of the time. Other blocks use level 6, the usual one.
"""

import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

LEVEL = 6
BLOCK = 4 * 2**20  # bytes
LOOK = 64 * 2**10  # bytes in the middle of a block that decide how it is coded
HEADER, END = b"\x78\x9c", b"\x03\x00"  # of a zlib stream at the usual level; an empty last block


def deflated(
    pieces: Iterable[bytes | memoryview], *, block: int = BLOCK, threads: int | None = None
) -> Iterator[bytes]:
    """Yield the parts of a zlib stream with the pieces one after another; few blocks are in memory at once.

    >>> zlib.decompress(b"".join(deflated([b"abc" * 5, b"d"], block=4)))
    b'abcabcabcabcabcd'

    Args:
        block: bytes that are compressed at once, independently of the others.
        threads: maximum number; by default, the number of processors for this process.
    """
    workers = threads or _processors()
    checksum, waiting = 1, deque[Future[bytes]]()
    yield HEADER
    with ThreadPoolExecutor(workers) as pool:  # zlib lets other threads run while it works
        for data in _blocks(pieces, block):
            checksum = zlib.adler32(data, checksum)
            waiting.append(pool.submit(_compressed, data))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    yield END + checksum.to_bytes(4, "big")


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _blocks(pieces: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """Yield the same bytes in blocks of one size, of which the last may be smaller."""
    held = bytearray()
    for piece in pieces:
        start = 0
        while start < len(piece):
            taken = piece[start : start + size - len(held)]
            start += len(taken)
            held += taken
            if len(held) == size:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def _compressed(data: bytes) -> bytes:
    """Return a block that ends on a whole byte, so that another may follow."""
    middle = max(0, (len(data) - LOOK) // 2)
    look = data[middle : middle + LOOK]
    plain = len(_raw(look, zlib.Z_HUFFMAN_ONLY)) <= len(_raw(look, zlib.Z_DEFAULT_STRATEGY))
    return _raw(data, zlib.Z_HUFFMAN_ONLY if plain else zlib.Z_DEFAULT_STRATEGY)


def _raw(data: bytes, strategy: int) -> bytes:
    coder = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return coder.compress(data) + coder.flush(zlib.Z_SYNC_FLUSH)
