# SPDX-License-Identifier: Apache-2.0
"""The simulator against the rules that it simulates, and against the step that was measured on a real control plane."""

import unittest

from control_loop import measured_steps
from simulator import traces
from simulator.hpa import HPA, KUBERNETES_DEFAULT, Behavior, Policy, wanted, wanted_of_sum
from simulator.loop import SIGNALS, simulate
from simulator.service import Plan, Service


def pods(*values):
    return {str(number): value for number, value in enumerate(values)}


class Wanted(unittest.TestCase):
    """The examples are those of the controller's own tests, in other numbers."""

    def test_it_is_the_ratio_rounded_up(self):
        self.assertEqual(wanted(2, pods(1.5, 1.5), set(), 0.75), 4)
        self.assertEqual(wanted(2, pods(7.5, 7.5), set(), 0.75), 20)
        self.assertEqual(wanted(3, pods(0.3, 0.3, 0.31), set(), 0.75), 2)
        self.assertEqual(wanted(2, pods(0.8, 0.9), set(), 0.75), 3)

    def test_within_a_tenth_of_the_target_nothing_changes(self):
        self.assertEqual(wanted(4, pods(*[0.825] * 4), set(), 0.75), 4)
        self.assertEqual(wanted(4, pods(*[0.675] * 4), set(), 0.75), 4)
        self.assertEqual(wanted(4, pods(*[0.83] * 4), set(), 0.75), 5)

    def test_who_has_no_value_counts_as_nothing_where_more_are_asked_for(self):
        self.assertEqual(wanted(3, pods(1.5, 1.5, None), set(), 0.75), 4)
        # And not at all, where that turns more into fewer.
        self.assertEqual(wanted(4, pods(1.0, None, None, None), set(), 0.75), 4)

    def test_who_has_no_value_counts_as_just_right_where_fewer_are(self):
        self.assertEqual(wanted(4, pods(0.15, 0.15, None, None), set(), 0.75), 3)

    def test_who_is_not_ready_counts_as_nothing_where_more_are_asked_for_and_not_at_all_else(self):
        self.assertEqual(wanted(4, pods(1.5, 1.5, 0.0, 0.0), {"2", "3"}, 0.75), 4)
        self.assertEqual(wanted(4, pods(0.3, 0.3, 0.0, 0.0), {"2", "3"}, 0.75), 1)

    def test_without_any_value_nothing_changes(self):
        self.assertEqual(wanted(4, pods(None, None, None, None), set(), 0.75), 4)

    def test_a_sum_is_divided_by_the_target(self):
        self.assertEqual(wanted_of_sum(2, 15.0, 0.75), 20)
        self.assertEqual(wanted_of_sum(20, 15.0, 0.75), 20)
        self.assertEqual(wanted_of_sum(20, 13.6, 0.75), 20)


class Behaving(unittest.TestCase):
    def test_up_within_a_period_no_more_than_the_policy_allows(self):
        hpa = HPA(1, 100, KUBERNETES_DEFAULT)
        self.assertEqual(hpa.decide(0, 1, 50), 5)
        self.assertEqual(hpa.decide(5, 5, 50), 5)
        self.assertEqual(hpa.decide(15, 5, 50), 10)
        self.assertEqual(hpa.decide(30, 10, 50), 20)

    def test_down_the_highest_of_the_window_counts(self):
        hpa = HPA(1, 100, Behavior(down=(Policy(15, percent=100),)))
        self.assertEqual(hpa.decide(0, 10, 10), 10)
        self.assertEqual(hpa.decide(15, 10, 2), 10)
        self.assertEqual(hpa.decide(299, 10, 2), 10)
        self.assertEqual(hpa.decide(301, 10, 2), 2)

    def test_down_by_half_a_minute(self):
        hpa = HPA(1, 100, Behavior(down_window=0))
        self.assertEqual(hpa.decide(0, 16, 1), 8)
        self.assertEqual(hpa.decide(15, 8, 1), 8)
        self.assertEqual(hpa.decide(60, 8, 1), 4)

    def test_what_was_removed_within_a_period_may_come_back_beside_what_may_be_added(self):
        hpa = HPA(1, 100, Behavior(up=(Policy(60, pods=2),), down_window=0))
        self.assertEqual(hpa.decide(0, 8, 1), 4)
        self.assertEqual(hpa.decide(15, 4, 50), 10)

    def test_never_beyond_the_bounds(self):
        hpa = HPA(2, 20)
        self.assertEqual(hpa.decide(0, 2, 200), 20)
        self.assertEqual(HPA(2, 20, Behavior(down_window=0)).decide(0, 3, 0), 2)


class Serving(unittest.TestCase):
    def offered(self, rate, pods, plan=None, seconds=60, slowness=lambda _: 1.0):
        service = Service(plan or Plan())
        for step in range(round(seconds / 0.1)):
            now = step * 0.1
            service.advance(now, 0.1, rate * 0.1, pods, slowness(now))
        return service

    def assert_nothing_is_lost(self, service):
        known = service.served + service.missed + service.queued + service.executing
        self.assertAlmostEqual(known, service.arrived, places=5)

    def test_below_what_it_carries_all_are_served_at_once(self):
        service = self.offered(30, 2)
        self.assertEqual((service.refused, service.late, service.slow), (0, 0, 0))

    def test_above_it_serves_what_it_carries_and_turns_the_rest_away(self):
        service = self.offered(200, 2)
        self.assertAlmostEqual(service.served / 60, 40, delta=1)
        self.assert_nothing_is_lost(service)

    def test_who_waits_in_a_queue_that_fits_the_deadline_is_never_late(self):
        self.assertEqual(self.offered(200, 2).late, 0)

    def test_who_was_let_in_before_all_took_longer_is_late_at_the_deadline(self):
        """Two pods, full queues, 0.8 s behind which there are 2.4 s of a sudden."""
        service = self.offered(200, 2, slowness=lambda now: 1.0 if now < 30 else 3.0, seconds=40)
        self.assertGreater(service.late, 8)
        self.assertLessEqual(service.longest, Plan().deadline + 1e-6)
        self.assert_nothing_is_lost(service)

    def test_what_is_let_in_follows_what_has_been_measured(self):
        """The same, long after: who would be late is turned away."""
        soon, later = (
            self.offered(200, 2, slowness=lambda now: 1.0 if now < 30 else 3.0, seconds=seconds)
            for seconds in (60, 120)
        )
        self.assertAlmostEqual(later.mean, 0.6, delta=0.02)
        self.assertLess(later.late - soon.late, (later.arrived - soon.arrived) / 100)

    def test_who_waited_for_pods_that_are_gone_is_late(self):
        """The queue of eight pods is too long for one."""
        service = self.offered(200, 8)
        for step in range(600, 700):
            service.advance(step * 0.1, 0.1, 0, 1, 1.0)
        self.assertGreater(service.late, 0)
        self.assertLessEqual(service.longest, Plan().deadline + 1e-6)
        self.assertAlmostEqual(service.served + service.missed, service.arrived, places=2)

    def test_nothing_is_lost(self):
        self.assert_nothing_is_lost(self.offered(50, 2, Plan(limit=16, queue=64)))

    def test_without_pods_all_are_turned_away(self):
        self.assertEqual(self.offered(10, 0).served, 0)


class TheLoop(unittest.TestCase):
    def test_the_same_seed_is_the_same_run(self):
        once, again = (simulate(traces.step(seconds=400), "weir") for _ in range(2))
        self.assertEqual((once.service, once.ready, once.asked), (again.service, again.ready, again.asked))

    def test_a_steady_load_changes_nothing(self):
        steady = traces.Trace("steady", "", 1200, lambda _: 90.0)
        for signal in SIGNALS:
            run = simulate(steady, signal)
            self.assertEqual(run.service.refused, 0, signal)
            self.assertLessEqual(run.most, 7, signal)

    def test_pods_are_charged_from_the_hpas_word_until_their_end(self):
        run = simulate(traces.Trace("none", "", 100, lambda _: 1.0), "weir")
        self.assertAlmostEqual(run.pod_seconds, 200, delta=1)

    def test_no_request_is_served_behind_its_deadline(self):
        for signal in SIGNALS:
            service = simulate(traces.slow(), signal).service
            self.assertGreater(service.late, 0, signal)
            self.assertLessEqual(service.longest, Plan().deadline + 1e-6, signal)


class TheStepThatWasMeasured(unittest.TestCase):
    """What docs/scaling.md says of the difference. When within its period a signal is first taken is chance; what
    follows is not."""

    def setUp(self):
        self.steps = {step.signal: step for step in measured_steps()}

    def differences(self, step):
        """Of the looks that changed something, in seconds behind the first, and in pods."""
        later = step.simulated[0][0] - step.measured[0][0]
        looks = zip(step.simulated, step.measured[: len(step.simulated)], strict=True)
        return later, [(at - later - measured_at, count - pods) for (at, count), (measured_at, pods) in looks]

    def test_by_weirs_signal_it_asks_for_one_and_two_pods_fewer_and_is_done_with_what_the_load_needs(self):
        step = self.steps["weir"]
        later, differences = self.differences(step)
        self.assertLess(abs(later), 5)
        self.assertLess(max(abs(seconds) for seconds, _ in differences), 1)
        self.assertEqual([pods for _, pods in differences], [-1, -2])
        # The measured one looked once more, at a load that the simulated one does not have.
        self.assertEqual([count for _, count in step.measured[len(step.simulated) :]], [13])
        self.assertEqual(step.simulated[-1][1], 120 / Plan().capacity / 0.75)

    def test_by_cpu_it_is_later_and_asks_for_up_to_one_pod_fewer(self):
        step = self.steps["CPU"]
        later, differences = self.differences(step)
        self.assertEqual(len(step.simulated), len(step.measured))
        self.assertAlmostEqual(later, 10, delta=1)
        # The later ones follow sooner than they did: at the last it is six seconds.
        for (seconds, _), expected in zip(differences, (0, -2, -2, -3, -4), strict=True):
            self.assertAlmostEqual(seconds, expected, delta=1)
        self.assertLessEqual({pods for _, pods in differences}, {-1, 0})

    def test_about_as_many_are_not_served(self):
        for signal, share in (("weir", 0.2), ("CPU", 0.05)):
            step = self.steps[signal]
            self.assertAlmostEqual(step.simulated_missed / step.measured_missed, 1, delta=share, msg=signal)

    def test_the_hpas_rules_make_of_the_measured_signal_the_pods_that_were_asked_for(self):
        """So that what differs is the load, of which requests that took longer are a part, and not the HPA."""
        step, replicas = self.steps["weir"], 1
        for at, pods in step.measured:
            lately = [total for when, total in step.utilization if at - 1 <= when <= at]
            self.assertIn(pods, [wanted_of_sum(replicas, total, 0.75) for total in lately])
            replicas = pods


if __name__ == "__main__":
    unittest.main()
