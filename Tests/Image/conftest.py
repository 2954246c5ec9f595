# SPDX-License-Identifier: Apache-2.0
# Fixtures: the image, its files, containers that are removed with their test; and what was measured, at the end.

import json
import os
from pathlib import Path

import pytest

from container import Container, podman

pytest_plugins = ["skips"]
MEASURED = {}


@pytest.fixture(scope="session")
def image():
    """What the image says of itself. scripts/test-image builds it, and says where it is."""
    return json.loads(podman("image", "inspect", os.environ["WEIR_IMAGE"]))[0]


@pytest.fixture(scope="session")
def root(image):
    """The folder with the image's files."""
    yield Path(podman("image", "mount", image["Id"]).strip())
    podman("image", "umount", image["Id"])


@pytest.fixture
def run(image):
    """Starts the gateway in a container, as in a pod with limits."""
    containers = []

    def start(**settings):
        containers.append(Container(image["Id"], settings))
        return containers[-1]

    yield start
    for container in containers:
        container.remove()


@pytest.fixture
def measure():
    """Takes a figure for the end of the run."""
    return MEASURED.__setitem__


def pytest_terminal_summary(terminalreporter):
    for name, value in MEASURED.items():
        terminalreporter.write_line(f"{name}: {value}")
