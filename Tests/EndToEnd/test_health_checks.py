# SPDX-License-Identifier: Apache-2.0
# Endpoints that are asked how they are: what they answer, and what happens to their processes, is on the admin pages
# and once in the log.

from control import page, start, wait_for_health
from polling import eventually
from upstream import answer, unused_port

HTTP = {"http": "/healthz", "interval": "1s", "timeout": "500ms"}
TCP = {"tcp": True, "interval": "1s", "timeout": "500ms"}


class Mood:
    """A service that says what it is told of its health, and 200 to all else."""

    def __init__(self):
        self.status, self.hosts = "200 OK", set()

    def __call__(self, peer):
        while True:
            request = peer.request()
            if request.target == "/healthz":
                self.hosts.add(request.header("host"))
                peer.send(answer(b"so it is", status=self.status, headers=["Connection: close"]))
                return
            peer.send(answer())


def sample(server, endpoint, status):
    return server.metric(
        f'weir_upstream_endpoint_health{{upstream="orders",endpoint="{endpoint.url}",status="{status}"}}'
    )


def turns(server, endpoint):
    return [message for message in server.messages if message.startswith(f"endpoint {endpoint.url} of upstream")]


def test_what_an_endpoint_answers_is_its_health(gateway, upstream, tmp_path):
    mood = Mood()
    endpoint = upstream(mood)
    server = start(gateway, tmp_path, {"endpoints": [endpoint.url], "check": HTTP})
    wait_for_health(server, "passing")
    for status, word in [("429 Too Many Requests", "warning"), ("500 Oh", "critical"), ("201 Created", "passing")]:
        mood.status = status
        wait_for_health(server, word)
        assert sample(server, endpoint, word) == 1
        (shown,) = page(server)["endpoints"]
        assert shown["check"].startswith(f"HTTP GET {endpoint.url}/healthz: {status}")
    assert sample(server, endpoint, "critical") == 0
    # Once for each turn, and not for the first result, which was no news.
    words = [message.split(" is ")[1] for message in turns(server, endpoint)]
    assert words == ["warning, was passing", "critical, was warning", "passing, was critical"]
    assert mood.hosts == {f"127.0.0.1:{endpoint.port}"}
    for status in ("passing", "warning", "critical"):
        assert server.metric(f'weir_upstream_checks_total{{upstream="orders",status="{status}"}}') >= 1


def test_an_endpoint_that_nobody_has_checked_yet_serves(gateway, upstream, tmp_path):
    endpoint = upstream(Mood())
    check = {**HTTP, "interval": "1h"}
    server = start(gateway, tmp_path, {"endpoints": [endpoint.url], "check": check})
    assert page(server)["endpoints"][0]["health"] == "unknown"
    with server.connect() as wire:
        assert wire.get().status == 200


def test_thresholds_count_results_in_a_row(gateway, upstream, tmp_path):
    mood = Mood()
    endpoint = upstream(mood)
    check = {**HTTP, "failures-before-critical": 3, "failures-before-warning": 2}
    server = start(gateway, tmp_path, {"endpoints": [endpoint.url], "check": check})
    wait_for_health(server, "passing")
    mood.status = "500 Oh"
    wait_for_health(server, "warning")
    wait_for_health(server, "critical")
    critical = 'weir_upstream_checks_total{upstream="orders",status="critical"}'
    assert server.metric(critical) >= 3
    eventually(lambda: len(turns(server, endpoint)) == 2, "the log has both turns")
    assert [message.split(" is ")[1] for message in turns(server, endpoint)] == [
        "warning, was passing",
        "critical, was warning",
    ]


def test_a_process_that_is_stopped_killed_and_started_again(gateway, upstream_process, tmp_path):
    steady, other = upstream_process(), upstream_process()
    server = start(gateway, tmp_path, {"endpoints": [steady.url, other.url], "check": HTTP})
    wait_for_health(server, "passing", "passing")
    other.stop()
    wait_for_health(server, "passing", "critical")
    assert "timed out" in page(server)["endpoints"][1]["check"]
    other.resume()
    wait_for_health(server, "passing", "passing")
    other.kill()
    wait_for_health(server, "passing", "critical")
    other.restart()
    wait_for_health(server, "passing", "passing")
    assert turns(server, steady) == []
    eventually(lambda: len(turns(server, other)) == 4, "the log has each turn")


def test_a_connection_that_can_be_made(gateway, upstream, tmp_path):
    endpoint, port = upstream(), unused_port()
    endpoints = [endpoint.url, f"http://127.0.0.1:{port}"]
    server = start(gateway, tmp_path, {"endpoints": endpoints, "check": TCP})
    wait_for_health(server, "passing", "critical")
    assert page(server)["endpoints"][1]["check"] == f"TCP connect 127.0.0.1:{port}: no connection"


def test_an_endpoint_that_is_discovered_is_checked_too(gateway, upstream, tmp_path):
    sick, well = Mood(), Mood()
    sick.status = "500 Oh"
    one, two = upstream(sick), upstream(well)
    file = tmp_path / "endpoints"
    file.write_text(f"{one.url}\n")
    server = start(gateway, tmp_path, {"discover": f"file://{file}", "check": HTTP})
    wait_for_health(server, "critical")
    file.write_text(f"{one.url}\n{two.url}\n")
    wait_for_health(server, "critical", "passing")
    file.write_text(f"{two.url}\n")
    wait_for_health(server, "passing")
    # Whoever is listed no more is asked no more.
    endings = sum(one.ends.values())
    checks = 'weir_upstream_checks_total{upstream="orders",status="passing"}'
    server.wait_for_metric(checks, server.metric(checks) + 2)
    eventually(lambda: one.open_count == 0, "nobody is connected to it")
    assert sum(one.ends.values()) - endings <= 1


def test_a_warning_endpoint_keeps_a_share_and_a_critical_one_gets_none(gateway, upstream, tmp_path):
    moods = [Mood(), Mood(), Mood()]
    endpoints = [upstream(mood) for mood in moods]
    configuration = {
        "endpoints": [endpoint.url for endpoint in endpoints],
        "check": HTTP,
        "balance": "round-robin",
        "weights": {"passing": 10, "warning": 1},
        "slow-start": "off",
    }
    server = start(gateway, tmp_path, configuration)
    wait_for_health(server, "passing", "passing", "passing")

    def shares(count):
        before = [served(endpoint) for endpoint in endpoints]
        with server.connect() as wire:
            for _ in range(count):
                assert wire.get().status == 200
        return [served(endpoint) - former for endpoint, former in zip(endpoints, before)]

    def served(endpoint):
        return sum(target != "/healthz" for target in endpoint.targets)

    assert shares(30) == [10, 10, 10]
    moods[2].status = "429 Too Many Requests"
    wait_for_health(server, "passing", "passing", "warning")
    # 10 to 10 to 1, wherever its turn stands.
    assert all(abs(share - due) <= 1 for share, due in zip(shares(210), [100, 100, 10]))
    moods[2].status = "500 Oh"
    wait_for_health(server, "passing", "passing", "critical")
    assert shares(20) == [10, 10, 0]
