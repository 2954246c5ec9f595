// SPDX-License-Identifier: Apache-2.0
// Where the access log goes.

extension Settings {
    /// Where a line for each request goes.
    public enum AccessLogTarget: Sendable, Equatable {
        /// Nowhere (`off`).
        case off

        /// To standard output (`stdout`); other log lines go to standard error.
        case standardOutput

        /// To the end of the file with this absolute path, which is made if it is not there. Once a second it is opened
        /// anew if it was moved or removed.
        case file(String)
    }
}
