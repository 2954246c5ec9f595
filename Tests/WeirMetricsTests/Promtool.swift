// SPDX-License-Identifier: Apache-2.0
// Asks promtool, where it is installed, what it thinks of an exposition.

import Glibc

/// `promtool check metrics`.
enum Promtool {
    static let isInstalled = access("/usr/bin/promtool", X_OK) == 0

    /// What promtool says of the text, in how many bytes; 0 where it finds nothing.
    static func findingsByteCount(_ text: String) throws -> Int {
        let path = "/tmp/weir-exposition-\(getpid())"
        guard let file = fopen(path, "w") else { throw Failure.cannotWrite }
        fputs(text, file)
        fclose(file)
        defer { unlink(path) }
        let findings = "\(path).findings"
        defer { unlink(findings) }
        let status = system("/usr/bin/promtool check metrics < \(path) > \(findings) 2>&1")
        var information = stat()
        guard stat(findings, &information) == 0 else { throw Failure.cannotRun }
        if status != 0 && information.st_size == 0 { throw Failure.cannotRun }
        return Int(information.st_size)
    }

    enum Failure: Error {
        case cannotWrite
        case cannotRun
    }
}
