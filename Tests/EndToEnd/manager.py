# SPDX-License-Identifier: Apache-2.0
# A service manager as a service sees one: the socket that NOTIFY_SOCKET names.

import socket

from polling import PATIENCE_SECONDS


class Manager:
    """Takes what a service tells; each message is a list of assignments."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(PATIENCE_SECONDS)

    def settings(self, watchdog_seconds=None):
        """The variables that such a manager sets."""
        watchdog = {"WATCHDOG_USEC": int(watchdog_seconds * 1e6)} if watchdog_seconds else {}
        return {"NOTIFY_SOCKET": self.path, **watchdog}

    def next(self):
        return self.socket.recv(4096).decode().split("\n")

    def next_state(self):
        """The next message that is neither a sign of life nor a mere status."""
        while True:
            message = self.next()
            if message != ["WATCHDOG=1"] and not message[0].startswith("STATUS="):
                return message

    def rest(self):
        """What has come and was not asked for yet."""
        self.socket.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(self.next())
        except BlockingIOError:
            return messages
        finally:
            self.socket.settimeout(PATIENCE_SECONDS)

    def close(self):
        self.socket.close()
