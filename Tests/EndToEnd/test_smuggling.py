# SPDX-License-Identifier: Apache-2.0
# Ambiguous messages through the gateway to servers that others wrote: each of them reads the messages that we read, and
# no other.

import itertools

import pytest

from corpus import CORPUS, FAMILIES
from corpus.case import BROKEN, NEXT, NEXT_READ, Message
from recorders import RECORDERS
from server import GATEWAY, Server
from wire import request


class Place:
    """A gateway with one loop in front of a recorder: whatever is left on a connection meets the next request."""

    def __init__(self, recorder):
        self.recorder = recorder
        self.gateway = Server({"WEIR_UPSTREAM": recorder.url, "WEIR_LOOPS": 1, "WEIR_DRAIN_TIMEOUT": "2s"}, binary=GATEWAY)
        self.numbers = itertools.count()

    def read(self):
        """What the endpoint has read since it was asked last. The honest request that ends it is read as sent."""
        target = f"/honest/{next(self.numbers)}"
        with self.gateway.connect() as wire:
            wire.send(request(target, "POST", ["Content-Length: 6"], b"honest"))
            reply = wire.reply("POST")
        assert (reply.status, reply.header("x-read")) == (200, f"POST {target}")
        *entries, last = self.recorder.read_until(target)
        assert (last["body"], last["host"], last["whole"]) == ("honest", "test", True)
        return entries


@pytest.fixture(scope="module", params=RECORDERS)
def place(request, tmp_path_factory):
    recorder = RECORDERS[request.param](tmp_path_factory.mktemp("recorder"))
    try:
        place = Place(recorder)
        yield place
        place.gateway.stop()
    finally:
        recorder.close()


def exchange(place, case):
    """Sends a case, and a request behind it, and expects the answers that are due."""
    with place.gateway.connect() as wire:
        wire.send(case.data + NEXT)
        if case.own:
            method = case.data.split(b" ")[0].decode()
            assert wire.reply(method).status == case.own
        for message in messages_of(case):
            reply = wire.reply(message.method)
            assert (reply.status, reply.header("x-read")) == (200, f"{message.method} {message.target}")
        if case.refused:
            reply = wire.reply()
            assert (reply.status, reply.closes, reply.header("x-read")) == (case.refused, True, None)
        if case.refused or case.closes:
            wire.expect_end()


def messages_of(case):
    return [*case.reads, *([NEXT_READ] if case.is_followed else [])]


@pytest.mark.parametrize("name", [name for name, case in CORPUS.items() if messages_of(case)])
def test_an_endpoint_reads_the_messages_that_we_read(place, name):
    try:
        exchange(place, CORPUS[name])
    finally:
        # Whatever became of it, the next case begins anew.
        entries = place.read()
    assert seen_in(entries, place.recorder) == [
        # Whoever does not wait for a body does not know it either.
        message._replace(body=b"") if message.target.startswith("/early") else message
        for message in messages_of(CORPUS[name])
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_endpoint_reads_nothing_of_what_we_refuse(place, family):
    cases = {name: case for name, case in CORPUS.items() if case.family == family and not messages_of(case)}
    try:
        for name, case in cases.items():
            exchange(place, case)
    except AssertionError as failure:
        failure.add_note(f"in {name!r}")
        raise
    finally:
        entries = place.read()
    assert seen_in(entries, place.recorder) == []


def seen_in(entries, recorder):
    """The messages that an endpoint read whole. What it did not is a body that was broken off, and never bytes that it
    did not understand."""
    whole = [entry for entry in entries if entry.get("whole")]
    assert {entry["target"] for entry in entries if entry not in whole} <= {BROKEN.decode()}, entries
    # A client of HTTP/1.0 may name no host; the endpoint's own stands there then.
    assert {entry["host"].lower() for entry in whole} <= {"test", "localhost", recorder.url.removeprefix("http://")}
    return [Message(entry["method"], entry["target"], entry["body"].encode("latin-1")) for entry in whole]
