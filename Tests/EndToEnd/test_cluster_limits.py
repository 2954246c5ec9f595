# SPDX-License-Identifier: Apache-2.0
# Rate limits that two gateways share: by a real Redis, which is paused, killed and restarted under load; and by the
# number of replicas where there is none.

import threading
import time
from collections import Counter

import pytest

from polling import PATIENCE_SECONDS, eventually
from redis_server import PROGRAM, RedisServer
from server import GATEWAY, run_to_failure

needs_redis = pytest.mark.skipif(PROGRAM is None, reason="needs redis-server, which scripts/setup installs")

BUDGET_SECONDS = 0.02
AWAY, SLOW = (f'weir_redis_fallbacks_total{{reason="{reason}"}}' for reason in ("away", "slow"))


@pytest.fixture
def redis(tmp_path):
    server = RedisServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def cluster(gateway, upstream):
    """Starts gateways that share their limits, and waits until each can ask the Redis."""

    def start(limits, redis, count=2, **settings):
        replicas = [
            gateway(
                upstream(),
                WEIR_RATE_LIMIT=limits,
                WEIR_RATE_LIMIT_SCOPE="cluster",
                WEIR_REDIS=redis.url,
                WEIR_REPLICAS=count,
                **settings,
            )
            for _ in range(count)
        ]
        for replica in replicas:
            replica.wait_for_metric("weir_redis_connected", int(settings.get("WEIR_LOOPS", 1)))
        return replicas

    return start


class Load:
    """Clients that ask one after the other, each on one connection; they keep what they were answered, and how late."""

    def __init__(self, gateways, headers=(), clients=4):
        self.answers = []
        self.is_over = threading.Event()
        self.failure = None
        self.threads = [
            threading.Thread(target=self._ask, args=(gateways[index % len(gateways)], headers))
            for index in range(clients)
        ]
        for thread in self.threads:
            thread.start()

    def _ask(self, gateway, headers):
        try:
            while not self.is_over.is_set():
                with gateway.connect() as wire:
                    # A refusal may end its connection.
                    for _ in range(100):
                        start = time.monotonic()
                        reply = wire.get("/", headers=headers)
                        self.answers.append((reply.status, time.monotonic() - start))
                        if reply.closes or self.is_over.is_set():
                            break
        except Exception as error:
            self.failure = error

    @property
    def statuses(self):
        return Counter(status for status, _ in list(self.answers))

    def wait_for(self, more):
        """Returns when so many more requests have been answered."""
        count = len(self.answers) + more
        eventually(lambda: self.failure or len(self.answers) >= count, f"{more} more answers")

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
        assert self.failure is None, self.failure
        return self.statuses


def total(gateways, name):
    return sum(gateway.metric(name) for gateway in gateways)


@needs_redis
def test_together_two_gateways_admit_exactly_the_limit(cluster, redis):
    gateways = cluster("1000/d;burst=50;by=header:x-key", redis)
    load = Load(gateways, headers=["X-Key: one"])
    load.wait_for(500)
    # The next comes after 86 s.
    assert load.end()[200] == 50
    assert set(load.statuses) == {200, 429}
    assert total(gateways, AWAY) + total(gateways, SLOW) == 0
    # Who is known to be over is not asked about.
    assert total(gateways, "weir_redis_checks_total") < 100
    with gateways[0].connect() as wire:
        assert wire.get("/", headers=["X-Key: two"]).status == 200


@needs_redis
def test_together_two_gateways_admit_the_rate(cluster, redis):
    gateways = cluster("100/s;burst=20;by=client", redis, WEIR_LOOPS=2)
    start = time.monotonic()
    load = Load(gateways)
    load.wait_for(1000)
    admitted = load.end()[200]
    seconds = time.monotonic() - start
    assert total(gateways, AWAY) + total(gateways, SLOW) == 0 or seconds > 5, "the machine is slower than the budget"
    assert 20 <= admitted <= 20 + 100 * seconds


@needs_redis
def test_of_several_limits_a_refusal_by_one_costs_the_others_nothing(cluster, redis):
    one, other = cluster("3/d;by=header:x-key;name=key,10/d;name=total", redis)
    statuses = []
    for key in ("a", "b"):
        for gateway in (one, other, one, other, one):
            with gateway.connect() as wire:
                statuses.append(wire.get("/", headers=[f"X-Key: {key}"]).status)
    assert statuses == [200, 200, 200, 429, 429] * 2
    # Six of the ten are used up.
    with one.connect() as wire:
        statuses = [wire.get("/", headers=[f"X-Key: c{index}"]).status for index in range(5)]
    assert statuses == [200, 200, 200, 200, 429]


@needs_redis
def test_requests_go_on_while_redis_is_paused_killed_and_restarted(cluster, redis):
    gateways = cluster("1000000/s;by=client", redis)
    load = Load(gateways)
    load.wait_for(200)
    for _ in range(2):
        slow = total(gateways, SLOW)
        redis.pause()
        eventually(lambda: all(gateway.metric(SLOW) > 0 for gateway in gateways), "checks are late")
        load.wait_for(200)
        assert total(gateways, SLOW) > slow
        redis.resume()
        checks = total(gateways, "weir_redis_checks_total")
        eventually(lambda: total(gateways, "weir_redis_checks_total") > checks + 100, "Redis is asked again")

        redis.kill()
        for gateway in gateways:
            eventually(lambda: gateway.metric("weir_redis_connected") == 0, "the loss is noticed")
        away = total(gateways, AWAY)
        load.wait_for(200)
        assert total(gateways, AWAY) > away
        redis.start()
        for gateway in gateways:
            gateway.wait_for_metric("weir_redis_connected", 1)
        checks = total(gateways, "weir_redis_checks_total")
        load.wait_for(200)
        assert total(gateways, "weir_redis_checks_total") > checks
    assert set(load.end()) == {200}
    # The budget, and what a loaded machine adds to it.
    waits = sorted(seconds for _, seconds in load.answers)
    assert waits[len(waits) // 2] < BUDGET_SECONDS
    assert waits[-1] < 1
    for gateway in gateways:
        of_store = [message for message in gateway.messages if "the store" in message]
        assert any("the store is away" in message for message in of_store)
        assert of_store[-1] == "limits of the cluster are counted in the store"


@needs_redis
def test_while_redis_is_away_each_gateway_admits_its_share(cluster, redis):
    gateways = cluster("1000/d;burst=50;by=client", redis)
    redis.kill()
    for gateway in gateways:
        eventually(lambda: gateway.metric("weir_redis_connected") == 0, "the loss is noticed")
    load = Load(gateways)
    load.wait_for(300)
    assert load.end()[200] == 50
    # What Redis counted went with it, and it admits anew.
    redis.start()
    for gateway in gateways:
        gateway.wait_for_metric("weir_redis_connected", 1)
    load = Load(gateways)
    load.wait_for(300)
    assert load.end()[200] == 50


@needs_redis
def test_a_redis_that_is_not_there_at_the_start_is_found_later(gateway, upstream, redis):
    redis.kill()
    server = gateway(
        upstream(), WEIR_RATE_LIMIT="2/d;by=client", WEIR_RATE_LIMIT_SCOPE="cluster", WEIR_REDIS=redis.url
    )
    server.wait_for_line("the store is away")
    with server.connect() as wire:
        assert wire.get("/").status == 200
    redis.start()
    server.wait_for_line("are counted in the store")
    with server.connect() as wire:
        assert [wire.get("/").status for _ in range(3)] == [200, 200, 429]


def test_without_redis_a_limit_without_key_is_divided_by_the_replicas(gateway, upstream):
    replicas = [
        gateway(upstream(), WEIR_RATE_LIMIT="9/d", WEIR_RATE_LIMIT_SCOPE="cluster", WEIR_REPLICAS=4) for _ in range(2)
    ]
    for replica in replicas:
        with replica.connect() as wire:
            assert [wire.get("/").status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"WEIR_REDIS": "redis://:hush@h"}, 'WEIR_REDIS="redis://***@h" with WEIR_RATE_LIMIT_SCOPE="pod"'),
        (
            {"WEIR_REDIS": "redis://:hush@h:0", "WEIR_RATE_LIMIT_SCOPE": "cluster"},
            "the port must be a whole number from 1 to 65535",
        ),
        (
            {"WEIR_RATE_LIMIT": "5/s;by=client", "WEIR_RATE_LIMIT_SCOPE": "cluster"},
            "needs WEIR_REDIS=redis://host:6379",
        ),
    ],
)
def test_a_place_that_cannot_be_stops_the_start_without_its_password(settings, text):
    code, lines = run_to_failure(settings, binary=GATEWAY)
    assert code == 78
    assert len(lines) == 1
    assert text in lines[0]
    assert "hush" not in lines[0]


def test_a_service_without_a_store_says_what_to_import():
    code, lines = run_to_failure({"WEIR_REDIS": "redis://h", "WEIR_RATE_LIMIT_SCOPE": "cluster"})
    assert code == 78
    assert "import WeirRedis" in lines[0]
