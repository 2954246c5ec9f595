# SPDX-License-Identifier: Apache-2.0
# A pod that answers as one with Weir does, until it is told to answer garbage (`PUT /say/KIND` at its admin port): for
# requests and for `/queue`. Its probes stay well: a kubelet would keep it.

import json

from answering import Handler, serve_until_told_to_end
from objects import ADMIN_PORT, PORT

LIMIT = 7
READING = dict.fromkeys(
    [
        "utilization", "offered_load", "executing", "queued", "queued_peak", "oldest_seconds", "queue_seconds_total",
        "execution_seconds_total", "arrived_total", "rejected_total", "streams_active",
    ],
    0,
) | {"concurrency_limit": LIMIT, "queue_limit": 70}  # fmt: skip
RIGHT = "right"


def with_length(body, status=b"200 OK"):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


# What it says, and then it closes.
GARBAGE = {
    "bytes": bytes(range(256)) * 16,
    "nothing": b"",
    "a page": with_length(b"<html>It works!</html>"),
    "half": with_length(json.dumps(READING).encode())[:-20],
    "numbers": with_length(json.dumps(READING | {"concurrency_limit": -1}).encode()),
    "other types": with_length(json.dumps(READING | {"queued": "many"}).encode()),
    # Beyond what is taken of an answer.
    "too much": with_length(b'{"utilization": ' + b"1" * (2 << 20) + b"}"),
    "a failure": with_length(b"{}", b"500 Internal Server Error"),
}
says = RIGHT


class Talker(Handler):
    def do_GET(self):
        if self.path in ("/startupz", "/readyz"):
            self.answer(b"ok")
        elif says != RIGHT:
            self.close_connection = True
            self.wfile.write(GARBAGE[says])
        elif self.path == "/queue":
            self.answer(json.dumps(READING).encode())
        else:
            self.answer(b"Hello, world\n")

    def do_PUT(self):
        global says
        says = self.path.removeprefix("/say/").replace("-", " ")
        self.answer(b"ok")


if __name__ == "__main__":
    serve_until_told_to_end(Talker, ("0.0.0.0", ADMIN_PORT), ("0.0.0.0", PORT))
