# SPDX-License-Identifier: Apache-2.0
# A journal as libsystemd sees one: a socket at a fixed path, here in a /run that nobody else sees. Run as a program
# within such a namespace it takes entries, and prints each as a line of JSON; the rest of its arguments is a command
# that it runs meanwhile, whose end ends it.

import json
import os
import socket
import struct
import subprocess
import sys
import threading

PATH = "/run/systemd/journal/socket"


def within(command):
    """The command line that runs `command` beside a journal of its own."""
    here = [sys.executable, os.path.abspath(__file__), *command]
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", *here]


def fields(entry):
    """The fields of the journal's export format: `NAME=value`, or a name, a length and bytes where lines are within."""
    found = {}
    while entry:
        line, entry = entry.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, (length,) = line, struct.unpack("<Q", entry[:8])
            value, entry = entry[8 : 8 + length], entry[8 + length + 1 :]
        found[name.decode()] = value.decode()
    return found


def serve(command):
    os.makedirs(os.path.dirname(PATH))
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(PATH)
    # JOURNAL_STREAM names the pipe that is the command's standard error.
    status = os.fstat(2)
    environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    process = subprocess.Popen(command, env=environment)

    def take():
        while entry := journal.recv(1 << 20):
            print(json.dumps(fields(entry)), flush=True)

    taker = threading.Thread(target=take)
    taker.start()
    code = process.wait()
    # An empty datagram behind the last entry ends the thread.
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"", PATH)
    taker.join()
    return code


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:]))
