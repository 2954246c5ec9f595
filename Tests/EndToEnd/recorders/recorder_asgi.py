# SPDX-License-Identifier: Apache-2.0
# An endpoint by uvicorn. It writes down each request that it reads, one JSON object a line, and each message that the
# parser, h11 or httptools, did not understand.
#
# Use: recorder_asgi.py FILE h11|httptools. It prints its port.

import json
import logging
import socket
import sys

import uvicorn


class Recorder(logging.Handler):
    def __init__(self, path):
        super().__init__()
        self.file = open(path, "a", buffering=1)

    def note(self, **entry):
        self.file.write(json.dumps(entry) + "\n")

    def emit(self, record):
        if "Invalid HTTP request" in record.getMessage():
            self.note(fault=record.getMessage())

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "http", scope
        query = scope["query_string"].decode("latin-1")
        target = scope["raw_path"].decode("latin-1") + ("?" + query if query else "")
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        body, whole = b"", True
        # Whoever answers without a look at the body must find the next request behind it all the same.
        more = not target.startswith("/early")
        while more:
            message = await receive()
            whole = message["type"] == "http.request"
            body += message.get("body", b"")
            more = whole and message["more_body"]
        self.note(method=scope["method"], target=target, host=host, body=body.decode("latin-1"), whole=whole)
        headers = [(b"x-read", f"{scope['method']} {target}".encode("latin-1")), (b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"read"})


if __name__ == "__main__":
    recorder = Recorder(sys.argv[1])
    logging.getLogger("uvicorn.error").addHandler(recorder)
    # asyncio sends small pieces at once only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    # Not a connection shall end before the gateway ends it.
    config = uvicorn.Config(
        recorder, http=sys.argv[2], ws="none", lifespan="off", log_config=None, access_log=False,
        timeout_keep_alive=600, server_header=False, h11_max_incomplete_event_size=1 << 20,
    )  # fmt: skip
    uvicorn.Server(config).run([listener])
