# SPDX-License-Identifier: Apache-2.0
"""An endpoint that takes bodies of any size, throws them away, and answers with the count of bytes.

Use: sink.py PORT
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUFFER_BYTES = 1 << 20
HELLO = b"Hello, world\n"


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(HELLO)

    def do_PUT(self) -> None:
        expected = int(self.headers["Content-Length"])
        taken = 0
        with memoryview(bytearray(BUFFER_BYTES)) as buffer:
            while taken < expected:
                count = self.rfile.readinto1(buffer[: expected - taken])
                if not count:
                    break
                taken += count
        self._answer(b"%d\n" % taken)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
