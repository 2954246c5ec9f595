# SPDX-License-Identifier: Apache-2.0
# The end of a pod with a sidecar, with the real program and the hook that the chart renders: the kubelet's part is
# played here. What /drain does is tested in Tests/EndToEnd.

import json
import subprocess
import threading

import pytest

from combinations import MODES
from polling import eventually
from rendering import helm, pod_of
from server import GATEWAY, Server
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


def hook(port):
    """The command of the app's preStop hook, for the admin port of here."""
    [app] = pod_of(helm(MODES["sidecar"]))["containers"]
    *command, url = app["lifecycle"]["preStop"]["exec"]["command"]
    return [*command, url.replace("9901", str(port))]


def test_the_hook_holds_the_app_until_nothing_is_in_flight(pod):
    app, sidecar = pod
    eventually(lambda: sidecar.ask_admin("/readyz")[0] == 200, "the sidecar has reached the app")
    ended = []

    def stop():
        result = subprocess.run(hook(sidecar.admin_port), capture_output=True, text=True, timeout=30)
        ended.append((result.returncode, result.stdout))

    with sidecar.connect() as long, sidecar.connect() as new:
        long.send(request("/sleep?ms=2500"))
        eventually(lambda: json.loads(sidecar.ask_admin("/queue")[1])["executing"] == 1, "a request is in flight")
        stopping = threading.Thread(target=stop)
        stopping.start()
        eventually(lambda: sidecar.ask_admin("/readyz")[0] == 503, "the drain has begun")
        # Who has not noticed yet is served, and told.
        late = new.get("/hello")
        assert late.status == 200 and late.header("connection") == "close"
        assert long.reply().status == 200
        assert not ended or ended == [(0, "drained\n")]
    stopping.join()
    assert ended == [(0, "drained\n")]
    # Then the app's SIGTERM, and the sidecar's when the app has ended.
    app.signal()
    assert app.wait() == 0
    sidecar.signal()
    assert sidecar.wait() == 0
