# SPDX-License-Identifier: Apache-2.0
# An endpoint in a process of its own that goes wrong in the way that it is told to, for as long as it is told to. Run
# as a program, it is that process.

import contextlib
import socket
import sys
import threading
import time
from pathlib import Path

from upstream import LINGER_RESET, Handler, Listener, UpstreamProcess, answer

CUT = answer(b"x" * 1000)[:-900]


class FaultyProcess(UpstreamProcess):
    """Well at first, and whenever it was started again."""

    program = Path(__file__)

    def become(self, fault, *arguments):
        """From the next request on it has this fault; `well` is none."""
        print(fault, *arguments, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "so be it\n"


class FaultyHandler(Handler):
    fault = ("well",)

    def do_GET(self):
        name, *arguments = self.fault
        getattr(self, name)(*arguments)

    def well(self):
        super().do_GET()

    def slow(self, seconds):
        time.sleep(float(seconds))
        self.well()

    def refuse(self):
        self.wfile.write(answer(b"no", status="429 Too Many Requests"))

    def refuse_checks(self):
        if self.path == "/healthz":
            self.wfile.write(answer(b"ill", status="500 Internal Server Error"))
        else:
            self.well()

    def say(self, data):
        """The last that it says on the connection, which it leaves open until the other side ends it."""
        self.close_connection = True
        self.wfile.write(data)

    def end(self, data=b""):
        """Its half of the connection only."""
        self.say(data)
        self.connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while self.rfile.read1():
                pass

    def reset(self, data=b""):
        self.say(data)
        # The handler's files keep a socket open that is closed under them, and the server would end it in good order.
        with socket.socket(fileno=self.connection.detach()) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)

    def end_in_head(self):
        self.end(CUT[:30])

    def end_in_body(self):
        self.end(CUT)

    def reset_in_head(self):
        self.reset(CUT[:30])

    def reset_in_body(self):
        self.reset(CUT)

    def close_in_body(self):
        self.say(CUT)

    def nonsense(self):
        self.say(b"220 mail.example ESMTP\r\n\r\n")

    def two_lengths(self):
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk")

    def more_than_it_says(self):
        self.say(answer() + answer(b"nobody's", status="404 Smuggled"))


def obey():
    for line in sys.stdin:
        FaultyHandler.fault = tuple(line.split())
        print("so be it", flush=True)


if __name__ == "__main__":
    listener = Listener(("127.0.0.1", int(sys.argv[1])), FaultyHandler)
    print(listener.server_port, flush=True)
    threading.Thread(target=obey, daemon=True).start()
    listener.serve_forever()
