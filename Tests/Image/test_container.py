# SPDX-License-Identifier: Apache-2.0
# The image running with half a CPU and 64 MiB: no root, no capability, nothing to write to.

import json
import re
import subprocess
from pathlib import Path

from container import MEMORY_MEBIBYTES, run_to_end
from polling import eventually

MEBIBYTE = 1 << 20
LOAD_SECONDS = 10


def test_it_serves_with_no_settings(run):
    container = run()
    assert container.get("/hello") == (200, "Hello, world\n")
    assert container.get("/blocking") == (200, "Hello, world\n")
    assert [container.admin(path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200] * 3


def test_it_knows_what_it_may_use(run):
    container = run()
    budget = json.loads(container.weir("budget", "--json"))
    assert budget["cpu"]["amount"] == 0.5
    assert budget["memory"]["amount"] == MEMORY_MEBIBYTES * MEBIBYTE
    for resource in ("cpu", "memory"):
        assert budget[resource]["decided_by"].startswith("/sys/fs/cgroup/")
    text = container.weir("budget")
    assert text.startswith("cpu: 0.5 CPUs, 1 thread ")
    assert f"\nmemory: {MEMORY_MEBIBYTES} MiB, " in text
    # And has its size by it, whatever the machine's is.
    assert "\nweir_loops 1\n" in container.admin("/metrics")[1]


def test_it_has_no_privilege_and_nothing_to_write_to(run):
    container = run()
    assert container.status("Uid") == ["65532"] * 4
    assert container.status("Gid") == ["65532"] * 4
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(container.status(capabilities)[0], 16) == 0
    assert container.status("NoNewPrivs") == ["1"]
    assert container.status("Seccomp") == ["2"]
    mounts = [line.split() for line in Path(f"/proc/{container.pid}/mountinfo").read_text().splitlines()]
    assert next(fields[5] for fields in mounts if fields[4] == "/").split(",")[0] == "ro"
    assert container.get("/hello")[0] == 200


def test_on_the_stop_signal_it_ends_what_runs_and_exits_with_0(run):
    container = run(WEIR_DRAIN_DELAY="200ms")
    asked = container.command("curl", "-sS", "http://127.0.0.1:8080/sleep?ms=3000")
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as client:
        running = re.compile(r"^weir_requests_executing(?:\{[^}]*\})? [1-9]", re.M)
        eventually(lambda: running.search(container.admin("/metrics")[1]), "the request runs")
        assert container.stop() == 0
        assert client.communicate(timeout=10)[0] == "slept 3000 ms\n"
    assert container.messages[-2:] == ["draining", "drained"]


def test_a_hook_drains_it_with_the_only_program_that_there_is(run):
    container = run(WEIR_DRAIN_DELAY="200ms")
    assert container.weir("drain") == "drained\n"
    assert container.admin("/readyz") == (503, "not ready: draining\n")
    assert container.stop() == 0


def test_a_wrong_setting_ends_it_with_78_and_one_line(image):
    code, text, errors = run_to_end(image["Id"], WEIR_QUEUE="many")
    assert (code, text) == (78, "")
    assert errors.startswith("weir: WEIR_QUEUE") and errors.count("\n") == 1


def wrk(container, *arguments):
    """Runs wrk in the container's network; gives how many requests were answered, and how many of them not with 2xx."""
    text = container.inside("wrk", "-t1", f"-d{LOAD_SECONDS}s", "--timeout", "20s", *arguments)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return int(re.search(r"(\d+) requests in", text)[1]), int(refused[1]) if refused else 0


def upload(tmp_path):
    """Uploads of 1 MiB each, which are sent back while they come."""
    script = tmp_path / "upload.lua"
    script.write_text(f'wrk.method = "POST"\nwrk.path = "/echo"\nwrk.body = string.rep("x", {MEBIBYTE})\n')
    return ["-s", str(script)]


def test_it_survives_load_within_its_memory(run, tmp_path, measure):
    container = run()
    before = container.status("VmRSS")[0]
    measure("resident at rest", f"{int(before) / 1024:.1f} MiB")
    url = "http://127.0.0.1:8080"
    for name, arguments in {
        "/hello, 64 connections": ["-c64", f"{url}/hello"],
        "/hello, 256 connections": ["-c256", f"{url}/hello"],
        "/blocking, 256 connections": ["-c256", f"{url}/blocking"],
        "/echo of 1 MiB, 128 connections": ["-c128", *upload(tmp_path), url],
    }.items():
        answered, refused = wrk(container, *arguments)
        measure(name, f"{answered / LOAD_SECONDS:.0f} answers a second, {refused} of {answered} refused")
        assert answered - refused > 0
        assert container.admin("/readyz")[0] == 200
    measure("resident at the most", f"{container.resident_peak_bytes / MEBIBYTE:.1f} MiB")
    measure("charged to the group at the most", f"{container.memory_peak_bytes / MEBIBYTE:.1f} MiB")
    state = container.state
    assert (state["Running"], state["OOMKilled"], state["Pid"]) == (True, False, container.pid)
    assert container.resident_peak_bytes < MEMORY_MEBIBYTES * MEBIBYTE
    assert container.get("/hello") == (200, "Hello, world\n")
    assert container.stop() == 0
