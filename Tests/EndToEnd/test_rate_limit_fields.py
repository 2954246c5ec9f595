# SPDX-License-Identifier: Apache-2.0
# What clients are told of rate limits, read by a parser of Structured Fields that nobody here wrote.

import json
import math

import pytest
import requests

http_sf = pytest.importorskip("http_sf", reason="http-sf (Tests/EndToEnd/requirements.txt) is not installed")

# A request each 12 s, two at once: nothing comes back while the test runs.
LIMIT = "5/m;burst=2;by=client"
INTERVAL_SECONDS = 12


def members(response, name):
    """The one field of this name as a dictionary: each member's parameters by its policy."""
    parsed = http_sf.parse(response.headers[name].encode(), tltype="list")
    assert all(isinstance(policy, str) for policy, _ in parsed), parsed
    by_policy = dict(parsed)
    assert len(by_policy) == len(parsed), "a policy is there twice"
    return by_policy


def state(response):
    return members(response, "RateLimit")["client"]


def test_every_answer_says_the_policy_and_what_is_left(serve):
    server = serve(WEIR_RATE_LIMIT=LIMIT)
    responses = [requests.get(f"{server.url}/hello") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    for response in responses:
        assert members(response, "RateLimit-Policy") == {"client": {"q": 2, "w": 24}}
    assert [state(response)["r"] for response in responses] == [1, 0, 0]
    # Seconds to a full burst; with a refusal, to the next request.
    first, second, third = (state(response)["t"] for response in responses)
    assert first == INTERVAL_SECONDS
    assert INTERVAL_SECONDS < second <= 2 * INTERVAL_SECONDS
    assert 0 < third <= INTERVAL_SECONDS


def test_answers_that_are_no_refusals_can_go_without_the_fields(serve):
    server = serve(WEIR_RATE_LIMIT=LIMIT, WEIR_RATE_LIMIT_FIELDS="off")
    responses = [requests.get(f"{server.url}/hello") for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert ["RateLimit" in response.headers for response in responses] == [False, False, True]
    assert ["RateLimit-Policy" in response.headers for response in responses] == [False, False, True]


def test_a_limit_by_route_says_which_route_it_counts_for(serve):
    server = serve(WEIR_RATE_LIMIT="5/m;burst=2;by=route;name=each")
    for path in ("/hello", "/async"):
        response = requests.get(server.url + path)
        for name in ("RateLimit-Policy", "RateLimit"):
            assert members(response, name)["each"]["pk"] == path.encode()


def test_a_refusal_says_why_and_when_to_come_again(serve):
    server = serve(WEIR_RATE_LIMIT=LIMIT)
    responses = [requests.get(f"{server.url}/hello", headers={"X-Request-Id": f"id-{n}"}) for n in range(3)]
    refused = responses[2]
    assert refused.status_code == 429
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert int(refused.headers["Retry-After"]) == state(refused)["t"]
    document = json.loads(refused.content)
    assert document["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert document["status"] == 429
    assert document["reason"] == "rate_limited"
    assert document["violated-policies"] == ["client"]
    assert document["request_id"] == "id-2"
    assert server.metric('weir_rejected_total{reason="rate_limited"}') == 1
    assert all("Retry-After" not in response.headers for response in responses[:2])


def test_several_limits_are_members_of_one_list(serve):
    server = serve(WEIR_RATE_LIMIT="100/s;burst=20;name=short,1000/h;name=long")
    response = requests.get(f"{server.url}/hello")
    policies = members(response, "RateLimit-Policy")
    assert policies == {"short": {"q": 20, "w": 1}, "long": {"q": 1000, "w": 3600}}
    left = members(response, "RateLimit")
    assert list(left) == ["short", "long"]
    assert left["short"] == {"r": 19, "t": 1}
    assert left["long"] == {"r": 999, "t": math.ceil(3600 / 1000)}
    # Each field is one line: what a cache or a client combines stays a List.
    assert all(len(response.raw.headers.getlist(name)) == 1 for name in ("RateLimit", "RateLimit-Policy"))
