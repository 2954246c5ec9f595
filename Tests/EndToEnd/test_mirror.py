# SPDX-License-Identifier: Apache-2.0
# Requests that are copied to another upstream: what the copy carries, and that its fate is nobody's.

import threading

import pytest
import yaml

from upstream import answer, repeating, unused_port
from wire import request

MARK = "x-weir-mirrored"


def start(gateway, tmp_path, endpoint, shadow, **mirror):
    """A gateway whose requests go to the one and are copied to the other."""
    file = tmp_path / "weir.yaml"
    url = shadow if isinstance(shadow, str) else shadow.url
    upstreams = {"orders": {"endpoints": [endpoint.url]}, "shadow": {"endpoints": [url]}}
    route = {"match": {"path": "/*"}, "upstream": "orders", "mirror": {"upstream": "shadow", **mirror}}
    file.write_text(yaml.safe_dump({"upstreams": upstreams, "routes": [route]}))
    server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file, WEIR_DEADLINE_HEADER="X-Deadline")
    endpoint.wait_for_connections(1)
    return server


def silent(peer):
    peer.request()
    peer.wait_for_end()


def mirrored(server, result):
    return f'weir_mirrored_total{{upstream="shadow",result="{result}"}}'


def test_a_copy_is_the_request_and_a_mark(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream(repeating(answer(b"shadow", status="500 No")))
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        for number in range(3):
            reply = wire.get(f"/orders/{number}?full=1", headers=["X-Team: blue"])
            assert (reply.status, reply.body) == (200, b"ok")
            server.wait_for_metric(mirrored(server, "answered"), number + 1)
    originals, copies = endpoint.wait_for_requests(3), shadow.wait_for_requests(3)
    for original, copy in zip(originals, copies):
        assert (copy.method, copy.target) == (original.method, original.target)
        assert copy.header(MARK) == "1" and original.header(MARK) is None
        assert copy.header("x-team") == "blue"
        for name in ("host", "x-request-id", "x-forwarded-for"):
            assert copy.header(name) == original.header(name) is not None
        (trace, span), (copied_trace, copied_span) = (seen.header("traceparent").split("-")[1:3] for seen in (original, copy))
        assert copied_trace == trace and copied_span != span
        assert 0 < int(copy.header("x-deadline")[:-2]) <= int(original.header("x-deadline")[:-2])
    assert {copy.connection for copy in copies} == {0}, "its connection is kept"


def test_a_part_of_the_requests_is_copied(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream()
    server = start(gateway, tmp_path, endpoint, shadow, percent=50)
    with server.connect() as wire:
        for _ in range(400):
            assert wire.get().status == 200
    # All that are sent are on their way; the last may not have come.
    labels = f'upstream="shadow",endpoint="{shadow.url}"'
    count = int(server.metric(f"weir_upstream_requests_total{{{labels}}}"))
    # Of a fair coin, fewer or more come once in a billion times.
    assert 140 < count < 260
    shadow.wait_for_requests(count)


def chunked(*pieces, trailers=b""):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def test_bodies_are_copied_in_the_coding_that_they_came_in(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream()
    server = start(gateway, tmp_path, endpoint, shadow)
    large = bytes(range(256)) * 800
    pieces = chunked(b"one", b"two", trailers=b"X-Sum: 6\r\n")
    asked = [
        request(method="POST", headers=[f"Content-Length: {len(large)}"], body=large),
        request(method="POST", headers=["Transfer-Encoding: chunked", "Trailer: X-Sum"], body=pieces),
        request(method="PUT", headers=["Content-Length: 5", "Expect: 100-continue"], body=b"asked"),
    ]
    with server.connect() as wire:
        for number, each in enumerate(asked, start=1):
            wire.send(each)
            assert wire.reply().status == 200
            server.wait_for_metric(mirrored(server, "answered"), number)
    originals, copies = endpoint.wait_for_requests(3), shadow.wait_for_requests(3)
    for seen in originals, copies:
        assert [each.body for each in seen] == [large, b"onetwo", b"asked"]
        assert seen[1].trailers == [("X-Sum", "6")]
    for original, copy in zip(originals, copies):
        assert original.header("traceparent").split("-")[1] == copy.header("traceparent").split("-")[1]
    assert {copy.connection for copy in copies} == {0}, "its connection is kept"


def test_a_body_is_copied_as_it_comes(gateway, upstream, tmp_path):
    arrived = threading.Event()

    def waits_for_the_first_half(peer):
        received = peer.head()
        assert peer.take(4) == b"half"
        arrived.set()
        received.body = b"half" + peer.take(4)
        peer.send(answer())

    endpoint, shadow = upstream(), upstream(waits_for_the_first_half)
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        wire.send(request(method="POST", headers=["Content-Length: 8"], body=b"half"))
        assert arrived.wait(15), "the copy waits for the whole body"
        wire.send(b"rest")
        assert wire.reply().status == 200
        server.wait_for_metric(mirrored(server, "answered"), 1)
    assert shadow.requests[0].body == b"halfrest"


def test_a_body_that_the_mirror_does_not_take_is_cut_and_delays_nobody(gateway, upstream, tmp_path):
    def reads_no_body(peer):
        peer.head()
        peer.upstream.released.wait(60)

    endpoint, shadow = upstream(), upstream(reads_no_body)
    shadow.released = threading.Event()
    server = start(gateway, tmp_path, endpoint, shadow)
    size = 64 << 20
    with server.connect() as wire:
        wire.send(request(method="POST", headers=[f"Content-Length: {size}"]))
        for _ in range(size >> 20):
            wire.send(bytes(1 << 20))
        assert wire.reply().status == 200
        assert server.metric(mirrored(server, "cut")) == 1
    shadow.released.set()
    assert len(endpoint.requests[0].body) == size


def refuses(peer):
    peer.head()
    peer.send(answer(status="413 Too Much", headers=["Connection: close"]))


def waits_for_the_rest(peer):
    peer.head()
    peer.wait_for_end()


@pytest.mark.parametrize("script", [refuses, waits_for_the_rest], ids=["answered", "client left"])
def test_a_copy_ends_with_an_original_that_ends_before_its_body(script, gateway, upstream, tmp_path):
    endpoint, shadow = upstream(script), upstream()
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        wire.send(request(method="POST", headers=["Content-Length: 8"], body=b"half"))
        endpoint.wait_for_requests(1)
        shadow.wait_for_requests(1)
        if script is refuses:
            assert wire.reply().status == 413
    server.wait_for_metric(mirrored(server, "cut"), 1)
    shadow.wait_for_end(0)


def test_a_mirror_that_answers_before_the_body_is_done_with(gateway, upstream, tmp_path):
    def answers_at_once(peer):
        peer.head()
        peer.send(answer())
        peer.wait_for_end()

    endpoint, shadow = upstream(), upstream(answers_at_once)
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        wire.send(request(method="POST", headers=["Content-Length: 8"], body=b"half"))
        server.wait_for_metric(mirrored(server, "answered"), 1)
        wire.send(b"rest")
        assert wire.reply().status == 200
    assert endpoint.requests[0].body == b"halfrest"
    assert server.metric(mirrored(server, "cut")) == 0


@pytest.mark.parametrize(
    "asked",
    [
        request(method="POST", headers=["Content-Length: 4"], body=b"body"),
        request(method="POST", headers=["Transfer-Encoding: chunked"], body=b"0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
def test_what_has_a_body_is_not_copied_where_the_file_says_so(asked, gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream()
    server = start(gateway, tmp_path, endpoint, shadow, bodies=False)
    with server.connect() as wire:
        wire.send(asked)
        assert wire.reply().status == 200
        assert server.metric(mirrored(server, "not_copyable")) == 1
        wire.send(request(method="DELETE", headers=["Content-Length: 0"]))
        assert wire.reply().status == 200
    assert shadow.wait_for_requests(1)[0].method == "DELETE"


def test_a_copy_is_not_copied_again(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream()
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        assert wire.get(headers=["X-Weir-Mirrored: 1"]).status == 200
        assert wire.get("/other").status == 200
    assert [copy.target for copy in shadow.wait_for_requests(1)] == ["/other"]
    assert endpoint.requests[0].header(MARK) == "1"


def test_a_mirror_that_answers_nothing_delays_nobody_and_its_copies_are_bounded(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream(silent)
    server = start(gateway, tmp_path, endpoint, shadow, concurrency=3)
    with server.connect() as wire:
        for _ in range(10):
            # The next is answered while the copies before it still wait.
            assert wire.get().status == 200
        assert server.metric(mirrored(server, "busy")) == 7
        assert len(shadow.wait_for_requests(3)) == 3
        shadow.end_connections()
        server.wait_for_metric(mirrored(server, "failed"), 3)
        # Their places are free again.
        assert wire.get().status == 200
        shadow.wait_for_requests(4)


def test_a_copy_has_the_deadline_of_its_original(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream(silent)
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        assert wire.get(headers=["X-Deadline: 200ms"]).status == 200
        server.wait_for_metric(mirrored(server, "timeout"), 1)
    shadow.wait_for_end(0)


def test_a_mirror_that_is_not_there_fails_nobody(gateway, upstream, tmp_path):
    endpoint = upstream()
    server = start(gateway, tmp_path, endpoint, f"http://127.0.0.1:{unused_port()}")
    with server.connect() as wire:
        assert {wire.get().status for _ in range(20)} == {200}
    names = ("answered", "failed", "unavailable")
    server.wait_for_metric(mirrored(server, "failed"), 1)
    # After a few the endpoint is left alone for a time.
    assert sum(server.metric(mirrored(server, name)) for name in names) <= 20
    assert server.metric(mirrored(server, "answered")) == 0


def test_what_a_mirror_says_is_thrown_away_however_long_it_is(gateway, upstream, tmp_path):
    ended = threading.Event()

    def endless(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                peer.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            ended.set()

    endpoint, shadow = upstream(), upstream(endless)
    server = start(gateway, tmp_path, endpoint, shadow)
    with server.connect() as wire:
        assert wire.get().body == b"ok"
        assert ended.wait(15), "the gateway reads on without end"
        assert server.metric(mirrored(server, "answered")) == 1


def test_copies_go_on_after_a_reload_that_moves_their_upstream(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream()
    server = start(gateway, tmp_path, endpoint, shadow)
    file = tmp_path / "weir.yaml"
    document = yaml.safe_load(file.read_text())
    upstreams = document["upstreams"]
    others = {"a": {"endpoints": [f"http://127.0.0.1:{unused_port()}"]}, "z": {"endpoints": [endpoint.url]}}
    lists = [upstreams, {**others, **upstreams}, dict(reversed(upstreams.items())), upstreams]
    with server.connect() as wire:
        for number, document["upstreams"] in enumerate(lists):
            if number > 0:
                file.write_text(yaml.safe_dump(document, sort_keys=False))
                assert server.ask_admin("/reload", method="POST")[0] == 200
            assert wire.get(f"/{number}").status == 200
            server.wait_for_metric(mirrored(server, "answered"), number + 1)
    copies = shadow.wait_for_requests(4)
    assert [copy.target for copy in copies] == ["/0", "/1", "/2", "/3"]
    assert {copy.connection for copy in copies} == {0}, "its connection is kept"


def test_a_route_has_one_bound_for_its_paths_and_hosts_and_over_reloads(gateway, upstream, tmp_path):
    endpoint, shadow = upstream(), upstream(silent)
    upstreams = {"orders": {"endpoints": [endpoint.url]}, "shadow": {"endpoints": [shadow.url]}}
    match = {"path": ["/a", "/b", "/c"], "host": ["one.test", "two.test"]}
    route = {"match": match, "upstream": "orders", "mirror": {"upstream": "shadow", "concurrency": 2}}
    # For the same requests but for a field: another route, with a bound of its own.
    other = {**route, "match": {**match, "headers": {"X-Other": "yes"}}}
    file = tmp_path / "weir.yaml"
    # The last reload before it comes back has no mirror.
    for turn, routes in enumerate([[other, route]] * 3 + [[{"match": match, "upstream": "orders"}], [other, route]]):
        text = yaml.safe_dump({"deadline": f"{50 + turn}s", "upstreams": upstreams, "routes": routes})
        file.write_text(text)
        if turn == 0:
            server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file)
            endpoint.wait_for_connections(1)
        else:
            assert server.ask_admin("/reload", method="POST")[0] == 200
        with server.connect() as wire:
            for path in match["path"]:
                for host in match["host"]:
                    assert wire.get(path, host=host).status == 200
                    assert wire.get(path, host=host, headers=["X-Other: yes"]).status == 200
    assert len(shadow.wait_for_requests(4)) == 4
    assert server.metric(mirrored(server, "busy")) == 4 * 12 - 4


def test_copies_leave_connections_to_the_requests_of_the_upstream_that_they_share(gateway, upstream, tmp_path):
    def answers_no_copy(peer):
        while peer.request().header(MARK) is None:
            peer.send(answer())
        peer.wait_for_end()

    endpoint, shared = upstream(), upstream(answers_no_copy)
    upstreams = {
        "orders": {"endpoints": [endpoint.url]},
        "shadow": {"endpoints": [shared.url], "connections": 16},
    }
    routes = [
        {"match": {"path": "/direct"}, "upstream": "shadow"},
        {"match": {"path": "/one"}, "upstream": "orders", "mirror": {"upstream": "shadow"}},
        {"match": {"path": "/two"}, "upstream": "orders", "mirror": {"upstream": "shadow"}},
    ]
    file = tmp_path / "weir.yaml"
    file.write_text(yaml.safe_dump({"upstreams": upstreams, "routes": routes}))
    server = gateway(WEIR_UPSTREAM=None, WEIR_CONFIG=file)
    endpoint.wait_for_connections(1)
    with server.connect() as wire:
        for _ in range(20):
            assert wire.get("/one").status == 200
            assert wire.get("/two").status == 200
        # The connection by which readiness was learnt is one of the half that copies leave.
        copies = 40 - server.metric(mirrored(server, "busy"))
        assert 7 <= copies <= 8
        assert {wire.get("/direct").status for _ in range(20)} == {200}
    assert sum(each.header(MARK) is not None for each in shared.wait_for_requests(20 + int(copies))) == copies
