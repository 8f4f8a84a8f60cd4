# SPDX-License-Identifier: Apache-2.0
"""nbdkit plugin: a disk with a volatile write cache. Data written since the last flush are in
memory only. When nbdkit exits, the file VERDICT decides which of them survive, as a power cut would:

  {"mode": "all"}                 nothing is lost (also when there is no file: an orderly end)
  {"mode": "none"}                all of it is lost
  {"mode": "prefix", "seed": S}   the first so many writes arrived
  {"mode": "subset", "seed": S}   each write has arrived or not, in any order
  {"mode": "torn", "seed": S}     each piece of each write has

Parameters: file=DISK verdict=FILE stats=FILE. What happened is written to STATS at the end."""

import json
import os
import random

import nbdkit

API_VERSION = 2
BLOCK = 4096
TORN_SIZES = (512, 4096)

parameters = {}
disk = -1
waiting = []  # (offset, bytes) in the order of the writes, none of them flushed
newest = {}  # block number: its content with all that is waiting
counts = {"writes": 0, "flushes": 0, "fua": 0}


def config(key, value):
    parameters[key] = value


def config_complete():
    for key in ("file", "verdict", "stats"):
        if key not in parameters:
            raise RuntimeError(f"parameter {key}= is missing")


def get_ready():
    global disk
    disk = os.open(parameters["file"], os.O_RDWR | os.O_CLOEXEC)


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    return 1


def get_size(_handle):
    return os.fstat(disk).st_size


def can_flush(_handle):
    return True


def can_fua(_handle):
    return nbdkit.FUA_NATIVE


def can_multi_conn(_handle):
    return False


def pread(_handle, buf, offset, _flags):
    end = offset + len(buf)
    os.preadv(disk, [buf], offset)
    if not newest:
        return
    for number in range(offset // BLOCK, (end + BLOCK - 1) // BLOCK):
        block = newest.get(number)
        if block is not None:
            start = number * BLOCK
            a, b = max(start, offset), min(start + BLOCK, end)
            buf[a - offset:b - offset] = block[a - start:b - start]


def remember(offset, data):
    end = offset + len(data)
    for number in range(offset // BLOCK, (end + BLOCK - 1) // BLOCK):
        start = number * BLOCK
        a, b = max(start, offset), min(start + BLOCK, end)
        if b - a == BLOCK:
            newest[number] = bytearray(data[a - offset:b - offset])
            continue
        block = newest.get(number)
        if block is None:
            block = newest[number] = bytearray(os.pread(disk, BLOCK, start))
        block[a - start:b - start] = data[a - offset:b - offset]


def forget(start, end):
    """A write that is durable at once outdoes all that wait for the same place."""
    kept = []
    for offset, data in waiting:
        if offset < start:
            kept.append((offset, data[:start - offset]))
        if offset + len(data) > end:
            first = max(offset, end)
            kept.append((first, data[first - offset:]))
    waiting[:] = kept


def pwrite(_handle, buf, offset, flags):
    data = bytes(buf)
    counts["writes"] += 1
    remember(offset, data)
    if flags & nbdkit.FLAG_FUA:
        counts["fua"] += 1
        forget(offset, offset + len(data))
        os.pwrite(disk, data, offset)
    else:
        waiting.append((offset, data))


def flush(_handle, _flags):
    counts["flushes"] += 1
    apply(waiting)
    waiting.clear()
    newest.clear()


def apply(writes):
    for offset, data in writes:
        os.pwrite(disk, data, offset)


def pieces(writes, size):
    for offset, data in writes:
        while data:
            # the first block holds the file system's superblock, which fits in one physical sector
            n = BLOCK if offset < BLOCK else size - offset % size
            yield offset, data[:n]
            offset, data = offset + n, data[n:]


def survivors(mode, seed):
    chance = random.Random(seed)
    if mode == "none":
        return []
    if mode == "prefix":
        return waiting[:chance.randint(0, len(waiting))]
    if mode == "all":
        return waiting
    share = chance.choice((0.1, 0.5, 0.9))
    writes = waiting
    if mode == "torn":
        writes = list(pieces(waiting, chance.choice(TORN_SIZES)))
    return [write for write in writes if chance.random() < share]


def cleanup():
    verdict = {"mode": "all"}
    if os.path.exists(parameters["verdict"]):
        with os.fdopen(os.open(parameters["verdict"], os.O_RDONLY)) as file:
            verdict = json.load(file)
    kept = survivors(verdict["mode"], verdict.get("seed"))
    apply(kept)
    counts["unflushed"] = len(waiting)
    counts["unflushed_bytes"] = sum(len(data) for _, data in waiting)
    counts["kept_bytes"] = sum(len(data) for _, data in kept)
    fd = os.open(parameters["stats"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, json.dumps(counts).encode())
    os.close(fd)
