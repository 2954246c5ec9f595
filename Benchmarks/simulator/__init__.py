# SPDX-License-Identifier: Apache-2.0
"""The whole control loop of autoscaling, simulated: a load, pods with Weir in front, a metric, and the HPA."""
