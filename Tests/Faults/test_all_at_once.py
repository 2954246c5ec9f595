# SPDX-License-Identifier: Apache-2.0
# Reloads, a change of certificates, endpoints that are killed, one that comes, and a drain to another gateway, all
# during one load: every request is answered.

import ssl

import pytest

from asking import Crowd, Keeper, ask
from polling import eventually
from reloads import File, reload
from server import BINARY, GATEWAY, Server
from test_tls_reload import Mount

pytestmark = pytest.mark.short
GREETING = b"Hello, world\n"
# Between one step and the next.
REQUESTS = 400


def text(endpoints, seconds):
    urls = ", ".join(one.url for one in endpoints)
    return f"upstreams: {{a: {{endpoints: [{urls}]}}}}\nroutes: [{{upstream: a, deadline: {seconds}s}}]\n"


@pytest.fixture
def endpoints():
    """Services that may be killed."""
    servers = [Server({"WEIR_LOOPS": 1, "WEIR_DRAIN_TIMEOUT": "1s"}, binary=BINARY) for _ in range(4)]
    yield servers
    for server in servers:
        server.kill()


def test_no_request_is_lost_while_everything_changes(start, endpoints, authority, tmp_path, figure):
    *first, spare = endpoints
    file, mount = File(tmp_path), Mount(tmp_path / "secret")
    mount.publish(*authority.pair("one", "shop.test"))
    file.write(text(first, 5))

    def begin():
        return start(
            GATEWAY, WEIR_CONFIG=file.path, WEIR_LOOPS=2, WEIR_LISTEN="127.0.0.1:0,tls://127.0.0.1:0",
            WEIR_TLS_CERT=mount.certificate, WEIR_TLS_KEY=mount.key, WEIR_DRAIN_DELAY="1s", WEIR_DRAIN_TIMEOUT="10s",
        )  # fmt: skip

    servers = [begin()]
    old = servers[0]
    plain, secure = (
        lambda index=index: ("127.0.0.1", servers[-1].port_of(servers[-1].listen[index])) for index in range(2)
    )
    context = ssl.create_default_context(cafile=authority.file)
    with Crowd() as crowd:
        for _ in range(3):
            crowd.add("kept", Keeper(plain, expected=GREETING))
            crowd.add("kept, TLS", Keeper(secure, expected=GREETING, context=context))
        crowd.add("worker", Keeper(plain, "/blocking", GREETING))
        crowd.add("slow", Keeper(plain, "/sleep?ms=50", b"slept 50 ms\n"))
        crowd.add("new", lambda: ask(plain())[0])
        crowd.add("new, TLS", lambda: ask(secure(), context=context)[0])
        crowd.wait_for(REQUESTS)
        # All of these within one another.
        first[0].kill()
        mount.publish(*authority.pair("two", "shop.test"))
        file.write(text(first, 4))
        assert reload(old)[0] == 200
        crowd.wait_for(REQUESTS)
        file.write(text([first[1], first[2], spare], 6))
        assert reload(old)[0] == 200
        first[1].kill()
        crowd.wait_until(lambda: old.metric('weir_tls_reloads_total{outcome="applied"}') == 1, "the pair is changed")
        crowd.wait_for(REQUESTS)
        new = begin()
        old.signal()
        eventually(lambda: old.process.poll() is not None or old.ask_admin("/readyz")[0] == 503, "readiness fails")
        servers.append(new)
        assert old.wait() == 0
        crowd.wait_for(REQUESTS)
        seen = crowd.stop()
    assert "drained" in old.messages
    assert {outcome for _, outcome in seen} == {200}, seen
    figure(
        f"{seen.total()} of {seen.total()} requests answered with 200 through 2 reloads, a change of certificates, "
        "2 endpoints killed, one more, and a drain to another gateway"
    )
