# SPDX-License-Identifier: Apache-2.0
# Certificates and ticket keys that change while connections come and go.

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from certificates import Authority
from polling import PATIENCE_SECONDS, eventually
from server import Server
from wire import request

APPLIED = 'weir_tls_reloads_total{outcome="applied"}'
REJECTED = "weir_tls_certificates_rejected"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


class Mount:
    """A folder as a kubelet mounts a Secret: files that are links through `..data`, which is swapped."""

    def __init__(self, folder):
        self.folder = folder
        self.count = 0
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"

    def publish(self, certificate, key):
        self.count += 1
        version = self.folder / f"..{self.count}"
        version.mkdir(parents=True)
        shutil.copy(certificate, version / "tls.crt")
        shutil.copy(key, version / "tls.key")
        link = self.folder / "..next"
        link.symlink_to(version.name)
        link.rename(self.folder / "..data")
        for name in ("tls.crt", "tls.key"):
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")


@pytest.fixture
def mount(tmp_path, authority):
    mount = Mount(tmp_path / "secret")
    mount.publish(*authority.pair("first", "shop.test"))
    return mount


def settings_of(mount, **settings):
    return {
        "WEIR_LISTEN": "tls://127.0.0.1:0",
        "WEIR_TLS_CERT": mount.certificate,
        "WEIR_TLS_KEY": mount.key,
        **settings,
    }


def context_of(authority):
    context = ssl.create_default_context(cafile=authority.file)
    # Sessions are taken up between servers that show different certificates.
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


def connect(server, authority, **options):
    plain = socket.create_connection(server.address, timeout=PATIENCE_SECONDS)
    context = options.pop("context", None) or context_of(authority)
    return context.wrap_socket(plain, server_hostname="shop.test", **options)


def ask(connection):
    connection.sendall(request())
    answer = connection.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def name_shown(server, authority):
    with connect(server, authority) as connection:
        ((_, name),) = connection.getpeercert()["subject"][0]
        return name


def test_a_swapped_secret_is_shown_to_new_connections_and_old_ones_go_on(serve, authority, mount):
    server = serve(**settings_of(mount))
    before = server.metric(f'weir_tls_certificate_expiry_seconds{{certificate="{mount.certificate}"}}')
    with connect(server, authority) as old:
        ask(old)
        assert name_shown(server, authority) == "first"
        mount.publish(*authority.pair("second", "shop.test", days=60))
        server.wait_for_metric(APPLIED, 1)
        assert name_shown(server, authority) == "second"
        ask(old)
    after = server.metric(f'weir_tls_certificate_expiry_seconds{{certificate="{mount.certificate}"}}')
    assert after - before > 20 * 86_400


def test_no_request_fails_while_certificates_change(serve, authority, mount):
    server = serve(**settings_of(mount, WEIR_KEEPALIVE_REQUESTS=1_000_000_000))
    stopped, failures = threading.Event(), []
    # Requests of connections that come and go, and of those that stay, since the last change.
    counts = {False: 0, True: 0}

    def load(is_kept):
        while not stopped.is_set():
            try:
                with connect(server, authority) as connection:
                    asked = 0
                    while not stopped.is_set() and (is_kept or asked < 5):
                        ask(connection)
                        asked += 1
                        counts[is_kept] += 1
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=load, args=[is_kept]) for is_kept in (False, False, True, True)]
    for thread in threads:
        thread.start()
    for number in range(2):
        mount.publish(*authority.pair(f"next{number}", "shop.test"))
        server.wait_for_metric(APPLIED, number + 1)
        before = dict(counts)
        eventually(lambda: all(counts[kind] > before[kind] + 20 for kind in counts), "both go on")
    stopped.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_wrong_pair_keeps_the_old_one_and_says_which_file_and_why(authority, mount):
    server = Server(settings_of(mount))
    try:
        certificate, _ = authority.pair("second", "shop.test")
        _, other_key = authority.pair("other", "shop.test")
        mount.publish(certificate, other_key)
        server.wait_for_metric(REJECTED, 1)
        line = server.wait_for_line("certificates were not reloaded")
        assert f"{mount.key}: not the key of the first certificate in {mount.certificate}" in line
        assert name_shown(server, authority) == "first"
        mount.publish(*authority.pair("third", "shop.test"))
        server.wait_for_metric(APPLIED, 1)
        assert server.metric(REJECTED) == 0
        assert name_shown(server, authority) == "third"
    finally:
        server.signal()
        assert server.wait() == 0
        server.kill()


def test_a_session_is_resumed_after_a_change_of_certificates(serve, authority, mount):
    server = serve(**settings_of(mount))
    context = context_of(authority)
    with connect(server, authority, context=context) as first:
        ask(first)
        session = first.session
    mount.publish(*authority.pair("second", "shop.test"))
    server.wait_for_metric(APPLIED, 1)
    with connect(server, authority, context=context, session=session) as second:
        assert second.session_reused


def test_replicas_with_the_same_keys_resume_each_others_sessions(serve, authority, mount, tmp_path):
    old, new = tmp_path / "old.key", tmp_path / "new.key"
    old.write_bytes(os.urandom(80))
    new.write_bytes(os.urandom(80))
    servers = [
        serve(**settings_of(mount, WEIR_TLS_TICKET_KEYS=keys))
        for keys in (str(old), f"{new},{old}", str(new), None)
    ]
    context = context_of(authority)
    with connect(servers[0], authority, context=context) as first:
        ask(first)
        session = first.session
    resumed = []
    for server in servers:
        with connect(server, authority, context=context, session=session) as again:
            resumed.append(again.session_reused)
    assert resumed == [True, True, False, False]


def test_ticket_keys_are_read_again_when_they_change(serve, authority, mount, tmp_path):
    file = tmp_path / "ticket.key"
    file.write_bytes(os.urandom(80))
    server = serve(**settings_of(mount, WEIR_TLS_TICKET_KEYS=file))
    context = context_of(authority)
    with connect(server, authority, context=context) as first:
        ask(first)
        session = first.session
    file.write_bytes(os.urandom(80))
    server.wait_for_metric(APPLIED, 1)

    def is_forgotten():
        with connect(server, authority, context=context, session=session) as again:
            return not again.session_reused

    eventually(is_forgotten, "the old key is gone")


def key_name(server, session, *arguments):
    """What names the key that has sealed a new ticket: its first 16 bytes, as the openssl program shows them."""
    result = subprocess.run(
        [
            "openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-servername", "shop.test",
            *map(str, arguments), "-sess_out", session,
        ],
        input=b"", capture_output=True, timeout=60,
    )  # fmt: skip
    output = result.stdout.decode()
    (line,) = [line for line in output.splitlines() if line.strip().startswith("0000 - ")]
    return bytes.fromhex(line.split(" - ")[1][:47].replace("-", " ")), "Reused, " in output


def test_a_new_key_seals_and_the_one_before_it_still_opens(serve, authority, mount, tmp_path):
    files = present, former = tmp_path / "present.key", tmp_path / "former.key"
    session = tmp_path / "session.pem"
    keys = [os.urandom(80) for _ in range(4)]

    def publish(*contents):
        for file, content in zip(files, contents):
            (tmp_path / "next").write_bytes(content)
            (tmp_path / "next").rename(file)

    publish(keys[1], keys[0])
    server = serve(**settings_of(mount, WEIR_TLS_TICKET_KEYS=f"{present},{former}"))
    assert key_name(server, session) == (keys[1][:16], False)
    publish(keys[2], keys[1])
    eventually(lambda: key_name(server, tmp_path / "other.pem")[0] == keys[2][:16], "the new key seals")
    # Whoever shows a ticket of the old key is taken, and given one of the new key.
    assert key_name(server, session, "-sess_in", session) == (keys[2][:16], True)
    # The keys of both are gone.
    publish(keys[3], keys[0])
    eventually(lambda: key_name(server, tmp_path / "other.pem")[0] == keys[3][:16], "the next key seals")
    assert key_name(server, session, "-sess_in", session) == (keys[3][:16], False)


def test_one_wrong_certificate_keeps_nothing_else_from_being_new(authority, mount, tmp_path):
    other = Mount(tmp_path / "other")
    other.publish(*authority.pair("other", "other.test"))
    keys = tmp_path / "ticket.key"
    keys.write_bytes(os.urandom(80))
    server = Server(
        settings_of(
            mount,
            WEIR_TLS_CERT=f"{other.certificate},{mount.certificate}",
            WEIR_TLS_KEY=f"{other.key},{mount.key}",
            WEIR_TLS_TICKET_KEYS=keys,
        )
    )
    try:
        context = context_of(authority)
        with connect(server, authority, context=context) as first:
            ask(first)
            session = first.session
        keys.write_bytes(os.urandom(80))
        mount.publish(*authority.pair("second", "shop.test"))
        other.publish(*authority.pair("old", "other.test", days=-1))
        server.wait_for_metric(REJECTED, 1)
        assert f"{other.certificate}: the certificate expired" in server.wait_for_line("certificates were not reloaded")
        assert name_shown(server, authority) == "second"
        with connect(server, authority, context=context, session=session) as again:
            assert not again.session_reused
        other.publish(*authority.pair("good", "other.test"))
        server.wait_for_metric(APPLIED, 1)
        assert server.metric(REJECTED) == 0
    finally:
        server.signal()
        assert server.wait() == 0
        server.kill()


def status_shown(server, authority):
    """What the openssl program says of the stapled response."""
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-status", "-CAfile", authority.file],
        input=b"", capture_output=True, timeout=60,
    )  # fmt: skip
    return result.stdout.decode()


def test_a_response_of_the_ca_is_stapled_while_it_is_good(authority, mount, tmp_path):
    staple = tmp_path / "tls.ocsp"
    server = Server(settings_of(mount, WEIR_TLS_OCSP=staple))
    expiry = f'weir_tls_ocsp_expiry_seconds{{certificate="{mount.certificate}"}}'
    try:
        assert f"{staple}: No such file" in server.wait_for_line("an OCSP response is not taken")
        assert server.metric(expiry) == 0
        authority.response(mount.certificate, staple)
        server.wait_for_metric(expiry, 1)
        output = status_shown(server, authority)
        assert "OCSP Response Status: successful" in output and "Cert Status: good" in output
        assert abs(server.metric(expiry) - time.time() - 86_400) < 3600
        garbage = tmp_path / "garbage.ocsp"
        garbage.write_bytes(b"garbage")
        os.replace(garbage, staple)
        assert "not the DER of a successful response" in server.wait_for_line("not the DER")
        assert server.metric(REJECTED) == 1
        # What was read before is good still.
        assert "Cert Status: good" in status_shown(server, authority)
        assert server.metric(expiry) > 0
        revoked = authority.response(mount.certificate, tmp_path / "revoked.ocsp", is_revoked=True)
        os.replace(revoked, staple)
        eventually(lambda: server.metric(expiry) == 0, "it is not shown any more")
        assert "is revoked" in server.wait_for_line("is revoked")
        assert "OCSP response: no response sent" in status_shown(server, authority)
        assert name_shown(server, authority) == "first"
    finally:
        server.signal()
        assert server.wait() == 0
        server.kill()
