# SPDX-License-Identifier: Apache-2.0
# Why we read a case of the corpus in another way than h11 or llhttp does. Cases by patterns of their names.

# What one of them, or both, read and we refuse.
STRICTER = {
    "Content-Length beside Transfer-Encoding is refused (RFC 9112 section 6.3 allows it): whoever sends both means two"
    " readers": ["CL.TE: *", "TE.CL: *", "heads*: length and coding", "heads*: coding and length"],
    "A coding in HTTP/1.0 is faulty framing (RFC 9112 section 6.1); its readers do not know it": [
        "*: HTTP/1.0 with a coding that it does not know", "heads*: coding in HTTP/1.0",
    ],
    "chunked is the one coding, once, in a list without empty elements: who ignores the others decodes too little": [
        "TE.TE: another line, then chunked", "TE.TE: identity, then chunked in a list", "TE.TE: a comma before",
        "heads*: unknown coding before chunked",
    ],
    "A length is one field of digits below 2^63: not every reader takes equal ones for one, or has room for more": [
        "CL.CL: twenty digits", "CL.CL: in two spellings", "heads*: repeated length", "heads*: list of lengths",
    ],
    "A field in two lines may be refused (RFC 9112 section 5.2), and is two fields to some": [
        "*: a folded *", "*: a line of blanks", "*: a field hidden in a fold", "*: folded", "*: folded into a field",
        "*: two Hosts, one behind a space", "heads*: *folded*", "bodies*: folded trailer",
    ],
    "LF or CR alone may be taken for a line's end, or not (RFC 9112 section 2.2): so neither may stand there": [
        "*: LF *", "*: CR *", "*: *bare LF*", "*: * behind LF", "*: an end of the head by LF, hiding a request",
        "bodies*: trailer ended by LF", "chunk terminators: LF at the end",
    ],
    "One empty line before a request is ignored (RFC 9112 section 2.2), more are not from a client": [
        "*: two line ends behind a body", "heads*: two empty lines before a request",
    ],
    "Control bytes do not belong into a line, and some readers end a string at NUL": [
        "chunk extensions: NUL *", "heads*: control byte in a value", "heads*: DEL in a value",
        "bodies*: extension with a control byte",
    ],
    "A chunk's size is at most 16 digits below 2^63, and nothing but an extension may follow: others wrap around": [
        "chunk sizes: seventeen zeros", "chunk sizes: a tab behind",
        "bodies*: size *", "bodies*: blank behind the size",
    ],
    "An extension that is none may hide a line's end (RFC 9112 section 7.1.1 has its grammar), and nobody needs one": [
        "chunk extensions: a[n ]*", "chunk extensions: nothing and an equals sign", "chunk extensions: two *",
        "bodies*: extension with*", "bodies*: extensions without end",
    ],
    "A trailer cannot change what was decided by the head (RFC 9110 section 6.5.1), but is merged into it by some": [
        "trailers: Transfer-Encoding", "trailers: Content?Length*", "trailers: Connection", "trailers: Upgrade",
        "trailers: Expect", "trailers: X?Forwarded?For", "trailers: Cookie", "bodies*: trailer that *",
    ],
    "There is one Host, it is a name or an address with a port or none, and the target's authority is the same: by which"
    " of two one routes, differs": [
        "hosts: *", "heads*: *Host*", "heads*: two hosts in one field", "*: user in the target",
    ],
    "A target is one of the four forms (RFC 9112 section 3.2), for http or https, and of bytes that a URI may have": [
        "heads*: fragment in the target", "heads*: target without a slash", "heads*: asterisk for GET",
        "heads*: another scheme", "heads*: CONNECT *", "heads*: two spaces",
    ],
    "CONNECT is not for a gateway, and what a client sends behind it is not HTTP": ["Upgrade and CONNECT: CONNECT*"],
    "An expectation other than 100-continue cannot be met (RFC 9110 section 10.1.1)": ["Expect: *", "heads*: *expectation"],
    "HTTP/1.1 and HTTP/1.0 are spoken here; another major version is another protocol": [
        "heads*: HTTP/?.?", "heads*: no version", "heads*: an HTTP/2 preface",
    ],
    "A method has at most 32 letters, which none that is registered passes": ["heads*: method of 33 letters"],
}  # fmt: skip

# What one of them refuses, or reads otherwise, and we pass on.
OTHERWISE = {
    "Blanks around a value are spaces and tabs (RFC 9110 section 5.5), and around an extension too (RFC 9112 section"
    " 7.1.1). Endpoints get neither: the framing is written anew": ["TE.TE: blanks around", "chunk extensions: blanks around"],
    "One empty line before a request is to be ignored (RFC 9112 section 2.2)": [
        "*: a line end behind a body", "*: an empty line before the request",
    ],
    "A minor version to come is read as the highest that is known (RFC 9110 section 2.5). Endpoints get HTTP/1.1": [
        "versions: HTTP/1.?",
    ],
    "h11 keeps no connection of HTTP/1.0. We do where Connection says keep-alive and not close (RFC 9112 section 9.3);"
    " llhttp also where Proxy-Connection says so, or close": [
        "versions: HTTP/1.0 *", "Expect: in HTTP/1.0",
    ],
    "llhttp takes whatever follows an upgrade for the other protocol, a body, too, although nobody has agreed. Endpoints"
    " are asked for an upgrade only where the request has no body, and get what is behind it once they have answered": [
        "Upgrade and CONNECT: a websocket *", "Upgrade and CONNECT: HTTP/2 in clear text", "Upgrade and CONNECT: TLS within",
    ],
}  # fmt: skip
