# SPDX-License-Identifier: Apache-2.0
# Heads: names, line ends, hosts, versions, and requests to leave HTTP/1.1.

from corpus.case import CHUNKED, LAST_CHUNK, SMUGGLED, Case, Message, coded, head, length, read, refused, sized

GET = {"method": b"GET"}


def field(line):
    return refused(head(line, **GET))


def passed(line):
    return read(head(line, **GET), Message("GET", "/a"))


NAMES = {
    "a space before the colon of the coding, beside a length": refused(
        head(length(LAST_CHUNK + SMUGGLED), b"Transfer-Encoding : chunked") + LAST_CHUNK + SMUGGLED
    ),
    "a tab before the colon of the length": refused(head(b"Content-Length\t: 5") + b"hello"),
    "a vertical tab before the colon": field(b"Content-Length\x0b: 5"),
    "a no-break space before the colon": field(b"Content-Length\xa0: 5"),
    "a soft hyphen": field(b"Content\xadLength: 5"),
    "a control byte before the name": field(b"\x1fContent-Length: 5"),
    "a vertical tab before the name": field(b"\x0bContent-Length: 5"),
    "a colon before the name": field(b":Content-Length: 5"),
    "NUL behind the name": field(b"Content-Length\x00: 5"),
    "NUL for the colon": field(b"Content-Length\x00 5"),
    "a bracket": field(b"X[a]: 1"),
    "a brace": field(b"X{a}: 1"),
    "a quote": field(b'"X": 1'),
    "a slash": field(b"X/a: 1"),
    "an equals sign": field(b"X=a: 1"),
    "a comma": field(b"X,Y: 1"),
    "an at sign": field(b"X@a: 1"),
    "a percent-encoded hyphen": sized(b"Transfer%2dEncoding: chunked"),
    "a name of every character that may be": passed(b"!#$%&'*+-.^_`|~09azAZ: 1"),
    "an underscore for the hyphen of Host": passed(b"HO_ST: other"),
    "an empty value": passed(b"X-A:"),
    "a colon in the value": passed(b"X-A: b: c"),
    "bytes above ASCII in a value": passed(b"X-A: \xc3\xa4\xff"),
    "a line separator of Unicode": passed("X-A: b\u2028Host: other".encode()),
    "a next-line of Latin 1": passed(b"X-A: b\x85Host: other"),
}

LINES = {
    "LF after the first field": refused(b"GET /a HTTP/1.1\r\nHost: test\nX-A: b\r\n\r\n"),
    "LF after the last field": refused(b"GET /a HTTP/1.1\r\nHost: test\r\nX-A: b\n\r\n"),
    "LF for the empty line": refused(b"GET /a HTTP/1.1\r\nHost: test\r\n\n"),
    "CR for the empty line": refused(b"GET /a HTTP/1.1\r\nHost: test\r\n\rX"),
    "CR after the request line": refused(b"GET /a HTTP/1.1\rHost: test\r\n\r\n"),
    "CR everywhere": refused(b"GET /a HTTP/1.1\rHost: test\r\r"),
    "CR twice after the request line": refused(b"GET /a HTTP/1.1\r\r\nHost: test\r\n\r\n"),
    "CR twice for the empty line": refused(b"GET /a HTTP/1.1\r\nHost: test\r\n\r\r\n"),
    "LF and CR": refused(b"GET /a HTTP/1.1\n\rHost: test\n\r\n\r"),
    "LF before the request": refused(b"\n" + head(**GET)),
    "CR before the request": refused(b"\r" + head(**GET)),
    "LF and CRLF in one head": refused(b"POST /a HTTP/1.1\nHost: test\r\nContent-Length: 5\n\r\nhello"),
    "an end of the head by LF, hiding a request": refused(
        head(length(SMUGGLED), b"X: y\n") .replace(b"\n\r\n\r\n", b"\n\n") + SMUGGLED
    ),
    "a folded empty line": refused(head(b"X-A: b\r\n \r\nX-B: c", **GET)),
    "a folded Host": refused(head(b"X-A: b", host=b"Host:\r\n test\r\n", **GET)),
    "a line of blanks": refused(head(b" ", **GET)),
    "a field before the request line": refused(b"X-A: b\r\n" + head(**GET)),
    "NUL before the request": refused(b"\x00" + head(**GET)),
    "a byte order mark before the request": refused(b"\xef\xbb\xbf" + head(**GET)),
    "an empty line before the request": read(b"\r\n" + head(**GET), Message("GET", "/a")),
}


def target(target, host=b"Host: test\r\n", status=None, version=b"HTTP/1.1", becomes="/a", **options):
    data = head(method=b"GET", target=target, host=host, version=version)
    return refused(data, status) if status else read(data, Message("GET", becomes), **options)


HOSTS = {
    "an absolute target, in other letters": target(b"HTTP://TEST/a", becomes="/a"),
    "an absolute target with a port that Host lacks": target(b"http://test:80/a", status=400),
    "an absolute target without a port that Host has": target(b"http://test/a", b"Host: test:80\r\n", status=400),
    "an absolute target without Host": target(b"http://test/a", b"", status=400),
    "an absolute target and an empty Host": target(b"http://test/a", b"Host:\r\n", status=400),
    "an absolute target before two Hosts": target(b"http://test/a", b"Host: test\r\nHost: other\r\n", status=400),
    "an absolute target with a user": target(b"http://test@other/a", status=400),
    "an absolute target with a backslash": target(b"http://test\\@other/a", status=400),
    "an absolute target with a query for a path": target(b"http://other?http://test/a", status=400),
    "an absolute target with an empty host": target(b"http:///a", status=400),
    "an absolute target with one slash": target(b"http:/a", status=400),
    "an absolute target without slashes": target(b"http:a", status=400),
    "an absolute target of no scheme": target(b"://test/a", status=400),
    "an authority for GET": target(b"test:80", status=400),
    "a host in the path": target(b"//other/a", becomes="//other/a"),
    "a user in the path": target(b"@other/a", status=400),
    "in HTTP/1.0, a target that differs": target(b"http://other/a", version=b"HTTP/1.0", status=400),
    "in HTTP/1.0, two Hosts": target(b"/a", b"Host: test\r\nHost: test\r\n", version=b"HTTP/1.0", status=400),
    "in HTTP/1.0, no Host": target(b"/a", b"", version=b"HTTP/1.0", closes=True),
    "two Hosts, one behind a space": target(b"/a", b"Host: test\r\n Host: other\r\n", status=400),
    "two Hosts in other letters": target(b"/a", b"Host: test\r\nhOST: other\r\n", status=400),
    "two Hosts, one empty": target(b"/a", b"Host: test\r\nHost:\r\n", status=400),
    "two Hosts, one with a space before the colon": target(b"/a", b"Host: test\r\nHost : other\r\n", status=400),
    "two Hosts far apart": target(b"/a", b"Host: test\r\n" + b"X: y\r\n" * 20 + b"Host: other\r\n", status=400),
    "two ports": target(b"/a", b"Host: test:80:80\r\n", status=400),
    "a port that is too large": target(b"/a", b"Host: test:65536\r\n", status=400),
    "a port of minus": target(b"/a", b"Host: test:-80\r\n", status=400),
    "a port and a user": target(b"/a", b"Host: test:80@other\r\n", status=400),
    "an open bracket": target(b"/a", b"Host: [::1\r\n", status=400),
    "a query": target(b"/a", b"Host: test?a\r\n", status=400),
    "a fragment": target(b"/a", b"Host: test#a\r\n", status=400),
    "a backslash": target(b"/a", b"Host: test\\other\r\n", status=400),
    "percent-encoded": target(b"/a", b"Host: te%73t\r\n", status=400),
    "a byte above ASCII": target(b"/a", b"Host: t\xc3\xa9st\r\n", status=400),
    "NUL": target(b"/a", b"Host: test\x00other\r\n", status=400),
    "a tab": target(b"/a", b"Host: test\tother\r\n", status=400),
    "a scheme": target(b"/a", b"Host: http://test\r\n", status=400),
}


def versioned(version, status=400):
    return refused(head(version=version, **GET), status)


VERSIONS = {
    "a request of HTTP/0.9": refused(b"GET /a\r\n"),
    "a request of HTTP/0.9 by LF": refused(b"GET /a\n"),
    "HTTP/0.9 behind a request": Case(head(**GET) + b"GET /smuggled\r\n", (Message("GET", "/a"),), refused=400),
    "zeros before": versioned(b"HTTP/01.1"),
    "zeros behind": versioned(b"HTTP/1.01"),
    "a comma": versioned(b"HTTP/1,1"),
    "a sign": versioned(b"HTTP/+1.1"),
    "a blank": versioned(b"HTTP/ 1.1"),
    "no minor": versioned(b"HTTP/1"),
    "no slash": versioned(b"HTTP 1.1"),
    "twice": versioned(b"HTTP/1.1 HTTP/1.1"),
    "a vertical tab behind": versioned(b"HTTP/1.1\x0b"),
    "a request behind": versioned(b"HTTP/1.1GET /smuggled HTTP/1.1"),
    "of another server": versioned(b"ICAP/1.0"),
    "HTTP/1.2": read(head(version=b"HTTP/1.2", **GET), Message("GET", "/a")),
    "HTTP/1.9": read(head(version=b"HTTP/1.9", **GET), Message("GET", "/a")),
    "HTTP/1.0 with a length": read(
        head(b"Connection: keep-alive", length(SMUGGLED), version=b"HTTP/1.0") + SMUGGLED, Message("POST", "/a", SMUGGLED)
    ),
    "HTTP/1.0 closes": read(head(version=b"HTTP/1.0", **GET), Message("GET", "/a"), closes=True),
    "HTTP/1.0 closes behind a body": read(
        head(b"Content-Length: 5", version=b"HTTP/1.0") + b"hello", Message("POST", "/a", b"hello"), closes=True
    ),
    "HTTP/1.0 is kept": read(head(b"Connection: keep-alive", version=b"HTTP/1.0", **GET), Message("GET", "/a")),
    "HTTP/1.0 is kept and closed": read(
        head(b"Connection: keep-alive, close", version=b"HTTP/1.0", **GET), Message("GET", "/a"), closes=True
    ),
    "HTTP/1.0 with a coding that it does not know": refused(
        head(b"Connection: keep-alive", CHUNKED, version=b"HTTP/1.0") + LAST_CHUNK + SMUGGLED
    ),
    "HTTP/1.0 by Proxy-Connection": read(
        head(b"Proxy-Connection: keep-alive", version=b"HTTP/1.0", **GET), Message("GET", "/a"), closes=True
    ),
    "HTTP/1.1 closes": read(head(b"Connection: close", **GET), Message("GET", "/a"), closes=True),
    "HTTP/1.1 is kept and closed": read(
        head(b"Connection: keep-alive", b"Connection: close", **GET), Message("GET", "/a"), closes=True
    ),
    "HTTP/1.0 between two of HTTP/1.1": read(
        SMUGGLED + head(b"Connection: keep-alive", version=b"HTTP/1.0", **GET),
        Message("GET", "/smuggled"), Message("GET", "/a"),
    ),
}  # fmt: skip

WEBSOCKET = [
    b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
]  # fmt: skip

# An endpoint that declines goes on with HTTP/1.1, and so do the bytes behind.
LEAVING = {
    "a websocket that is declined": read(
        head(*WEBSOCKET, **GET) + SMUGGLED, Message("GET", "/a"), Message("GET", "/smuggled")
    ),
    "a websocket of an unknown version": read(
        head(*WEBSOCKET[:3], b"Sec-WebSocket-Version: 777", **GET) + SMUGGLED,
        Message("GET", "/a"), Message("GET", "/smuggled"),
    ),
    "a websocket with a body": sized(*WEBSOCKET, body=SMUGGLED, method=b"GET"),
    "a websocket with chunks": coded(*WEBSOCKET),
    "HTTP/2 in clear text": read(
        head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMA", **GET) + SMUGGLED,
        Message("GET", "/a"), Message("GET", "/smuggled"),
    ),
    "an upgrade that Connection does not name": read(head(b"Upgrade: websocket", **GET), Message("GET", "/a")),
    "an upgrade to nothing": read(head(b"Connection: Upgrade", **GET), Message("GET", "/a")),
    "TLS within": read(head(b"Connection: Upgrade", b"Upgrade: TLS/1.0", **GET), Message("GET", "/a")),
    "CONNECT": refused(b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n", 501),
    "CONNECT with a length": refused(b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\nContent-Length: 5\r\n\r\nhello", 501),
    "CONNECT with chunks": refused(
        b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501
    ),
    "CONNECT to another host": refused(b"CONNECT other:80 HTTP/1.1\r\nHost: test:80\r\n\r\n"),
    "OPTIONS about the server": Case(b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", own=204),
    "OPTIONS about the server, with a body": Case(
        b"OPTIONS * HTTP/1.1\r\nHost: test\r\n" + length(SMUGGLED) + b"\r\n\r\n" + SMUGGLED, own=204
    ),
    "OPTIONS about the server, with chunks": Case(
        b"OPTIONS * HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", own=204
    ),
}  # fmt: skip

EXPECT = b"Expect: 100-continue"

EXPECTING = {
    "a body that did not wait": sized(EXPECT, body=SMUGGLED),
    "chunks that did not wait": coded(EXPECT),
    "a GET whose body did not wait": sized(EXPECT, body=SMUGGLED, method=b"GET"),
    "a HEAD whose body did not wait": sized(EXPECT, body=SMUGGLED, method=b"HEAD"),
    "a body that nobody asks for": sized(EXPECT, body=SMUGGLED, target=b"/early"),
    "a GET's body that nobody asks for": sized(EXPECT, body=SMUGGLED, method=b"GET", target=b"/early"),
    "in other letters": sized(b"EXPECT: 100-CONTINUE", body=SMUGGLED),
    "no body to wait for": read(head(EXPECT, **GET) + SMUGGLED, Message("GET", "/a"), Message("GET", "/smuggled")),
    "a length of nothing": read(
        head(EXPECT, b"Content-Length: 0") + SMUGGLED, Message("POST", "/a"), Message("GET", "/smuggled")
    ),
    "in HTTP/1.0": sized(EXPECT, b"Connection: keep-alive", body=SMUGGLED, version=b"HTTP/1.0"),
    "a word before": refused(head(b"Expect: y 100-continue", length(SMUGGLED)) + SMUGGLED, 417),
    "a list": refused(head(b"Expect: 100-continue, x", length(SMUGGLED)) + SMUGGLED, 417),
    "a number": refused(head(b"Expect: 100", length(SMUGGLED)) + SMUGGLED, 417),
    "an empty value": refused(head(b"Expect:", length(SMUGGLED)) + SMUGGLED, 417),
    "twice, one unknown": refused(head(EXPECT, b"Expect: x", length(SMUGGLED)) + SMUGGLED, 417),
    "folded": refused(head(b"Expect:\r\n 100-continue", length(SMUGGLED)) + SMUGGLED, 417),
}
