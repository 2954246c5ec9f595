// SPDX-License-Identifier: Apache-2.0
// Where a log goes: as lines to a descriptor, or as events to whoever keeps logs on this host.

import Glibc

/// Where the engine's log goes.
package enum LogSink: Sendable {
    /// Lines in the format of `WEIR_LOG_FORMAT`.
    case descriptor(Int32)
    /// Events with their level and metadata, on a thread of the log's own that may block; false if one is lost.
    case events(@Sendable (LogLine) -> Bool)

    package static var standardError: LogSink { .descriptor(STDERR_FILENO) }
}

/// An opened sink: what log handlers write to.
enum LogOutput: Sendable {
    case lines(LogWriter, Settings.LogFormat)
    case events(RecordWriter)

    func write(_ line: LogLine) {
        switch self {
        case .lines(let writer, .json): writer.write(line.json)
        case .lines(let writer, .text): writer.write(line.text)
        case .events(let writer): writer.write(line)
        }
    }

    /// `weir_log_lines_dropped_total`.
    var droppedLines: UInt64 {
        switch self {
        case .lines(let writer, _): writer.droppedLines
        case .events(let writer): writer.droppedLines
        }
    }

    func close(timeout: Duration) {
        switch self {
        case .lines(let writer, _): writer.close(timeout: timeout)
        case .events(let writer): writer.close(timeout: timeout)
        }
    }
}
