// SPDX-License-Identifier: Apache-2.0
// One log event, and the two ways in which it is written. Pure.

package import Logging

/// One log event, ready to be written.
package struct LogLine: Sendable {
    package let time: LogTimestamp
    package let level: Logger.Level
    package let logger: String
    package let message: String

    /// Metadata in the order in which it is written.
    package let fields: [(key: String, value: Logger.Metadata.Value)]

    package init(
        time: LogTimestamp,
        level: Logger.Level,
        logger: String,
        message: String,
        fields: [(key: String, value: Logger.Metadata.Value)]
    ) {
        self.time = time
        self.level = level
        self.logger = logger
        self.message = message
        self.fields = fields
    }

    /// About how many bytes it holds in memory.
    var byteCount: Int {
        fields.reduce(128 + message.utf8.count) { $0 + $1.key.utf8.count + Self.byteCount($1.value) }
    }

    private static func byteCount(_ value: Logger.Metadata.Value) -> Int {
        switch value {
        case .string(let text): 64 + text.utf8.count
        case .stringConvertible: 128
        case .array(let values): values.reduce(64) { $0 + byteCount($1) }
        case .dictionary(let values): values.reduce(64) { $0 + $1.key.utf8.count + byteCount($1.value) }
        }
    }

    /// One JSON object, metadata at its top level. A metadata key that would stand twice gets a `_` at its end.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.append("{\"time\":")
        writer.append(string: time.description)
        writer.append(",\"level\":")
        writer.append(string: level.rawValue)
        writer.append(",\"logger\":")
        writer.append(string: logger)
        writer.append(",\"message\":")
        writer.append(string: message)
        for field in fields {
            writer.append(",")
            writer.append(
                string: ["time", "level", "logger", "message"].contains(field.key) ? field.key + "_" : field.key
            )
            writer.append(":")
            writer.append(value: field.value)
        }
        writer.append("}")
        return writer.bytes
    }

    /// `2026-11-21T17:00:00.123Z INFO weir: message key=value`.
    var text: [UInt8] {
        var line =
            "\(time) \(level.rawValue.uppercased()) \(Self.word(logger)): \(message.escapedForLine(quotes: false))"
        for field in fields { line += " \(Self.word(field.key))=\(Self.word(field.value.description))" }
        return Array(line.utf8)
    }

    /// The text as it is, or between quotes where it would not be seen as one word.
    static func word(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && !"\"\\=".utf8.contains($0) }
        return isPlain ? text.escapedForLine(quotes: false) : "\"\(text.escapedForLine(quotes: true))\""
    }
}
