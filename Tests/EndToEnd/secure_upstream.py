# SPDX-License-Identifier: Apache-2.0
# An endpoint that speaks TLS: the scripted one behind Python's ssl.

import contextlib
import ssl

from upstream import Upstream, serve_all


def server_context(pair, clients=None, highest=None):
    """What a server shows; `clients` is the CA that must have signed a client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.set_alpn_protocols(["http/1.1"])
    if highest:
        context.maximum_version = highest
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class SecureUpstream(Upstream):
    """Counts the handshakes that were done, by whether a session was resumed, and keeps why others were not."""

    def __init__(self, context, script=serve_all, **options):
        self.context, self.names, self.refusals = context, [], []
        self.resumed = {True: 0, False: 0}
        context.sni_callback = lambda _, name, __: self.names.append(name)
        super().__init__(script, **options)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def _run(self, peer):
        try:
            peer.socket = self.context.wrap_socket(peer.socket, server_side=True)
        except OSError as error:
            with self.changed:
                self.refusals.append(error)
                self.ends[peer.number] += 1
                self.changed.notify_all()
            with contextlib.suppress(OSError):
                peer.close()
            return
        with self.changed:
            self.resumed[peer.socket.session_reused] += 1
        super()._run(peer)

    @property
    def handshakes(self):
        return sum(self.resumed.values())
