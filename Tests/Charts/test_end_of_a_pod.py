# SPDX-License-Identifier: Apache-2.0
# The end of a pod with a sidecar, with the real program and the hooks that the chart renders: the kubelet's part is
# played here. What /drain does is tested in Tests/EndToEnd.

import json
import subprocess
import threading

import pytest

from combinations import MODES
from polling import eventually
from rendering import helm, pod_of
from server import GATEWAY, Server, environment
from wire import request


@pytest.fixture
def pod():
    """An app and its sidecar, as processes."""
    app = Server({"WEIR_CONCURRENCY": 10}, binary=GATEWAY, arguments=["demo"])
    sidecar = Server(
        {"WEIR_UPSTREAM": f"http://127.0.0.1:{app.port}", "WEIR_DRAIN_DELAY": "2s", "WEIR_DRAIN_TIMEOUT": "8s"},
        binary=GATEWAY,
    )
    yield app, sidecar
    sidecar.kill()
    app.kill()


def hooks(port):
    """The commands of both containers' preStop hooks, for the admin port of here."""
    pod = pod_of(helm(MODES["sidecar"]))
    [sidecar], [app] = ([one["lifecycle"]["preStop"]["exec"]["command"] for one in pod[kind]]
                        for kind in ("initContainers", "containers"))  # fmt: skip
    assert sidecar[0] == "/usr/bin/weir"
    *command, url = app
    return [[GATEWAY, *sidecar[1:]], [*command, url.replace("9901", str(port))]]


def test_the_hooks_hold_the_app_until_nothing_is_in_flight(pod):
    app, sidecar = pod
    eventually(lambda: sidecar.ask_admin("/readyz")[0] == 200, "the sidecar has reached the app")
    ended = []

    def stop(command):
        # As in the sidecar's container: its settings, of which the hook finds the port.
        own = environment({"WEIR_ADMIN_LISTEN": sidecar.admin[0]})
        result = subprocess.run(command, env=own, capture_output=True, text=True, timeout=30)
        ended.append((result.returncode, result.stdout))

    with sidecar.connect() as long, sidecar.connect() as new:
        long.send(request("/sleep?ms=2500"))
        eventually(lambda: json.loads(sidecar.ask_admin("/queue")[1])["executing"] == 1, "a request is in flight")
        # The kubelet begins the hooks of all containers together.
        stopping = [threading.Thread(target=stop, args=(command,)) for command in hooks(sidecar.admin_port)]
        for one in stopping:
            one.start()
        eventually(lambda: sidecar.ask_admin("/readyz")[0] == 503, "the drain has begun")
        # Who has not noticed yet is served, and told.
        late = new.get("/hello")
        assert late.status == 200 and late.header("connection") == "close"
        assert long.reply().status == 200
        assert set(ended) <= {(0, "drained\n")}
    for one in stopping:
        one.join()
    assert ended == [(0, "drained\n")] * 2
    # Then the app's SIGTERM, and the sidecar's when the app has ended.
    app.signal()
    assert app.wait() == 0
    sidecar.signal()
    assert sidecar.wait() == 0
