# SPDX-License-Identifier: Apache-2.0
# The time from ten times the load to enough pods: with Weir's signal, and with the pods' CPU. Real HPAs that differ in
# nothing but what they are told.

import os

import pytest

from chart import installed
from conftest import FOLDER
from metrics_server import MetricsServer
from objects import cpu, utilization
from step import ENOUGH, FACTOR, TARGET, take
from step_report import write

pytestmark = pytest.mark.usefixtures("reader")

# How long each is watched: until it has come to rest.
WEIR_SECONDS, CPU_SECONDS = 90, 180


@pytest.fixture
def metrics_server(plane, cluster, kubelet):
    server = MetricsServer(cluster, kubelet, plane.server_pair)
    yield server
    server.close()


def test_ten_times_the_load(cluster, kubelet, gateway, metrics_server):
    with installed(cluster, {"adapter": {"enabled": True}, "replicas": 1}):
        weir = take(cluster, kubelet, gateway, "weir_utilization_ratio", lambda full: utilization(), WEIR_SECONDS)
    # The same target: three quarters of what a full pod uses.
    other = take(cluster, kubelet, gateway, "CPU", lambda full: cpu(full() * TARGET), CPU_SECONDS)
    write(FOLDER, [weir, other], bool(os.environ.get("CLUSTER_WRITE")))
    for step in (weir, other):
        assert step.ready[0][1] == 1, step
        # It was told the load before the step, and not ten times that.
        assert 0 < step.before < FACTOR / 2 * step.target, step
    # How long it takes says the report; that CPU is slower is no promise of ours.
    assert weir.until(ENOUGH) is not None, weir
