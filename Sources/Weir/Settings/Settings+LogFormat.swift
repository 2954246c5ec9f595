// SPDX-License-Identifier: Apache-2.0
// How log lines are written.

extension Settings {
    /// How a log line is written.
    public enum LogFormat: String, Sendable, CaseIterable {
        /// One JSON object a line, for log collectors.
        case json

        /// Time, level, logger, message and `key=value` pairs, for people.
        case text
    }
}
