# SPDX-License-Identifier: Apache-2.0
# Two framings, or one that not everybody sees: Content-Length against Transfer-Encoding, and each against none.

from corpus.case import BROKEN, CHUNKED, LAST_CHUNK, SMUGGLED, Case, Message
from corpus.case import chunk, coded, head, length, read, refused, sized

POISON = chunk(SMUGGLED) + LAST_CHUNK

CL_TE = {
    "a prefix behind the last chunk": refused(head(b"Content-Length: 6", CHUNKED) + LAST_CHUNK + b"G"),
    "a request behind the last chunk": refused(head(length(LAST_CHUNK + SMUGGLED), CHUNKED) + LAST_CHUNK + SMUGGLED),
    "a coding in other letters": refused(head(b"content-length: 6", b"tRANSFER-eNCODING: cHUNKED") + LAST_CHUNK + b"G"),
    "a coding before the length": refused(head(CHUNKED, b"Content-Length: 6") + LAST_CHUNK + b"G"),
    "a coding between two lengths": refused(head(b"Content-Length: 6", CHUNKED, b"Content-Length: 5") + LAST_CHUNK + b"G"),
    "a coding that Connection takes away": refused(
        head(b"Connection: Transfer-Encoding", length(POISON), CHUNKED) + POISON
    ),
    "a length that Connection takes away": refused(head(b"Connection: Content-Length", length(POISON), CHUNKED) + POISON),
    "a GET": refused(head(b"Content-Length: 6", CHUNKED, method=b"GET") + LAST_CHUNK + b"G"),
    "in HTTP/1.0": refused(head(b"Content-Length: 6", CHUNKED, version=b"HTTP/1.0") + LAST_CHUNK + b"G"),
    "both say nothing": refused(head(b"Content-Length: 0", CHUNKED) + LAST_CHUNK),
    "with Expect": refused(head(b"Content-Length: 6", CHUNKED, b"Expect: 100-continue") + LAST_CHUNK + b"G"),
}

TE_CL = {
    "a request in a chunk": refused(head(b"Content-Length: 4", CHUNKED) + POISON),
    "a length of the first size line": refused(head(CHUNKED, b"Content-Length: 4") + POISON),
    "a length of nothing": refused(head(b"Content-Length: 0", CHUNKED) + POISON),
    "an unknown coding beside a length": refused(head(b"Content-Length: 4", b"Transfer-Encoding: x") + POISON),
    "identity beside a length": refused(head(b"Content-Length: 4", b"Transfer-Encoding: identity") + POISON),
    "a malformed length beside a coding": refused(head(b"Content-Length: 4x", CHUNKED) + POISON),
    "an empty length beside a coding": refused(head(b"Content-Length:", CHUNKED) + POISON),
}


def named(line, status=400):
    """A field by which one reader decodes the body and another does not."""
    return refused(head(line) + POISON, status)


def spelt(line):
    data = head(line) + POISON
    return read(data, Message("POST", "/a", SMUGGLED))


# Transfer-Encoding as one of two readers does not see it.
TE_TE = {
    "chunked, then another line": named(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
    "chunked, then identity": named(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
    "another line, then chunked": named(b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked"),
    "identity, then chunked in a list": named(b"Transfer-Encoding: identity, chunked"),
    "an unknown coding behind a list": named(b"Transfer-Encoding: chunked, cow"),
    "a comma behind": named(b"Transfer-Encoding: chunked,"),
    "a comma before": named(b"Transfer-Encoding: ,chunked"),
    "a blank within": named(b"Transfer-Encoding: chun ked"),
    "two codings without a comma": named(b"Transfer-Encoding: x chunked"),
    "a semicolon behind": named(b"Transfer-Encoding: chunked;"),
    "a value in single quotes": named(b"Transfer-Encoding: 'chunked'"),
    "a space before the colon": named(b"Transfer-Encoding : chunked"),
    "a line end before the colon": named(b"Transfer-Encoding\n: chunked"),
    "a folded line before the value": named(b"Transfer-Encoding:\r\n chunked"),
    "a folded line behind the value": named(b"Transfer-Encoding: chunked\r\n x"),
    "a folded line within the value": named(b"Transfer-Encoding: chu\r\n nked"),
    "a field hidden behind LF": named(b"X: x\nTransfer-Encoding: chunked"),
    "a field hidden behind CR": named(b"X: x\rTransfer-Encoding: chunked"),
    "a field hidden in a fold": named(b"X: x\r\n Transfer-Encoding: chunked"),
    "NUL behind the value": named(b"Transfer-Encoding: chunked\x00"),
    "NUL before the value": named(b"Transfer-Encoding: \x00chunked"),
    "NUL behind the name": named(b"Transfer-Encoding\x00: chunked"),
    "a form feed before the value": named(b"Transfer-Encoding: \x0cchunked"),
    "a vertical tab behind the value": named(b"Transfer-Encoding: chunked\x0b"),
    "a no-break space before the value": named(b"Transfer-Encoding: \xa0chunked"),
    "a byte order mark before the name": named(b"\xef\xbb\xbfTransfer-Encoding: chunked"),
    "a byte above ASCII before the value": named(b"Transfer-Encoding: \xffchunked"),
    "a byte above ASCII within": named(b"Transfer-Encoding: ch\x96nked"),
    "a Kelvin sign for a k": named("Transfer-Encoding: chun\u212aed".encode()),
    "a control byte before the name": named(b"\x01Transfer-Encoding: chunked"),
    "a colon before the name": named(b":Transfer-Encoding: chunked"),
    "CR at the end of the value": named(b"Transfer-Encoding: chunked\r"),
    "a tab for the space": spelt(b"Transfer-Encoding:\tchunked"),
    "no space": spelt(b"Transfer-Encoding:chunked"),
    "blanks around": spelt(b"Transfer-Encoding:  \t chunked \t"),
    "capital letters": spelt(b"TRANSFER-ENCODING: CHUNKED"),
    "an underscore": sized(b"Transfer_Encoding: chunked"),
    "a dot": sized(b"Transfer.Encoding: chunked"),
    "no hyphen": sized(b"TransferEncoding: chunked"),
    "a hyphen more": sized(b"Transfer-Encoding-: chunked"),
    "an X before": sized(b"X-Transfer-Encoding: chunked"),
    "in Content-Encoding": sized(b"Content-Encoding: chunked"),
    "in TE": sized(b"TE: chunked"),
    "in Trailer": sized(b"Trailer: Transfer-Encoding"),
    "in a value": sized(b"X: Transfer-Encoding: chunked"),
    "in the query": sized(target=b"/a?Transfer-Encoding:chunked"),
    "named by Connection": coded(b"Connection: Transfer-Encoding"),
}


def counted(value, body=b"hello", status=400):
    return refused(head(b"Content-Length:" + value) + body, status)


# A length that two readers count differently.
CL_CL = {
    "a list of two": counted(b" 5, 6"),
    "a comma behind": counted(b" 5,"),
    "a comma before": counted(b" ,5"),
    "a semicolon behind": counted(b" 5;"),
    "a fraction": counted(b" 5.0"),
    "in quotes": counted(b' "5"'),
    "minus nothing": counted(b" -0", b""),
    "plus nothing": counted(b" +0", b""),
    "hexadecimal nothing": counted(b" 0x0", b""),
    "octal": counted(b" 0o5"),
    "twenty digits": counted(b" 00000000000000000005"),
    "beyond 32 bits, and back at 5": Case(head(b"Content-Length: 4294967301", target=BROKEN) + b"hello", ends=True),
    "a vertical tab before": counted(b" \x0b5"),
    "a form feed behind": counted(b" 5\x0c"),
    "NUL behind": counted(b" 5\x00"),
    "NUL and more behind": counted(b" 5\x000"),
    "a no-break space": counted(b"\xa05"),
    "digits beyond ASCII": counted(" \u0665".encode()),
    "digits of full width": counted(" \uff15".encode()),
    "a folded line before": counted(b"\r\n 5"),
    "a folded line behind": counted(b" 5\r\n 0"),
    "CR behind": counted(b" 5\r"),
    "in two spellings": counted(b" 5\r\ncontent-length: 5"),
    "nothing, then five": counted(b" 0\r\nContent-Length: 5"),
    "named by Connection": sized(b"Connection: Content-Length", body=SMUGGLED),
    "leading zeros": read(head(b"Content-Length: 0010") + b"0123456789", Message("POST", "/a", b"0123456789")),
    "blanks around": read(head(b"Content-Length: \t 5 \t") + b"hello", Message("POST", "/a", b"hello")),
    "an underscore beside a coding": coded(b"Content_Length: 4"),
    "a dot beside a coding": coded(b"Content.Length: 4"),
    "no hyphen beside a coding": coded(b"ContentLength: 4"),
    "an X before, beside a coding": coded(b"X-Content-Length: 4"),
    "an underscore beside a length": sized(b"Content_Length: 0"),
}

# A body that one reader does not expect.
NO_BODY = {
    "GET with a length": sized(body=SMUGGLED, method=b"GET"),
    "HEAD with a length": sized(body=SMUGGLED, method=b"HEAD"),
    "DELETE with a length": sized(body=SMUGGLED, method=b"DELETE"),
    "OPTIONS with a length": sized(body=SMUGGLED, method=b"OPTIONS"),
    "PROPFIND with a length": sized(body=SMUGGLED, method=b"PROPFIND"),
    "GET with chunks": coded(method=b"GET"),
    "HEAD with chunks": coded(method=b"HEAD"),
    "OPTIONS with chunks": coded(method=b"OPTIONS"),
    "a length that nobody waits for": sized(body=SMUGGLED, target=b"/early"),
    "a GET's length that nobody waits for": sized(body=SMUGGLED, method=b"GET", target=b"/early"),
    "a HEAD's length that nobody waits for": sized(body=SMUGGLED, method=b"HEAD", target=b"/early"),
    "chunks that nobody waits for": coded(target=b"/early"),
    "a GET's chunks that nobody waits for": coded(method=b"GET", target=b"/early"),
    "an OPTIONS's chunks that nobody waits for": coded(method=b"OPTIONS", target=b"/early"),
    "a file of an upstream": sized(body=SMUGGLED, target=b"/early/logo.png"),
    "a folder of an upstream": sized(body=SMUGGLED, target=b"/early/"),
    "no length is no body": read(head() + SMUGGLED, Message("POST", "/a"), Message("GET", "/smuggled")),
    "a length of nothing": read(head(b"Content-Length: 0") + SMUGGLED, Message("POST", "/a"), Message("GET", "/smuggled")),
    "a last chunk only": read(head(CHUNKED) + LAST_CHUNK + SMUGGLED, Message("POST", "/a"), Message("GET", "/smuggled")),
    "a line end behind a body": read(head(b"Content-Length: 5") + b"hello\r\n", Message("POST", "/a", b"hello")),
    "two line ends behind a body": Case(
        head(b"Content-Length: 5") + b"hello\r\n\r\n", (Message("POST", "/a", b"hello"),), refused=400
    ),
    "bytes behind a body": Case(
        head(b"Content-Length: 5") + b"hello!\r\n", (Message("POST", "/a", b"hello"),), refused=400
    ),
}
