# SPDX-License-Identifier: Apache-2.0
# A service as there are many: a thread for each request, a little work, and then a wait for something else. It is what
# stands behind Weir in the pods of test_step.py.

import hashlib
import http.server
import signal
import time

WAIT_SECONDS = 0.2
# Some milliseconds of CPU.
ROUNDS = 3000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = hashlib.pbkdf2_hmac("sha256", self.path.encode(), b"salt", ROUNDS).hex().encode()
        time.sleep(WAIT_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def end(*_):
    raise SystemExit(0)


signal.signal(signal.SIGTERM, end)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 3000), Handler)
server.daemon_threads = True
server.serve_forever()
