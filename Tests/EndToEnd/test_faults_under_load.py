# SPDX-License-Identifier: Apache-2.0
# Of three real processes under load one goes wrong: what clients see of it until it is left alone, that nobody sees
# anything of it from then on, and that it is used again once it is well.

import collections

import pytest

from control import sample, wait_for_health
from load import CLIENTS, ask, load
from polling import eventually
from test_proxy_log import entries

# In turn: every third request meets the one that is wrong, whatever is known of it.
IN_TURN = {"balance": "round-robin", "slow-start": "100ms"}
# Out for longer than the test, once it is out.
EJECTION = {"interval": "1s", "time": "10m", "time-max": "10m"}


def is_out(server, endpoint):
    return sample(server, "endpoint_ejected", endpoint) == 1


def expect_none(server, endpoint):
    """From now on it gets nothing, and nobody sees that it is there."""
    before = sample(server, "requests_total", endpoint)
    assert set(ask(server, 300)) == {200}
    assert sample(server, "requests_total", endpoint) == before


def expect_in_log(log, seen):
    """The access log knows of each request what its client saw."""
    lines = entries(log, seen.total())
    found = collections.Counter((line["status"], line.get("reason")) for line in lines)
    broken = sum(count for (status, reason), count in found.items() if status == 200 and reason)
    own = {key: count for key, count in found.items() if key[0] != 200}
    assert broken == seen["broken off"]
    assert own == {key: count for key, count in seen.items() if isinstance(key, tuple)}
    assert found[200, None] == seen[200]
    return found


# Before the response's head a GET can be sent to another


@pytest.mark.parametrize("fault, reason", [
    ("end", "closed"), ("end_in_head", "closed"), ("reset", "reset"), ("reset_in_head", "reset"),
])  # fmt: skip
def test_connections_that_break_before_a_head_fail_no_get(trio, fault, reason):
    server, (*_, third) = trio({**IN_TURN, "ejection": "off"})
    with load(server) as running:
        running.wait_for(100)
        third.become(fault)
        running.wait_until(lambda: sample(server, "breaker_open", third) == 1, "it is left alone")
        running.wait_for(300)
        third.become("well")
        before = sample(server, "requests_total", third)
        running.wait_until(lambda: sample(server, "requests_total", third) > before + 10, "it is used again", 15)
        assert set(running.stop()) == {200}
    assert sample(server, "failures_total", third, reason=reason) >= 5
    assert server.metric("weir_upstream_retries_total") >= 5


def test_a_process_that_is_killed_and_started_again_and_again_fails_no_get(trio):
    server, (*_, third) = trio({**IN_TURN, "breaker": {"open": "100ms", "open-max": "100ms"}})
    with load(server) as running:
        for _ in range(5):
            before = sample(server, "requests_total", third)
            running.wait_until(lambda: sample(server, "requests_total", third) > before + 10, "it is used")
            third.kill()
            running.wait_for(100)
            third.restart()
        assert set(running.stop()) == {200}


def test_more_than_was_announced_reaches_nobody(trio):
    server, (*_, third) = trio(IN_TURN)
    third.become("more_than_it_says")
    before = sample(server, "requests_total", third)
    assert set(ask(server, 300)) == {200}
    assert sample(server, "requests_total", third) - before >= 90


# What cannot be sent again is an honest failure, until it is ejected


@pytest.mark.parametrize("fault", ["nonsense", "two_lengths"])
def test_answers_that_are_none_are_502_until_it_is_ejected(trio, tmp_path, fault):
    log = tmp_path / "access.log"
    server, (*_, third) = trio({**IN_TURN, "ejection": EJECTION}, WEIR_ACCESS_LOG=log)
    with load(server) as running:
        running.wait_for(100)
        third.become(fault)
        running.wait_until(lambda: is_out(server, third), "it is ejected")
        seen = running.stop()
    failure = (502, "upstream_malformed")
    assert set(seen) == {200, failure}
    assert seen[failure] == sample(server, "failures_total", third, reason="malformed") >= 5
    expect_in_log(log, seen)
    assert server.metric("weir_upstream_retries_total") == 0
    expect_none(server, third)


@pytest.mark.parametrize("fault, reason", [
    ("end_in_body", "closed"), ("close_in_body", "closed"), ("reset_in_body", "reset"),
])  # fmt: skip
def test_answers_that_break_off_never_look_whole_until_it_is_ejected(trio, tmp_path, fault, reason):
    log = tmp_path / "access.log"
    server, (*_, third) = trio({**IN_TURN, "ejection": EJECTION}, WEIR_ACCESS_LOG=log)
    with load(server) as running:
        running.wait_for(100)
        third.become(fault)
        running.wait_until(lambda: is_out(server, third), "it is ejected", 15)
        seen = running.stop()
    assert set(seen) == {200, "broken off"}
    found = expect_in_log(log, seen)
    assert set(found) == {(200, None), (200, f"upstream_{reason}")}
    assert seen["broken off"] == sample(server, "failures_total", third, reason=reason)
    expect_none(server, third)


# One that is slow


def test_what_becomes_slow_gets_less_by_itself(trio):
    server, (*_, third) = trio({"balance": "least-latency", "ejection": "off"})
    ask(server, 300)
    third.become("slow", 1)
    with load(server) as running:
        # The clients that met it before it was known, and no others.
        running.wait_for(CLIENTS)
        before = sample(server, "requests_total", third)
        running.wait_for(1000)
        assert sample(server, "requests_total", third) - before < 1000 / 3 / 4
        assert set(running.stop()) == {200}


def test_what_is_much_slower_than_the_others_is_ejected(trio):
    server, (*_, third) = trio({**IN_TURN, "ejection": EJECTION})
    with load(server) as running:
        running.wait_for(100)
        third.become("slow", 0.5)
        running.wait_until(lambda: is_out(server, third), "it is ejected", 60)
        assert set(running.stop()) == {200}
    (line,) = [line for line in server.log if f"endpoint {third.url} of upstream orders is ejected" in line]
    assert '"latency"' in line
    expect_none(server, third)


# One that stands still


@pytest.mark.parametrize("by", [
    pytest.param({**IN_TURN, "ejection": EJECTION}, id="ejection, in turn"),
    # By latency it gets hardly another request behind its first ones, so one failure has to be enough.
    pytest.param(
        {"balance": "least-latency", "ejection": {**EJECTION, "consecutive-failures": 1}}, id="ejection, by latency"
    ),
    pytest.param(
        {**IN_TURN, "ejection": "off", "check": {"http": "/", "interval": "1s", "timeout": "500ms"}}, id="check"
    ),
])  # fmt: skip
def test_what_stands_still_fails_its_share_of_one_timeout_and_then_none(trio, tmp_path, by):
    log = tmp_path / "access.log"
    server, (*_, third) = trio(by, WEIR_DEADLINE="1s", WEIR_ACCESS_LOG=log)
    if "check" in by:
        wait_for_health(server, "passing", "passing", "passing")
    with load(server) as running:
        running.wait_for(300)
        third.stop()
        running.wait_until(lambda: sample(server, "endpoint_weight", third) == 0, "it is left alone", 30)
        seen = running.stop()
    failure = (504, "deadline_exceeded")
    assert set(seen) <= {200, failure}
    # Each client can wait at it once, and one more may be there from before.
    assert seen[failure] <= 2 * CLIENTS
    expect_in_log(log, seen)
    expect_none(server, third)
    third.resume()
    if "check" in by:
        before = sample(server, "requests_total", third)
        wait_for_health(server, "passing", "passing", "passing")
        assert set(ask(server, 300)) == {200}
        eventually(lambda: sample(server, "requests_total", third) > before, "it is used again")


def test_what_stands_still_fails_a_few_each_time_it_comes_back(trio):
    ejection = {"interval": "1s", "time": "2s", "time-max": "2s"}
    server, (*_, third) = trio({**IN_TURN, "ejection": ejection}, WEIR_DEADLINE="1s")
    ejections = 'weir_upstream_ejections_total{upstream="orders",cause="consecutive_failures"}'
    with load(server) as running:
        running.wait_for(300)
        third.stop()
        # However often it stands still to the same deadline, it is ejected again.
        for number in range(1, 7):
            running.wait_until(lambda: server.metric(ejections) >= number, f"it is ejected {number} times", 30)
        seen = running.stop()
    third.resume()
    failure = (504, "deadline_exceeded")
    assert set(seen) <= {200, failure}
    # Each client can wait at it once until it is known, and each time as many as it takes.
    assert 6 * 5 <= seen[failure] <= 7 * 2 * CLIENTS


def test_what_stands_still_is_avoided_by_its_latency_alone(trio):
    server, (*_, third) = trio({"balance": "least-latency", "ejection": "off"}, WEIR_DEADLINE="1s")
    with load(server) as running:
        running.wait_for(300)
        third.stop()
        running.wait_until(lambda: (504, "deadline_exceeded") in running.seen, "one has failed")
        # Those that went there beside the first.
        running.wait_until(lambda: sample(server, "requests_executing", third) == 0, "all have failed")
        before = sample(server, "requests_total", third)
        running.wait_for(1000)
        assert sample(server, "requests_total", third) - before <= 1
        seen = running.stop()
    assert set(seen) == {200, (504, "deadline_exceeded")}
