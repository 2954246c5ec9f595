// SPDX-License-Identifier: Apache-2.0
// The fields of a journal entry, by systemd.journal-fields(7). Pure.

import Logging
package import Weir

/// A log event as the journal keeps it.
package struct JournalEntry {
    /// `NAME=value`, in the order in which they are sent. A value may hold any bytes.
    package let fields: [[UInt8]]

    /// The longest name that the journal takes, in bytes.
    package static let nameBytesMax = 64

    /// The most fields that are sent; further metadata is left out.
    package static let fieldsMax = 256

    package init(_ line: LogLine) {
        var fields = [
            Self.field("MESSAGE", line.message),
            Self.field("PRIORITY", "\(Self.priority(line.level))"),
            Self.field("SYSLOG_IDENTIFIER", "weir"),
            Self.field("WEIR_LOGGER", line.logger),
        ]
        for (key, value) in line.fields.prefix(Self.fieldsMax - fields.count) {
            fields.append(Self.field(Self.name(key), value.description))
        }
        self.fields = fields
    }

    /// A metadata key as the name of a field: `peer.address` becomes `WEIR_PEER_ADDRESS`.
    ///
    /// Names are of A–Z, 0–9 and `_` and do not begin with `_`, which is the journal's own.
    package static func name(_ key: String) -> String {
        let letters = key.unicodeScalars.map { scalar -> Character in
            switch scalar {
            case "a"..."z": Character(Unicode.Scalar(UInt8(scalar.value) - 0x20))
            case "A"..."Z", "0"..."9": Character(scalar)
            default: "_"
            }
        }
        return String(("WEIR_" + letters).prefix(nameBytesMax))
    }

    /// The levels of syslog(3).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }

    private static func field(_ name: String, _ value: String) -> [UInt8] { Array("\(name)=\(value)".utf8) }
}
