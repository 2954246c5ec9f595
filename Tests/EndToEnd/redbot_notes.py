# SPDX-License-Identifier: Apache-2.0
# What REDbot has to say about URLs, as JSON: for each its status, and the level and text of each note. It runs a loop
# of its own, hence a program. Use: redbot_notes.py URL…

import json
import sys
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource


class Examination:
    """All at once: thor's loop runs only one time."""

    def __init__(self, urls):
        # Else it asks no address of this machine.
        configuration = ConfigParser()
        configuration.read_dict({"redbot": {"enable_local_access": "True"}})
        self.resources = {url: HttpResource(configuration["redbot"]) for url in urls}
        self.left = len(self.resources)

    def run(self):
        for url, resource in self.resources.items():
            resource.set_request(url)
            thor.events.on(resource, "check_done")(self.note_end)
            resource.check()
        thor.run()
        return {url: self.found(resource.response) for url, resource in self.resources.items()}

    def note_end(self):
        self.left -= 1
        if not self.left:
            thor.stop()

    @staticmethod
    def found(response):
        return {"status": response.status_code, "notes": [(note.level.value, str(note.summary)) for note in response.notes]}


if __name__ == "__main__":
    json.dump(Examination(sys.argv[1:]).run(), sys.stdout)
