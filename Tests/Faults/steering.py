# SPDX-License-Identifier: Apache-2.0
# Steers the layer of faults.c: which share of which system calls goes wrong in a process, and what came of it.

import contextlib
import errno
import mmap
import os
import struct
import subprocess
from pathlib import Path

HEADER = struct.Struct("<QQqQ")
RULE = struct.Struct("<16s4IiI5Q")
RULES_MAX = 32
PARTS = 65536
KINDS = ("short", "interrupted", "again", "failed")
SOURCE = Path(__file__).with_name("faults.c")


def build(folder):
    """Compiles the layer; gives its file."""
    library = Path(folder) / "faults.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Layer:
    """The layer of one process: the environment that it is started with, and how it is steered while it runs."""

    def __init__(self, library, folder, binary, seed, is_clock_alone=False):
        self.seed, self.file = seed, Path(folder) / f"faults-{os.urandom(4).hex()}"
        size = HEADER.size + RULES_MAX * RULE.size
        self.file.write_bytes(bytes(size))
        with open(self.file, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), size)
        HEADER.pack_into(self.memory, 0, seed, 0, 0, 0)
        self.environment = {
            "LD_PRELOAD": library, "FAULTS_FILE": self.file, "FAULTS_PROGRAM": os.path.realpath(binary),
        }  # fmt: skip
        if is_clock_alone:
            self.environment["FAULTS_CLOCK_ALONE"] = 1

    def _places(self):
        """The name of each call that can be steered, and where its rule is."""
        for index in range(RULES_MAX):
            place = HEADER.size + index * RULE.size
            name = bytes(self.memory[place:place + 16]).rstrip(b"\0").decode()
            if name:
                yield name, place

    def set(self, call, error=0, **shares):
        """From now on these shares of the calls, from 0 to 1, are `short`, `interrupted`, told to come `again`, or
        `failed` with an error."""
        assert shares.keys() <= set(KINDS) and sum(shares.values()) <= 1
        place = dict(self._places())[call]
        parts = [round(shares.get(kind, 0) * PARTS) for kind in KINDS]
        struct.pack_into("<4Ii", self.memory, place + 16, *parts, error)

    def end(self):
        """No more faults."""
        for call, _ in self._places():
            self.set(call)

    @contextlib.contextmanager
    def faults(self, **rules):
        """Faults for as long as this lasts: each call's name with what `set` takes."""
        for call, rule in rules.items():
            self.set(call, **rule)
        try:
            yield
        finally:
            self.end()

    def counts(self):
        """Of each call that was made: how many, and how many had which fault."""
        found = {}
        for name, place in self._places():
            _, *_, calls, short, interrupted, again, failed = RULE.unpack_from(self.memory, place)
            if calls:
                found[name] = dict(calls=calls, short=short, interrupted=interrupted, again=again, failed=failed)
        return found

    def total(self, kind):
        return sum(count[kind] for count in self.counts().values())

    def step_clock(self, seconds):
        """The wall clock of the process is so much off the real one from now on."""
        struct.pack_into("<q", self.memory, 16, seconds)

    @property
    def clock_reads(self):
        return HEADER.unpack_from(self.memory)[3]


def name_of(error):
    return errno.errorcode[error]
