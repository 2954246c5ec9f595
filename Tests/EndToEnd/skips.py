# SPDX-License-Identifier: Apache-2.0
# Skipped tests show nothing. So one that would be skipped for what this machine lacks fails, but where TESTS_MAY_SKIP says
# that it may (`TESTS_MAY_SKIP=1 make test`); then the end of the run lists each with its reason. Used by every conftest.

import os

import pytest

VARIABLE = "TESTS_MAY_SKIP"


def pytest_configure(config):
    # What -rs does: each skip with its reason, at the end.
    if "s" not in config.option.reportchars:
        config.option.reportchars += "s"


def refuse(report):
    """Makes a failure of a skip. What is expected to fail counts as skipped too, and is none."""
    if report.skipped and not hasattr(report, "wasxfail") and not os.environ.get(VARIABLE):
        file, line, reason = report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{file}:{line}: {reason}; set {VARIABLE}=1 to let it be"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return refuse((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return refuse((yield))
