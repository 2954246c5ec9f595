# SPDX-License-Identifier: Apache-2.0
# A pod that answers as one with Weir does, until it is told to answer garbage (`PUT /say/KIND` at its admin port): for
# requests and for `/queue`. Its probes stay well: a kubelet would keep it.

import http.server
import json
import signal
import threading

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


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path in ("/startupz", "/readyz"):
            self._send(b"ok")
        elif says != RIGHT:
            self.close_connection = True
            self.wfile.write(GARBAGE[says])
        elif self.path == "/queue":
            self._send(json.dumps(READING).encode())
        else:
            self._send(b"Hello, world\n")

    def do_PUT(self):
        global says
        says = self.path.removeprefix("/say/").replace("-", " ")
        self._send(b"ok")

    def _send(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def end(*_):
    raise SystemExit(0)


def serve():
    signal.signal(signal.SIGTERM, end)
    servers = [http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler) for port in (PORT, ADMIN_PORT)]
    for server in servers:
        server.daemon_threads = True
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    servers[1].serve_forever()


if __name__ == "__main__":
    serve()
