# SPDX-License-Identifier: Apache-2.0
# No test is skipped unseen.

pytest_plugins = ["skips"]
