# SPDX-License-Identifier: Apache-2.0
# What two parsers could read differently is refused: one answer, then the connection closes, and what came behind is
# never taken for a request.

import pytest

from wire import request

# Would answer 200 and name itself if it were ever read as a request.
SMUGGLED = b"GET /users/smuggled/orders/1 HTTP/1.1\r\nHost: test\r\n\r\n"


def head(*lines, target=b"/hello", method=b"GET", version=b"HTTP/1.1", host=b"Host: test\r\n", end=b"\r\n"):
    return method + b" " + target + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + end


CHUNKED = b"0\r\n\r\n"

HEADS = {
    # Length and coding
    "length and coding": (400, head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + CHUNKED),
    "coding and length": (400, head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + CHUNKED),
    "differing lengths": (400, head(b"Content-Length: 5", b"Content-Length: 6") + b"hello"),
    "repeated length": (400, head(b"Content-Length: 5", b"Content-Length: 5") + b"hello"),
    "list of lengths": (400, head(b"Content-Length: 5, 5") + b"hello"),
    "length with plus": (400, head(b"Content-Length: +5") + b"hello"),
    "length with minus": (400, head(b"Content-Length: -5") + b"hello"),
    "length in hexadecimal": (400, head(b"Content-Length: 0x5") + b"hello"),
    "length with exponent": (400, head(b"Content-Length: 5e0") + b"hello"),
    "length with a blank": (400, head(b"Content-Length: 5 0") + b"hello"),
    "length with an underscore": (400, head(b"Content-Length: 1_0") + b"hello"),
    "empty length": (400, head(b"Content-Length:") + b"hello"),
    "length beyond 64 bits": (400, head(b"Content-Length: 18446744073709551621") + b"hello"),
    "length beyond 63 bits": (400, head(b"Content-Length: 9223372036854775808") + b"hello"),
    "unknown coding": (400, head(b"Transfer-Encoding: gzip")),
    "unknown coding before chunked": (400, head(b"Transfer-Encoding: gzip, chunked") + CHUNKED),
    "coding that looks like chunked": (400, head(b"Transfer-Encoding: xchunked") + CHUNKED),
    "coding identity": (400, head(b"Transfer-Encoding: identity")),
    "chunked not last": (400, head(b"Transfer-Encoding: chunked, gzip") + CHUNKED),
    "chunked twice": (400, head(b"Transfer-Encoding: chunked, chunked") + CHUNKED),
    "chunked in two fields": (400, head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + CHUNKED),
    "chunked with a parameter": (400, head(b"Transfer-Encoding: chunked;q=1") + CHUNKED),
    "chunked in quotes": (400, head(b'Transfer-Encoding: "chunked"') + CHUNKED),
    "empty coding": (400, head(b"Transfer-Encoding:") + CHUNKED),
    "coding behind a vertical tab": (400, head(b"Transfer-Encoding: \x0bchunked") + CHUNKED),
    "coding in HTTP/1.0": (400, head(b"Transfer-Encoding: chunked", version=b"HTTP/1.0") + CHUNKED),
    # Lines
    "folded field": (400, head(b"X-A: one", b" two")),
    "field folded with a tab": (400, head(b"X-A: one", b"\ttwo")),
    "blank before the first field": (400, head(host=b" Host: test\r\n")),
    "bare LF after a field": (400, head(b"X-A: one\nX-B: two")),
    "bare LF at the end of the head": (400, head(end=b"\n")),
    "bare LF after the request line": (400, b"GET /hello HTTP/1.1\nHost: test\r\n\r\n"),
    "only bare LF": (400, b"GET /hello HTTP/1.1\nHost: test\n\n"),
    "bare CR in a value": (400, head(b"X-A: one\rX-B: two")),
    "bare CR in a name": (400, head(b"X-\rA: one")),
    "two CR": (400, head(b"X-A: one\r")),
    "two empty lines before a request": (400, b"\r\n\r\n" + head()),
    # Fields
    "space before the colon": (400, head(b"X-A : one")),
    "space before the colon of a length": (400, head(b"Content-Length : 5") + b"hello"),
    "tab before the colon": (400, head(b"Transfer-Encoding\t: chunked") + CHUNKED),
    "space in a name": (400, head(b"X A: one")),
    "empty name": (400, head(b": one")),
    "no colon": (400, head(b"nonsense")),
    "NUL in a name": (400, head(b"X-\x00A: one")),
    "NUL in a value": (400, head(b"X-A: o\x00ne")),
    "control byte in a value": (400, head(b"X-A: o\x01ne")),
    "DEL in a value": (400, head(b"X-A: o\x7fne")),
    "byte above ASCII in a name": (400, head(b"X-\xc3\xa4: one")),
    "missing Host": (400, head(host=b"")),
    "repeated Host": (400, head(b"Host: other")),
    "same Host twice": (400, head(b"Host: test")),
    "Host with a path": (400, head(host=b"Host: test/hello\r\n")),
    "Host with a user": (400, head(host=b"Host: user@test\r\n")),
    "Host with a blank": (400, head(host=b"Host: te st\r\n")),
    "Host with a wrong port": (400, head(host=b"Host: test:eighty\r\n")),
    "two hosts in one field": (400, head(host=b"Host: test, other\r\n")),
    "Host that differs from the target": (400, head(target=b"http://other/hello")),
    "unknown expectation": (417, head(b"Expect: the-unexpected")),
    # Request line
    "HTTP/2.0": (505, head(version=b"HTTP/2.0")),
    "HTTP/0.9": (505, head(version=b"HTTP/0.9")),
    "HTTP/3.0": (505, head(version=b"HTTP/3.0")),
    "version in lower case": (400, head(version=b"http/1.1")),
    "version with two digits": (400, head(version=b"HTTP/1.10")),
    "version of another protocol": (400, head(version=b"HTCP/1.1")),
    "no version": (400, b"GET /hello\r\n\r\n"),
    "two spaces": (400, head(target=b" /hello")),
    "space behind the version": (400, head(version=b"HTTP/1.1 ")),
    "tab for a space": (400, b"GET\t/hello HTTP/1.1\r\nHost: test\r\n\r\n"),
    "space in the target": (400, head(target=b"/he llo")),
    "space before the method": (400, b" " + head()),
    "method that is no token": (400, head(method=b"G(T")),
    "method of 33 letters": (501, head(method=b"M" * 33)),
    "fragment in the target": (400, head(target=b"/hello#top")),
    "byte above ASCII in the target": (400, head(target=b"/h\xc3\xa4llo")),
    "NUL in the target": (400, head(target=b"/hel\x00lo")),
    "target without a slash": (400, head(target=b"hello")),
    "asterisk for GET": (400, head(target=b"*")),
    "user in the target": (400, head(target=b"http://user@test/hello")),
    "another scheme": (400, head(target=b"ftp://test/hello")),
    "CONNECT without a port": (400, head(method=b"CONNECT", target=b"test")),
    "CONNECT with a path": (400, head(method=b"CONNECT", target=b"/hello")),
    "a TLS greeting": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n"),
    "an HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
}

BODIES = {
    "size in hexadecimal notation": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size with minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "size that is no number": b"five\r\nhello\r\n0\r\n\r\n",
    "blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "blank behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "size of seventeen digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "size beyond 63 bits": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "size line ended by LF": b"5\nhello\r\n0\r\n\r\n",
    "size line with a bare CR": b"5\r;a=b\r\nhello\r\n0\r\n\r\n",
    "extension with a bare LF": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension with a control byte": b"5;a=\x01\r\nhello\r\n0\r\n\r\n",
    "extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
    "extension with an open quote": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "extensions without end": b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    "data longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
    "data ended by LF": b"5\r\nhello\n0\r\n\r\n",
    "trailer that decides about framing": b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "trailer that decides about routing": b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n",
    "trailer that authorises": b"5\r\nhello\r\n0\r\nAuthorization: Basic eA==\r\n\r\n",
    "folded trailer": b"5\r\nhello\r\n0\r\nX-A: one\r\n two\r\n\r\n",
    "trailer with a space before the colon": b"5\r\nhello\r\n0\r\nX-A : one\r\n\r\n",
    "trailer ended by LF": b"5\r\nhello\r\n0\r\nX-A: one\n\r\n",
}


def expect_one_refusal(wire, status):
    reply = wire.reply()
    assert (reply.status, reply.closes) == (status, True)
    assert reply.header("content-type") == "application/problem+json"
    assert b"smuggled" not in reply.body
    wire.expect_end()


@pytest.mark.parametrize("name", HEADS)
def test_an_ambiguous_head_is_refused_and_the_connection_closed(server, name):
    status, text = HEADS[name]
    with server.connect() as wire:
        wire.send(text + SMUGGLED)
        expect_one_refusal(wire, status)


@pytest.mark.parametrize("name", HEADS)
def test_an_ambiguous_head_is_refused_behind_an_honest_request(server, name):
    status, text = HEADS[name]
    if name in ("two empty lines before a request", "space before the method"):
        text = text.replace(b"\r\n\r\n", b"\r\n\r\n", 1)
    with server.connect() as wire:
        wire.send(request("/async") + text + SMUGGLED)
        assert wire.reply().status == 200
        expect_one_refusal(wire, status)


@pytest.mark.parametrize("name", BODIES)
def test_an_ambiguous_chunked_body_is_refused_and_the_connection_closed(server, name):
    with server.connect() as wire:
        wire.send(head(b"Transfer-Encoding: chunked") + BODIES[name] + SMUGGLED)
        expect_one_refusal(wire, 400)


@pytest.mark.parametrize("name", BODIES)
def test_an_answer_that_has_begun_is_broken_off_by_an_ambiguous_body(server, name):
    with server.connect() as wire:
        wire.send(request("/echo", "POST", ["Transfer-Encoding: chunked"]))
        wire.read_until(b"\r\n\r\n")
        wire.send(BODIES[name] + SMUGGLED)
        rest = wire.read_to_end()
        # Without the last chunk the client cannot take the part for the whole.
        assert not rest.endswith(b"0\r\n\r\n") and b"smuggled" not in rest


def test_a_wrong_head_is_refused_however_its_bytes_arrive(server):
    text = head(b"Content-Length: 5", b"Transfer-Encoding: chunked")
    for cut in range(1, len(text), 7):
        with server.connect() as wire:
            wire.send(text[:cut])
            wire.send(text[cut:])
            expect_one_refusal(wire, 400)


def test_refusals_are_counted_by_status(serve):
    server = serve()
    names = ["folded field", "missing Host", "unknown coding", "HTTP/2.0", "unknown expectation"]
    for name in names:
        with server.connect() as wire:
            wire.send(HEADS[name][1])
            wire.reply()
    metrics = server.metrics()
    assert {status: metrics[f'weir_parse_faults_total{{status="{status}"}}'] for status in (400, 417, 501, 505, 414)} == {
        400: 3, 417: 1, 501: 0, 505: 1, 414: 0,
    }
    assert metrics["weir_requests_total"] == 0


def test_the_server_goes_on_after_random_bytes(server):
    import random

    source = random.Random(20260101)
    for _ in range(100):
        with server.connect() as wire:
            wire.send(source.randbytes(source.randrange(1, 3000)) + b"\r\n\r\n\r\n")
            wire.end()
            answer = wire.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), answer
    with server.connect() as wire:
        assert wire.get().status == 200
