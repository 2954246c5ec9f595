# SPDX-License-Identifier: Apache-2.0
# What stands behind the gateway: an endpoint over plain sockets that does what a test's script says, and one in a
# process of its own that can be stopped, killed and started again. Run as a program, it is the latter.

import collections
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from polling import PATIENCE_SECONDS, eventually

LINGER_RESET = b"\x01\0\0\0\0\0\0\0"
PIECE = bytes(range(256)) * 256


def answer(body=b"ok", status="200 OK", headers=(), length=True):
    """The bytes of a well-formed response."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Received:
    """One request as it arrived, byte by byte."""

    head: bytes
    method: str
    target: str
    version: str
    headers: list
    # The number of its connection, from 0 on, and of the request on it.
    connection: int
    number: int
    body: bytes = b""
    trailers: list = field(default_factory=list)
    chunks: list = field(default_factory=list)

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name):
        values = self.values(name)
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None


class Ended(Exception):
    """The gateway ended the connection where more was due."""


class Peer:
    """An accepted connection, in the hands of a script. Everything that a script waits for has an end."""

    def __init__(self, upstream, connection, number):
        self.upstream, self.socket, self.number = upstream, connection, number
        self.socket.settimeout(PATIENCE_SECONDS)
        if connection.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Bodies of many MiB come in small pieces: this grows without being copied each time.
        self.rest = bytearray()
        self.served = 0

    def receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise Ended
        self.rest += data

    def take(self, count):
        while len(self.rest) < count:
            self.receive()
        taken = bytes(memoryview(self.rest)[:count])
        del self.rest[:count]
        return taken

    def take_until(self, text):
        while text not in self.rest:
            self.receive()
        return self.take(self.rest.index(text) + len(text))

    def head(self):
        """Reads a head, and notes the request as arrived. The body is the script's to read."""
        if not self.rest:
            # An unused connection may be kept for as long as the test lasts.
            self.socket.settimeout(None)
            self.receive()
            self.socket.settimeout(PATIENCE_SECONDS)
        head = self.take_until(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers = [tuple(line.split(": ", 1)) for line in lines]
        assert all(len(pair) == 2 for pair in headers), head
        request = Received(head, method, target, version, headers, self.number, self.served)
        self.served += 1
        self.upstream._note(request)
        return request

    def body(self, request):
        """Reads the request's body; it must be framed without doubt."""
        lengths, codings = request.values("content-length"), request.values("transfer-encoding")
        assert len(lengths) + len(codings) <= 1, request.head
        if codings:
            assert codings == ["chunked"], request.head
            while size := int(self.take_until(b"\r\n").split(b";")[0], 16):
                request.chunks.append(self.take(size))
                assert self.take(2) == b"\r\n"
            while (line := self.take_until(b"\r\n")) != b"\r\n":
                request.trailers.append(tuple(line[:-2].decode().split(": ", 1)))
            request.body = b"".join(request.chunks)
        elif lengths:
            request.body = self.take(int(lengths[0]))
        return request

    def request(self):
        return self.body(self.head())

    def send(self, data):
        self.socket.sendall(data)

    def send_bytewise(self, data):
        for index in range(len(data)):
            self.socket.sendall(data[index : index + 1])
            # Segments of one byte, as far as the kernel's part goes.
            time.sleep(0)

    def wait(self, event):
        assert event.wait(PATIENCE_SECONDS), "the test never came to its point"

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        self.close()

    def end(self):
        """Says that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def wait_for_end(self):
        """Reads on until the gateway ends or resets the connection; gives what came before."""
        with contextlib.suppress(Ended, ConnectionResetError, BrokenPipeError):
            while True:
                self.receive()
        return self.rest


def serve_all(peer):
    """The script that answers every request with 200."""
    while True:
        peer.request()
        peer.send(answer())


def replying(*replies):
    """A script that answers the requests of a connection with these bytes in turn, and then closes it."""

    def script(peer):
        for reply in replies:
            peer.request()
            peer.send(reply)

    return script


def repeating(reply):
    """A script that answers every request with these bytes."""

    def script(peer):
        while True:
            peer.request()
            peer.send(reply)

    return script


class Upstream:
    """An endpoint on a port of its own. Each connection runs the script in a thread; when it returns, the connection is
    closed. A script that fails, fails the test."""

    def __init__(self, script=serve_all, port=0, receive_buffer=None, family=socket.AF_INET, address=None):
        self.script = script
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind(address or ("127.0.0.1", port))
        self.listener.listen(512)
        self.name = self.listener.getsockname()
        self.requests, self.connections, self.faults = [], [], []
        self.ends = collections.Counter()
        self.changed = threading.Condition()
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    @property
    def port(self):
        return self.name[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}" if self.listener.family == socket.AF_INET else f"unix:{self.name}"

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                peer = Peer(self, connection, len(self.connections))
                self.connections.append(peer)
                self.changed.notify_all()
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer):
        try:
            self.script(peer)
        except (Ended, OSError) as error:
            if isinstance(error, TimeoutError):
                self.faults.append(error)
        except Exception as error:
            self.faults.append(error)
        finally:
            with self.changed:
                self.ends[peer.number] += 1
                self.changed.notify_all()
            with contextlib.suppress(OSError):
                peer.close()

    def _note(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def _wait_for(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_SECONDS), what

    def wait_for_requests(self, count):
        self._wait_for(lambda: len(self.requests) >= count, f"{count} requests; there are {len(self.requests)}")
        return self.requests[:count]

    def wait_for_connections(self, count):
        self._wait_for(lambda: len(self.connections) >= count, f"{count} connections; {len(self.connections)} came")

    def wait_for_end(self, number=0):
        """Until the script of a connection has ended: the gateway has ended it, or the script was through."""
        self._wait_for(lambda: self.ends[number], f"the end of connection {number}")

    @property
    def open_count(self):
        return len(self.connections) - len(self.ends)

    @property
    def targets(self):
        return [request.target for request in self.requests]

    def stop_listening(self):
        """From now on connections are refused."""
        # Closing alone leaves the listener to the thread that accepts.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join(PATIENCE_SECONDS)

    def end_connections(self):
        for peer in self.connections:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Ends the listener and all connections; fails if a script has failed."""
        self.stop_listening()
        self.end_connections()
        if self.faults:
            raise self.faults[0]


def unused_port():
    """A port that nobody listens on, and that the kernel will not give away soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class UpstreamProcess:
    """An HTTP server in a process of its own, for what only happens to processes."""

    program = Path(__file__)

    def __init__(self, port=0):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, self.program, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.process.stdout.readline())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        """The kernel still takes connections and bytes, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)
        eventually(lambda: self._state() == "T", "the upstream has stopped")

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def _state(self):
        return Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1][0]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def restart(self):
        """Killed, and started again on the same port."""
        if self.process.poll() is None:
            self.kill()
        self.__init__(self.port)

    def close(self):
        if self.process.poll() is None:
            self.kill()


class Handler(BaseHTTPRequestHandler):
    """GET /bytes/N gives N bytes, any other the process id; POST counts the body's bytes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body):
        # In one piece: whoever is stopped has sent all of it or nothing.
        self.wfile.write(answer(body))

    def do_GET(self):
        target = urllib.parse.urlsplit(self.path)
        if target.path.startswith("/bytes/"):
            left = int(target.path.rsplit("/", 1)[1])
            self.send_response(200)
            self.send_header("Content-Length", str(left))
            self.end_headers()
            while left:
                left -= self.wfile.write(PIECE[:left] if left < len(PIECE) else PIECE)
        else:
            self.answer(str(os.getpid()).encode())

    def do_POST(self):
        count, left = 0, int(self.headers["Content-Length"])
        while left and (data := self.rfile.read1(min(left, 1 << 16))):
            count, left = count + len(data), left - len(data)
        self.answer(str(count).encode())


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    listener = Listener(("127.0.0.1", int(sys.argv[1])), Handler)
    print(listener.server_port, flush=True)
    listener.serve_forever()
