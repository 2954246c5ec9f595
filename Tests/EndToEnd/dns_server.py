# SPDX-License-Identifier: Apache-2.0
# A name server of the test's own, by UDP and TCP on one loopback port: what it knows changes while it runs.

import socket
import struct
import threading

from dnslib import QTYPE, RCODE, RR, DNSRecord

from polling import eventually


class DNSServer:
    """Answers from a zone; whatever is not in it does not exist."""

    def __init__(self):
        self.lock = threading.Lock()
        self.zone = {}
        self.silent = set()
        self.truncated = set()
        self.asked = []
        self.port = 0
        self.sockets = []
        self.threads = []
        self.start()

    @property
    def address(self):
        """As WEIR_DNS_SERVERS wants it."""
        return f"127.0.0.1:{self.port}"

    # What it knows.

    def set(self, name, *records, ttl=1, truncated=False):
        """Replaces all that `name` has: texts as "A 10.0.0.1", "AAAA fd00::1", "SRV 0 5 8080 a.test."."""
        name = name.rstrip(".") + "."
        lines = [f"{name} {ttl} IN {record}" for record in records]
        with self.lock:
            self.zone[name] = [rr for line in lines for rr in RR.fromZone(line)]
            self.silent.discard(name)
            self.truncated.discard(name)
            if truncated:
                self.truncated.add(name)

    def remove(self, name):
        """From now on there is no such name."""
        with self.lock:
            self.zone.pop(name.rstrip(".") + ".", None)

    def silence(self, name):
        """Questions for `name` are not answered, until it is set again."""
        with self.lock:
            self.silent.add(name.rstrip(".") + ".")

    def questions(self, name, protocol=None):
        """The kinds of records that were asked for, in order."""
        name = name.rstrip(".") + "."
        with self.lock:
            return [kind for asked, kind, by in self.asked if asked == name and protocol in (None, by)]

    def wait_for_question(self, name):
        """Returns when `name` has been asked for once more."""
        before = len(self.questions(name))
        eventually(lambda: len(self.questions(name)) > before, f"{name} is asked for")

    # Dead and back.

    def start(self):
        """Listens, at the port where it listened before."""
        while True:
            stream = socket.create_server(("127.0.0.1", self.port))
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            port = stream.getsockname()[1]
            try:
                datagrams.bind(("127.0.0.1", port))
                break
            except OSError:
                # The kernel's choice for TCP may be taken for UDP.
                stream.close()
                datagrams.close()
                if self.port:
                    raise
        self.port = port
        self.sockets = [stream, datagrams]
        self.run(self.serve_datagrams, datagrams)
        self.run(self.serve_stream, stream)

    def stop(self):
        """From now on nobody is there: datagrams are refused, and so are connections."""
        for each in self.sockets:
            try:
                # Wakes whoever waits for it.
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        for thread in self.threads:
            thread.join()
        self.sockets, self.threads = [], []

    close = stop

    # Answering.

    def run(self, serve, *arguments):
        thread = threading.Thread(target=serve, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def serve_datagrams(self, datagrams):
        while True:
            try:
                query, client = datagrams.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            reply = self.reply(query, "udp")
            if reply:
                datagrams.sendto(reply, client)

    def serve_stream(self, stream):
        while True:
            try:
                connection, _ = stream.accept()
            except OSError:
                return
            self.sockets.append(connection)
            self.run(self.serve_connection, connection)

    def serve_connection(self, connection):
        """Several questions on one connection, as RFC 7766 wants it."""
        with connection, connection.makefile("rb") as queries:
            try:
                while length := queries.read(2):
                    reply = self.reply(queries.read(struct.unpack("!H", length)[0]), "tcp")
                    if reply:
                        connection.sendall(struct.pack("!H", len(reply)) + reply)
            except OSError:
                return

    def reply(self, query, protocol):
        request = DNSRecord.parse(query)
        name = str(request.q.qname).lower()
        kind = QTYPE[request.q.qtype]
        reply = request.reply()
        with self.lock:
            self.asked.append((name, kind, protocol))
            if name in self.silent:
                return None
            if name not in self.zone:
                reply.header.rcode = RCODE.NXDOMAIN
            elif name in self.truncated and protocol == "udp":
                reply.header.tc = 1
            else:
                reply.add_answer(*(rr for rr in self.zone[name] if QTYPE[rr.rtype] in (kind, "CNAME")))
        return reply.pack()
