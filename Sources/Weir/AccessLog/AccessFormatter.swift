// SPDX-License-Identifier: Apache-2.0
// Makes a line of a record. Used by the log's thread; pure but for the names that it looks up.

import WeirEventLoop
import WeirHTTP

/// Writes records as JSON objects or as `key=value` pairs, one a line.
package struct AccessFormatter: ~Copyable {
    /// What of a name is written at most, in characters: with it the longest line fits.
    private static let nameCharactersMax = 512

    private let format: Settings.LogFormat
    private var routes: Names
    private var endpoints: Names
    private var methods: [[UInt8]]
    /// `2026-11-21T17:00:00.`, and the second since 1970 that it says.
    private var secondText: [UInt8] = []
    private var second: UInt64 = .max

    package init(format: Settings.LogFormat, routes: IndexedNames, endpoints: IndexedNames) {
        self.format = format
        self.routes = Names(source: routes, format: format)
        self.endpoints = Names(source: endpoints, format: format)
        // `_OTHER` is what OpenTelemetry calls a method without a name of its own.
        methods = HTTPMethod.allCases.map { $0 == .other ? Array("_OTHER".utf8) : Array("\($0.name)".utf8) }
    }

    /// Names as they stand in a line, in the order of their indices.
    private struct Names {
        let source: IndexedNames
        let format: Settings.LogFormat
        var texts: [[UInt8]] = []

        /// The text of a name; that of an empty one for an index that has none.
        mutating func append(_ index: Int, to buffer: inout LineBuffer) {
            if index >= texts.count {
                for name in source.names(from: texts.count) { texts.append(Self.text(name, format)) }
            }
            if texts.indices.contains(index) { return buffer.append(texts[index]) }
            buffer.append("\"\"")
        }

        private static func text(_ name: String, _ format: Settings.LogFormat) -> [UInt8] {
            // Scalars and not characters, as one of these has no bound.
            let name = String(String.UnicodeScalarView(name.unicodeScalars.prefix(nameCharactersMax)))
            switch format {
            case .json:
                var writer = JSONWriter()
                writer.append(string: name)
                return writer.bytes
            case .text:
                return Array(LogLine.word(name).utf8)
            }
        }
    }

    /// Appends the line of a record, with its end.
    ///
    /// - Parameters:
    ///   - record: the bytes of an ``AccessRecord`` and of the id behind it.
    ///   - wallOffset: what makes nanoseconds since 1970 of monotonic time, modulo 2^64.
    package mutating func append(
        _ record: UnsafeRawBufferPointer,
        wallOffset: UInt64,
        to buffer: inout LineBuffer
    ) {
        let values = record.load(as: AccessRecord.self)
        // In bounds: the recorder wrote as many bytes as it says.
        let id = UnsafeRawBufferPointer(
            rebasing: record[AccessRecord.byteCount..<AccessRecord.byteCount + Int(values.idByteCount)]
        )
        switch format {
        case .json: appendJSON(values, id, wallOffset, to: &buffer)
        case .text: appendText(values, id, wallOffset, to: &buffer)
        }
    }

    private mutating func appendJSON(
        _ record: AccessRecord,
        _ id: UnsafeRawBufferPointer,
        _ wallOffset: UInt64,
        to buffer: inout LineBuffer
    ) {
        buffer.append("{\"time\":\"")
        appendTime(record.startedAt &+ wallOffset, to: &buffer)
        buffer.append("\",\"level\":\"info\",\"kind\":\"access\",\"method\":\"")
        buffer.append(methods[Int(record.method)])
        buffer.append("\",\"route\":")
        routes.append(Int(record.route), to: &buffer)
        buffer.append(",\"status\":")
        buffer.append(decimal: UInt64(record.status))
        if record.reason != .none {
            buffer.append(",\"reason\":\"")
            buffer.append(record.reason.name)
            buffer.append("\"")
        }
        buffer.append(",\"bytes_in\":")
        buffer.append(decimal: record.bytesIn)
        buffer.append(",\"bytes_out\":")
        buffer.append(decimal: record.bytesOut)
        buffer.append(",\"duration_ms\":")
        appendDuration(record.nanoseconds, to: &buffer)
        buffer.append(",\"request_id\":\"")
        if id.isEmpty { buffer.append(hexadecimal: record.sequence) } else { buffer.append(id) }
        if record.traceHigh | record.traceLow != 0 {
            buffer.append("\",\"trace_id\":\"")
            buffer.append(hexadecimal: record.traceHigh)
            buffer.append(hexadecimal: record.traceLow)
        }
        if record.spanID != 0 {
            buffer.append("\",\"span_id\":\"")
            buffer.append(hexadecimal: record.spanID)
        }
        buffer.append("\",\"client\":\"")
        appendClient(record.peer, to: &buffer)
        buffer.append("\"")
        if record.peer.isSecure { buffer.append(",\"scheme\":\"https\"") }
        if record.endpoint >= 0 {
            buffer.append(",\"endpoint\":")
            endpoints.append(Int(record.endpoint), to: &buffer)
        }
        if record.tag >= 0 {
            buffer.append(",\"tag\":")
            routes.append(Int(record.tag), to: &buffer)
        }
        buffer.append("}\n")
    }

    private mutating func appendText(
        _ record: AccessRecord,
        _ id: UnsafeRawBufferPointer,
        _ wallOffset: UInt64,
        to buffer: inout LineBuffer
    ) {
        appendTime(record.startedAt &+ wallOffset, to: &buffer)
        buffer.append(" INFO access: method=")
        buffer.append(methods[Int(record.method)])
        buffer.append(" route=")
        routes.append(Int(record.route), to: &buffer)
        buffer.append(" status=")
        buffer.append(decimal: UInt64(record.status))
        if record.reason != .none {
            buffer.append(" reason=")
            buffer.append(record.reason.name)
        }
        buffer.append(" bytes_in=")
        buffer.append(decimal: record.bytesIn)
        buffer.append(" bytes_out=")
        buffer.append(decimal: record.bytesOut)
        buffer.append(" duration_ms=")
        appendDuration(record.nanoseconds, to: &buffer)
        buffer.append(" request_id=")
        appendTextID(record, id, to: &buffer)
        if record.traceHigh | record.traceLow != 0 {
            buffer.append(" trace_id=")
            buffer.append(hexadecimal: record.traceHigh)
            buffer.append(hexadecimal: record.traceLow)
        }
        if record.spanID != 0 {
            buffer.append(" span_id=")
            buffer.append(hexadecimal: record.spanID)
        }
        buffer.append(" client=")
        appendClient(record.peer, to: &buffer)
        if record.peer.isSecure { buffer.append(" scheme=https") }
        if record.endpoint >= 0 {
            buffer.append(" endpoint=")
            endpoints.append(Int(record.endpoint), to: &buffer)
        }
        if record.tag >= 0 {
            buffer.append(" tag=")
            routes.append(Int(record.tag), to: &buffer)
        }
        buffer.append("\n")
    }

    private func appendTextID(_ record: AccessRecord, _ id: UnsafeRawBufferPointer, to buffer: inout LineBuffer) {
        if id.isEmpty { return buffer.append(hexadecimal: record.sequence) }
        // The only byte of a plausible id that would make two words of it.
        let isQuoted = id.contains(UInt8(ascii: "="))
        if isQuoted { buffer.append("\"") }
        buffer.append(id)
        if isQuoted { buffer.append("\"") }
    }

    /// `2026-11-21T17:00:00.123Z`; most lines share their second with the one before.
    private mutating func appendTime(_ nanoseconds: UInt64, to buffer: inout LineBuffer) {
        let second = nanoseconds / 1_000_000_000
        if second != self.second {
            self.second = second
            secondText = Array(LogTimestamp(milliseconds: Int64(second) * 1000).description.utf8.dropLast(4))
        }
        buffer.append(secondText)
        buffer.append(nanoseconds / 1_000_000 % 1000, digitCount: 3)
        buffer.append("Z")
    }

    /// Milliseconds with three places: `1.234`.
    private func appendDuration(_ nanoseconds: Nanoseconds, to buffer: inout LineBuffer) {
        buffer.append(decimal: nanoseconds / 1_000_000)
        buffer.append(".")
        buffer.append(nanoseconds / 1000 % 1000, digitCount: 3)
    }

    private func appendClient(_ peer: PeerAddress, to buffer: inout LineBuffer) {
        guard let address = peer.ipv4 else { return buffer.append(Array(peer.socketAddress.host.utf8)) }
        buffer.append(decimal: UInt64(address >> 24))
        buffer.append(".")
        buffer.append(decimal: UInt64(address >> 16 & 255))
        buffer.append(".")
        buffer.append(decimal: UInt64(address >> 8 & 255))
        buffer.append(".")
        buffer.append(decimal: UInt64(address & 255))
    }
}
