# SPDX-License-Identifier: Apache-2.0
# Clients that take every descriptor there is, first idly and then at work: whom it costs what, and that all of them are
# free again behind it. Each rule by itself is in Tests/EndToEnd/test_descriptors.py.

import contextlib

import pytest

from asking import Crowd, ask, open_to, read_answer
from measures import descriptors
from polling import eventually
from wire import request

pytestmark = pytest.mark.short

DESCRIPTORS = 256
# A sixteenth is kept for files, the log and the admin port.
TAKEN = DESCRIPTORS - DESCRIPTORS // 16
TALKING, IDLE, WAITING, NEW = 4, 1000, 100, 200
PIECE, END = b"5\r\nhello\r\n", b"0\r\n\r\n"


class Upload:
    """A client at work for as long as it likes: its body is sent back piece by piece as it comes."""

    def __init__(self, address):
        self.connection, self.received = open_to(address), b""
        self.connection.sendall(request("/echo", "POST", ["Transfer-Encoding: chunked", "Connection: close"]))

    def talk(self):
        """Sends a piece, and waits until it is back."""
        self.connection.sendall(PIECE)
        while not self.received.endswith(PIECE):
            self.received += self.connection.recv(1 << 16) or pytest.fail("the connection was cut off")
        self.received = b""
        return "back"

    def finish(self):
        """Ends its body; gives what was still to come of its answer."""
        self.connection.sendall(END)
        while piece := self.connection.recv(1 << 16):
            self.received += piece
        self.connection.close()
        return self.received


def test_descriptors_are_exhausted_and_freed(start, figure):
    patient = {"WEIR_DEADLINE": "2m", "WEIR_BODY_TIMEOUT": "2m"}
    server = start(descriptors=DESCRIPTORS, WEIR_LOOPS=1, WEIR_CONNECTIONS=2 * DESCRIPTORS, **patient)
    with contextlib.ExitStack() as stack:
        # Opened while there is one to be had.
        admin = stack.enter_context(contextlib.closing(server.admin_connection()))

        def count(name):
            return int(server.metric(name, admin))

        assert count("weir_connections_open") == 0
        free = descriptors(server)
        crowd = stack.enter_context(Crowd())
        talking = [Upload(server.address) for _ in range(TALKING)]
        for upload in talking:
            stack.callback(upload.connection.close)
            crowd.add("kept", upload.talk)
        crowd.wait_for(100)

        # Idle connections make room for each other, and for those that ask.
        with contextlib.ExitStack() as idle:
            for _ in range(IDLE):
                idle.enter_context(open_to(server.address))
            assert {ask(server.address)[0] for _ in range(NEW)} == {200}
            shed = count("weir_connections_shed_total")
            assert shed >= IDLE - TAKEN
            assert count("weir_connections_accepted_total") == TALKING + IDLE + NEW
        eventually(lambda: count("weir_connections_open") == TALKING, "the idle ones are gone")
        eventually(lambda: descriptors(server) <= free + TALKING, "and their descriptors free")
        shed, pauses = count("weir_connections_shed_total"), count("weir_accept_pauses_total")

        # Those at work make none: accepting pauses, and what comes then waits.
        takers = []
        while count("weir_accept_pauses_total") == pauses:
            assert len(takers) < DESCRIPTORS
            takers.append(Upload(server.address))
            stack.callback(takers[-1].connection.close)
            takers[-1].connection.sendall(PIECE)
            eventually(
                lambda: count("weir_connections_open") == TALKING + len(takers)
                or count("weir_accept_pauses_total") > pauses,
                "it is at work, or waits",
            )
        waiting = [stack.enter_context(open_to(server.address)) for _ in range(WAITING)]
        for connection in waiting:
            connection.sendall(request(headers=["Connection: close"]))
        talked = crowd.count("kept")
        crowd.wait_for(1000)
        talked, taken = crowd.count("kept") - talked, descriptors(server)
        assert TAKEN - 4 <= taken <= TAKEN
        # The last of those that take them is perhaps the first of those that wait.
        accepted = count("weir_connections_accepted_total") - TALKING - IDLE - NEW
        assert accepted in (len(takers), len(takers) - 1)
        assert count("weir_connections_shed_total") == shed

        # They leave, every second one in the middle of its body: who waited is served, and nothing accepted is lost.
        for upload in takers[::2]:
            upload.connection.close()
        for upload in takers[1::2]:
            answer = upload.finish()
            assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n" + PIECE + END), answer
        assert {read_answer(connection)[0] for connection in waiting} == {200}
        assert set(crowd.stop()) == {("kept", "back")}
        assert {upload.finish() for upload in talking} == {END}
        eventually(lambda: descriptors(server) <= free, "all descriptors are free")

        # New ones are served at once, as many as had taken them.
        new = [stack.enter_context(open_to(server.address)) for _ in range(len(takers))]
        for connection in new:
            connection.sendall(request())
        assert {read_answer(connection)[0] for connection in new} == {200}
    figure(
        f"{shed} of {IDLE} idle connections made room, {NEW} of {NEW} new requests served beside them; {taken} of "
        f"{DESCRIPTORS} descriptors taken by {accepted} uploads, {talked} pieces on {TALKING} kept ones meanwhile; "
        f"{len(takers) // 2} of {len(takers) // 2} uploads whole, {WAITING} of {WAITING} that waited served behind; "
        f"then {free} descriptors as before, {len(takers)} of {len(takers)} new connections served"
    )
