// SPDX-License-Identifier: Apache-2.0
// The JSON form of a file of endpoints (RFC 8259), read by hand because FoundationEssentials names no line of a fault.
// Pure.

/// Reads an array of endpoints, and nothing but that.
struct EndpointJSON {
    /// An endpoint as it was written.
    struct Entry {
        let line: Int
        var url: String
        var weight: String?
        var zone: String?
        var tags: [String] = []
    }

    private static let newline = UInt8(ascii: "\n")

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads the whole text; `take` gets each endpoint.
    mutating func read(_ take: (Entry) throws(EndpointFileError) -> Void) throws(EndpointFileError) {
        try readList { (reader) throws(EndpointFileError) in try take(reader.readEntry()) }
        guard peek() == nil else { throw fault("nothing may follow the list") }
    }

    private mutating func readEntry() throws(EndpointFileError) -> Entry {
        guard peek() == UInt8(ascii: "{") else {
            let line = line
            return Entry(line: line, url: try readString("an endpoint is a text or an object"))
        }
        let first = line
        position += 1
        var entry = Entry(line: first, url: "")
        var seen: Set<String> = []
        try readSequence(to: UInt8(ascii: "}")) { (reader) throws(EndpointFileError) in
            let key = try reader.readString("a name between quotes must come next")
            guard seen.insert(key).inserted else {
                throw .json(line: reader.line, expected: "\"\(key)\" is there twice; write it once")
            }
            try reader.readMember(key, of: &entry)
        }
        guard seen.contains("url") else { throw .json(line: first, expected: "the endpoint has no url") }
        return entry
    }

    private mutating func readMember(_ key: String, of entry: inout Entry) throws(EndpointFileError) {
        let keyLine = line
        try expect(UInt8(ascii: ":"), "a colon must follow \"\(key)\"")
        switch key {
        case "url": entry.url = try readString("url must be a text")
        case "weight": entry.weight = try readNumber()
        case "zone": entry.zone = try readString("zone must be a text")
        case "tags":
            var tags: [String] = []
            try readList { (reader) throws(EndpointFileError) in tags.append(try reader.readString("a tag is a text")) }
            entry.tags = tags
        default: throw .unknownKey(line: keyLine, key: key)
        }
    }

    private mutating func readList(
        _ readItem: (inout EndpointJSON) throws(EndpointFileError) -> Void
    ) throws(EndpointFileError) {
        try expect(UInt8(ascii: "["), "a list in [ and ] must come next")
        try readSequence(to: UInt8(ascii: "]"), readItem)
    }

    /// Items with commas between them, and what closes them.
    private mutating func readSequence(
        to end: UInt8,
        _ readItem: (inout EndpointJSON) throws(EndpointFileError) -> Void
    ) throws(EndpointFileError) {
        if peek() != end {
            try readItem(&self)
            while peek() == UInt8(ascii: ",") {
                position += 1
                try readItem(&self)
            }
        }
        try expect(end, "a comma or \(Character(UnicodeScalar(end))) must come next")
    }

    /// A number as it stands there; what it may be the endpoint knows.
    private mutating func readNumber() throws(EndpointFileError) -> String {
        _ = peek()
        let start = position
        while position < bytes.count, bytes[position] > 0x20, !",]}".utf8.contains(bytes[position]) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func readString(_ expected: String) throws(EndpointFileError) -> String {
        try expect(UInt8(ascii: "\""), expected)
        var text: [UInt8] = []
        while true {
            guard position < bytes.count, bytes[position] >= 0x20 else { throw fault("a text lacks its closing quote") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: text, as: UTF8.self) else { throw .notUTF8(line: line) }
                return text
            case UInt8(ascii: "\\"):
                // Nothing that an endpoint is made of has to be escaped but these two.
                guard position < bytes.count, "\"\\/".utf8.contains(bytes[position])
                else { throw fault("a backslash stands before \", \\ or / only") }
                text.append(bytes[position])
                position += 1
            default: text.append(byte)
            }
        }
    }

    private mutating func expect(_ byte: UInt8, _ expected: String) throws(EndpointFileError) {
        guard peek() == byte else { throw fault(expected) }
        position += 1
    }

    /// The next byte that is no blank; nil at the end.
    private mutating func peek() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0D: position += 1
            case Self.newline:
                position += 1
                line += 1
            default: return bytes[position]
            }
        }
        return nil
    }

    private func fault(_ expected: String) -> EndpointFileError { .json(line: line, expected: expected) }
}
