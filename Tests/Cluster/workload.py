# SPDX-License-Identifier: Apache-2.0
# A service as there are many: a thread for each request, a little work, and then a wait for something else. It is what
# stands behind Weir in the pods of test_step.py.

import hashlib
import time

from answering import Handler, serve_until_told_to_end

WAIT_SECONDS = 0.2
# Some milliseconds of CPU.
ROUNDS = 3000


class Orders(Handler):
    def do_GET(self):
        body = hashlib.pbkdf2_hmac("sha256", self.path.encode(), b"salt", ROUNDS).hex().encode()
        time.sleep(WAIT_SECONDS)
        self.answer(body)


if __name__ == "__main__":
    serve_until_told_to_end(Orders, ("127.0.0.1", 3000))
