// SPDX-License-Identifier: Apache-2.0
// Where a piece of code runs, by the names that our threads have.

import Glibc

/// The kernel's name of the calling thread.
package func threadName() -> String {
    let descriptor = open("/proc/thread-self/comm", O_RDONLY)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count - 1)), as: UTF8.self)
}
