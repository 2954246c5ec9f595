# SPDX-License-Identifier: Apache-2.0
"""Loads: requests a second, and how long one takes, at each instant. Deterministic: noise comes from a seed."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

HOUR = 3600.0


@dataclass(frozen=True)
class Trace:
    name: str
    what: str
    seconds: float
    rate: Callable[[float], float]
    # By how much longer than usual a request takes, by waiting for others: it needs no more CPU.
    slowness: Callable[[float], float] = lambda _: 1.0


def step(base: float = 12, peak: float = 120, begin: float = 300, end: float = 1500, seconds: float = 2400) -> Trace:
    what = f"{base:g} to {peak:g} requests a second at once, for {(end - begin) / 60:g} min"
    return Trace("step", what, seconds, lambda t: peak if begin <= t < end else base)


def ramp(base: float = 12, peak: float = 240, begin: float = 300, rise: float = 600, seconds: float = 2400) -> Trace:
    def rate(t: float) -> float:
        return base + (peak - base) * min(max((t - begin) / rise, 0), 1)

    return Trace("ramp", f"{base:g} to {peak:g} within {rise / 60:g} min", seconds, rate)


def daily(low: float = 30, high: float = 240) -> Trace:
    def rate(t: float) -> float:
        return low + (high - low) * (1 - math.cos(2 * math.pi * t / (24 * HOUR))) / 2

    return Trace("daily", f"{low:g} at night, {high:g} at noon", 24 * HOUR, rate)


def spikes(base: float = 30, peak: float = 240, length: float = 20, every: float = 600) -> Trace:
    def rate(t: float) -> float:
        return peak if t % every >= every - length else base

    return Trace("spikes", f"{length:g} s of {peak:g} each {every / 60:g} min, else {base:g}", HOUR, rate)


def noise(mean: float = 100, deviation: float = 0.4, memory: float = 60, seed: int = 1) -> Trace:
    """A logarithm that wanders and comes back, with a memory of so many seconds."""
    generator = random.Random(seed)
    share = math.exp(-1 / memory)
    values, value = [], 0.0
    for _ in range(int(HOUR)):
        value = value * share + generator.gauss(0, deviation * math.sqrt(1 - share**2))
        values.append(mean * math.exp(value - deviation**2 / 2))
    what = f"{mean:g} on average, that wanders by {deviation:.0%} within a minute"
    return Trace("noise", what, HOUR, lambda t: values[min(int(t), len(values) - 1)])


def slow(rate: float = 60, factor: float = 3, begin: float = 600, end: float = 1800, seconds: float = 2700) -> Trace:
    def slowness(t: float) -> float:
        return factor if begin <= t < end else 1.0

    what = f"{rate:g}, and each takes {factor:g} times as long for {(end - begin) / 60:g} min, waiting for others"
    return Trace("slow", what, seconds, lambda _: rate, slowness)
