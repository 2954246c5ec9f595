# SPDX-License-Identifier: Apache-2.0
# What other parsers take bytes for, without a socket: h11, and llhttp, which is Node's (by httptools).

import re

import h11
import httptools

# Of an absolute target an endpoint gets the path.
AUTHORITY = re.compile(r"(?i)https?://[^/?#]*")


def by_h11(data):
    """The messages (method, target, body) in `data`, and whether it refuses what comes then."""
    messages = []
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    parser.receive_data(data)
    try:
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                messages.append(message(head.method, head.target, body))
                parser.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
                parser.send(h11.EndOfMessage())
                if parser.our_state is h11.MUST_CLOSE:
                    return messages, False
                parser.start_next_cycle()
            else:
                # More is needed, or a CONNECT: what is behind is not HTTP.
                return messages, False
    except h11.RemoteProtocolError:
        return messages, True


class LLHTTPMessages:
    """The callbacks of httptools."""

    def __init__(self):
        self.messages, self.isLast = [], False
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self):
        self.target = self.body = b""

    def on_url(self, url):
        self.target += url

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        if not self.isLast:
            self.messages.append(message(self.parser.get_method(), self.target, self.body))
        self.isLast = self.isLast or not self.parser.should_keep_alive()


def by_llhttp(data):
    """As `by_h11`."""
    reader = LLHTTPMessages()
    try:
        reader.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        # What is behind is not HTTP.
        return reader.messages, False
    except httptools.HttpParserError:
        return reader.messages, not reader.isLast
    return reader.messages, False


def message(method, target, body):
    return method.decode("latin-1"), AUTHORITY.sub("", target.decode("latin-1")) or "/", bytes(body)
