# SPDX-License-Identifier: Apache-2.0
# What the small servers of these tests have in common: an answer with its length, no lines of their own, and for those
# that run in a pod, the end at SIGTERM.

import http.server
import signal
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, **fields):
        """200 with this body; an underscore in a field's name is a hyphen."""
        self.send_response(200)
        for name, value in {**fields, "Content_Length": len(body)}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True


def serve_until_told_to_end(handler, *addresses):
    """As the process of a container: SIGTERM ends it, whatever it is doing."""
    signal.signal(signal.SIGTERM, _end)
    first, *others = [Listener(address, handler) for address in addresses]
    for other in others:
        threading.Thread(target=other.serve_forever, daemon=True).start()
    first.serve_forever()


def _end(*_):
    raise SystemExit(0)
