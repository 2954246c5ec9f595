# SPDX-License-Identifier: Apache-2.0
"""One run: a trace, a service, a signal and an HPA, in small steps of time."""

import random
from dataclasses import dataclass, field

from .hpa import HPA, Behavior, wanted, wanted_of_sum
from .service import Plan, Service
from .traces import Trace

SIGNALS = ("weir", "CPU", "requests per second")
# WEIR_SIGNAL_WINDOW; what metrics-server reads, and how often; what is usual with Prometheus.
WEIR_WINDOW = 10.0
CPU_RESOLUTION = 15.0
RATE_WINDOW, RATE_RESOLUTION = 30.0, 15.0


@dataclass(frozen=True)
class Loop:
    """The control loop's own times and bounds."""

    target: float = 0.75
    sync: float = 15.0
    # From the trace's beginning until the HPA looks first.
    phase: float = 0.0
    least: int = 2
    most: int = 40
    behavior: Behavior = field(default_factory=Behavior)
    dt: float = 0.1
    # For how long a pod that was told to end still costs something.
    end: float = 5.0
    seed: int = 1


@dataclass
class Pod:
    name: str
    created: float
    ready: float


@dataclass
class Run:
    """What came of it."""

    signal: str
    service: Service
    pod_seconds: float = 0.0
    most: int = 0
    # Where they change: asked for, ready.
    asked: list[tuple[float, int]] = field(default_factory=list)
    ready: list[tuple[float, int]] = field(default_factory=list)

    def until(self, count: int, since: float = 0.0) -> float | None:
        """When so many were ready for the first time."""
        return next((at - since for at, ready in self.ready if ready >= count and at >= since), None)


class Simulation:
    def __init__(self, trace: Trace, signal: str, plan: Plan | None = None, loop: Loop | None = None):
        assert signal in SIGNALS
        self.trace, self.signal = trace, signal
        self.plan, self.loop = plan or Plan(), loop or Loop()
        self.service = Service(self.plan)
        self.hpa = HPA(self.loop.least, self.loop.most, self.loop.behavior)
        # What runs at the beginning is what the trace's beginning needs.
        need = trace.rate(0) * trace.slowness(0) / self.plan.capacity / self.loop.target
        count = min(max(-int(-need // 1), self.loop.least), self.loop.most)
        self.pods = [Pod(f"pod-{number}", -1000.0, -1000.0) for number in range(count)]
        self.made = count
        self.random = random.Random(self.loop.seed)
        # By step, from the beginning: the load that each ready pod was offered, what its CPU was busy, and the rate.
        self.offered, self.busy, self.arrivals = [0.0], [0.0], [0.0]

    def run(self) -> Run:
        run, loop = Run(self.signal, self.service), self.loop
        steps, next_sync = round(self.trace.seconds / loop.dt), loop.phase
        for index in range(steps):
            now = index * loop.dt
            ready = sum(pod.ready <= now for pod in self.pods)
            rate = self.trace.rate(now)
            mean = rate * loop.dt
            # Poisson's, near enough.
            arrivals = max(0.0, self.random.gauss(mean, mean**0.5)) if mean else 0.0
            slowness = self.trace.slowness(now)
            busy = self.service.advance(now, loop.dt, arrivals, ready, slowness)
            self._remember(arrivals, busy, ready, slowness)
            run.pod_seconds += len(self.pods) * loop.dt
            note(run.ready, now, ready)
            if now + 1e-9 >= next_sync:
                next_sync += loop.sync
                run.pod_seconds += self._sync(now) * loop.end
                note(run.asked, now, len(self.pods))
                run.most = max(run.most, len(self.pods))
        return run

    def _remember(self, arrivals: float, busy: float, ready: int, slowness: float) -> None:
        plan, dt = self.plan, self.loop.dt
        # The mean execution time as Weir measures it: longer where more run than the pod can work at.
        lasts = plan.seconds * slowness
        if slowness == 1 and ready:
            lasts *= max(1.0, self.service.executing / (ready * plan.places))
        each = arrivals / max(ready, 1)
        self.offered.append(self.offered[-1] + each * lasts / plan.limit)
        # What waits for others uses no CPU.
        self.busy.append(self.busy[-1] + busy / slowness / max(ready, 1) / plan.places * dt)
        self.arrivals.append(self.arrivals[-1] + arrivals)

    def _sync(self, now: float) -> int:
        """The HPA looks; gives how many pods it ends."""
        current = len(self.pods)
        asked = self._asked(now, current)
        replicas = self.hpa.decide(now, current, asked)
        for _ in range(replicas - current):
            self.pods.append(Pod(f"pod-{self.made}", now, now + self.plan.start))
            self.made += 1
        # Those that are not ready go first, and then the youngest, as a ReplicaSet has it.
        self.pods.sort(key=lambda pod: pod.ready)
        del self.pods[replicas:]
        return max(0, current - replicas)

    def _asked(self, now: float, current: int) -> int:
        target = self.loop.target
        if self.signal == "requests per second":
            end = now - now % RATE_RESOLUTION
            begin = max(0.0, end - RATE_WINDOW)
            if end <= begin:
                return current
            rate = (self._at(self.arrivals, end) - self._at(self.arrivals, begin)) / (end - begin)
            return wanted_of_sum(current, rate, target * self.plan.capacity)
        unready = {pod.name for pod in self.pods if pod.ready > now}
        value = self._utilization if self.signal == "weir" else self._cpu
        return wanted(current, {pod.name: value(pod, now) for pod in self.pods}, unready, target)

    def _utilization(self, pod: Pod, now: float) -> float | None:
        """The time before its start counts as idle, as long as it is within the window."""
        begin = max(pod.ready, now - WEIR_WINDOW, 0.0)
        window = min(WEIR_WINDOW, now) if pod.ready < 0 else WEIR_WINDOW
        return (self._at(self.offered, now) - self._at(self.offered, begin)) / window if window else None

    def _cpu(self, pod: Pod, now: float) -> float | None:
        """The mean between the last two readings; a pod that was not there at both has none."""
        end = now - now % CPU_RESOLUTION
        begin = end - CPU_RESOLUTION
        if begin < max(pod.ready, 0.0):
            return None
        return (self._at(self.busy, end) - self._at(self.busy, begin)) / CPU_RESOLUTION

    def _at(self, integral: list[float], instant: float) -> float:
        return integral[min(round(instant / self.loop.dt), len(integral) - 1)]


def note(series: list[tuple[float, int]], at: float, value: int) -> None:
    if not series or series[-1][1] != value:
        series.append((at, value))


def simulate(trace: Trace, signal: str, plan: Plan | None = None, loop: Loop | None = None) -> Run:
    return Simulation(trace, signal, plan, loop).run()
