# SPDX-License-Identifier: Apache-2.0
# Chunks: sizes, extensions, line ends and trailers that two readers take differently.

from corpus.case import BROKEN, CHUNKED, LAST_CHUNK, SMUGGLED, Case, Message, chunk, head, read, refused


def broken(body):
    return refused(head(CHUNKED, target=BROKEN) + body)


def whole(body, content=b"hello"):
    return read(head(CHUNKED) + body, Message("POST", "/a", content))


def size(line):
    return broken(line + b"\r\nhello\r\n" + LAST_CHUNK)


SIZES = {
    "a plus before nothing": broken(b"+0\r\n\r\n"),
    "a minus before nothing": broken(b"-0\r\n\r\n"),
    "hexadecimal nothing": broken(b"0x0\r\n\r\n"),
    "an underscore": size(b"0_5"),
    "a fraction": size(b"5.0"),
    "a suffix": size(b"5h"),
    "in quotes": size(b'"5"'),
    "a comma": size(b"5,5"),
    "a blank within": size(b"0 5"),
    "a tab before": size(b"\t5"),
    "a tab behind": size(b"5\t"),
    "a vertical tab behind": size(b"5\x0b"),
    "NUL behind": size(b"5\x00"),
    "NUL before": size(b"\x005"),
    "a byte above ASCII": size(b"5\xa0"),
    "digits of full width": size("\uff15".encode()),
    "beyond 64 bits, and back at 5": size(b"10000000000000005"),
    "beyond 63 bits": size(b"8000000000000005"),
    "beyond 32 bits, and back at 5": Case(head(CHUNKED, target=BROKEN) + b"100000005\r\nhello\r\n0\r\n\r\n", ends=True),
    "seventeen zeros": broken(b"00000000000000000\r\n\r\n"),
    "nothing but an extension": broken(b";a\r\nhello\r\n0\r\n\r\n"),
    "an empty line before the last chunk": broken(chunk(b"hello") + b"\r\n" + LAST_CHUNK),
    "a chunk of nothing in the middle": read(
        head(CHUNKED) + LAST_CHUNK + SMUGGLED, Message("POST", "/a"), Message("GET", "/smuggled")
    ),
    "leading zeros": whole(b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n"),
    "capital letters": whole(b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "small letters": whole(b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "many of one byte": whole(b"".join(chunk(b"%c" % byte) for byte in SMUGGLED) + LAST_CHUNK, SMUGGLED),
}

# "Funky chunks": an extension or a terminator in which only one reader sees a line's end.
EXTENSIONS = {
    "LF within, hiding a request": broken(b"2;\nxx\r\n4c\r\n0\r\n\r\n" + SMUGGLED + LAST_CHUNK),
    "LF within a value": size(b"5;a=b\nc"),
    "CR within": size(b"5;a\rb"),
    "CR within, hiding a request": broken(b"2;\rxx\r\n4c\r\n0\r\n\r\n" + SMUGGLED + LAST_CHUNK),
    "LF at the end": broken(b"5;a\nhello\r\n0\r\n\r\n"),
    "LF in quotes": size(b'5;a="\n"'),
    "CR in quotes": size(b'5;a="\r"'),
    "NUL within": size(b"5;a\x00"),
    "NUL in quotes": size(b'5;a="\x00"'),
    "without a semicolon": size(b"5 a=b"),
    "an equals sign and nothing": size(b"5;a="),
    "nothing and an equals sign": size(b"5;=b"),
    "two semicolons": size(b"5;;a"),
    "a blank at the end": size(b"5;a "),
    "two words": size(b"5;a b"),
    "a colon": size(b"5;a:b"),
    "an escape at the end": size(b'5;a="b\\'),
    "on the last chunk, with LF": broken(b"5\r\nhello\r\n0;a\n\r\n"),
    "a size in the extension": whole(b"5;5\r\nhello\r\n0;5\r\n\r\n"),
    "a semicolon in quotes": whole(b'5;a=";6"\r\nhello\r\n0\r\n\r\n'),
    "a quote in quotes": whole(b'5;a="\\"";b\r\nhello\r\n0\r\n\r\n'),
    "blanks around": whole(b"5 ; a = b\r\nhello\r\n0\t;\tc\r\n\r\n"),
    "of two hundred bytes": whole(b"5;" + b"a" * 200 + b"\r\nhello\r\n0\r\n\r\n"),
}

TERMINATORS = {
    "none": broken(b"5\r\nhello0\r\n\r\n"),
    "LF": broken(b"5\r\nhello\n0\r\n\r\n"),
    "CR": broken(b"5\r\nhello\r0\r\n\r\n"),
    "CR and a byte": broken(b"5\r\nhello\rX0\r\n\r\n"),
    "CR twice": broken(b"5\r\nhello\r\r\n0\r\n\r\n"),
    "LF and CR": broken(b"5\r\nhello\n\r0\r\n\r\n"),
    "LF twice": broken(b"5\r\nhello\n\n0\r\n\r\n"),
    "two bytes that are skipped": broken(b"5\r\nhelloXX0\r\n\r\n"),
    "a blank before": broken(b"5\r\nhello \r\n0\r\n\r\n"),
    "two bytes too many, hiding a request": broken(b"5\r\nhelloX\r\n2\r\n45\r\n0\r\n\r\n" + SMUGGLED + LAST_CHUNK),
    "data shorter than its size": broken(b"6\r\nhello\r\n0\r\n\r\n"),
    "LF behind a size": broken(b"5\nhello\r\n0\r\n\r\n"),
    "CR behind a size": broken(b"5\rhello\r\n0\r\n\r\n"),
    "CR twice behind a size": broken(b"5\r\r\nhello\r\n0\r\n\r\n"),
    "LF behind the last size": broken(b"5\r\nhello\r\n0\n\r\n"),
    "CR behind the last size": broken(b"5\r\nhello\r\n0\r\r\n"),
    "LF at the end": broken(b"5\r\nhello\r\n0\r\n\n"),
    "LF twice at the end": broken(b"5\r\nhello\r\n0\n\n"),
    "CR at the end": broken(b"5\r\nhello\r\n0\r\n\rX"),
}


def trailer(line):
    return broken(b"5\r\nhello\r\n0\r\n" + line + b"\r\n\r\n")


TRAILERS = {
    "a request in the trailers": trailer(b"GET /smuggled HTTP/1.1\r\nHost: test"),
    "a request as the trailers": broken(b"5\r\nhello\r\n0\r\n" + SMUGGLED),
    "a request behind LF": broken(b"5\r\nhello\r\n0\r\n\n" + SMUGGLED),
    "Transfer-Encoding": trailer(b"Transfer-Encoding: chunked"),
    "Content-Length of a request": trailer(b"Content-Length: 49"),
    "Content_Length": trailer(b"Content_Length: 5"),
    "Connection": trailer(b"Connection: close"),
    "Upgrade": trailer(b"Upgrade: websocket"),
    "Expect": trailer(b"Expect: 100-continue"),
    "X-Forwarded-For": trailer(b"X-Forwarded-For: 127.0.0.1"),
    "X_Forwarded_For": trailer(b"X_Forwarded_For: 127.0.0.1"),
    "Cookie": trailer(b"Cookie: a=b"),
    "no colon": trailer(b"nonsense"),
    "no name": trailer(b": b"),
    "a space before the name": trailer(b" X-A: b"),
    "a space in the name": trailer(b"X A: b"),
    "NUL in the name": trailer(b"X\x00A: b"),
    "NUL in the value": trailer(b"X-A: \x00"),
    "LF hiding a field": trailer(b"X-A: b\nHost: other"),
    "CR hiding a field": trailer(b"X-A: b\rHost: other"),
    "CR twice": trailer(b"X-A: b\r"),
    "folded into a field": trailer(b"X-A: b\r\n Content-Length: 5"),
    "one that passes": whole(b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n"),
    "a request in a value": whole(b"5\r\nhello\r\n0\r\nX-Sum: GET /smuggled HTTP/1.1\r\n\r\n"),
    "a request with a colon": whole(b"5\r\nhello\r\n0\r\nX-Sum:GET /smuggled HTTP/1.1\r\nX-Host: test\r\n\r\n"),
    "one that is announced and does not come": read(
        head(CHUNKED, b"Trailer: X-Sum") + b"5\r\nhello\r\n0\r\n\r\n", Message("POST", "/a", b"hello")
    ),
}
