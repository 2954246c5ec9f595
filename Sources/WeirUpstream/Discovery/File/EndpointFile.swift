// SPDX-License-Identifier: Apache-2.0
// The text of a file of endpoints, in either of its two forms. Pure.

/// Reads a file that lists endpoints: one on a line as `http://10.0.0.1:8080;weight=3`, with `#` before a comment; or a
/// JSON array of such texts, or of objects as `{"url": "http://10.0.0.1:8080", "weight": 3, "zone": "a", "tags": ["v2"]}`.
///
/// Strict as `EndpointURL`: one wrong line makes the whole file wrong, so that no list is half of what was meant.
package enum EndpointFile {
    package static let bytesMax = 1 << 20

    /// Reads the text; `[]` where it lists nothing.
    package static func parse(_ bytes: [UInt8]) throws(EndpointFileError) -> [DiscoveredEndpoint] {
        guard bytes.count <= bytesMax else { throw .tooLarge(bytesMax: bytesMax) }
        var list = List()
        if bytes.first(where: { !isBlank($0) && $0 != UInt8(ascii: "\n") }) == UInt8(ascii: "[") {
            var reader = EndpointJSON(bytes)
            try reader.read { (entry) throws(EndpointFileError) in try list.add(entry, bytes) }
        } else {
            try parseLines(bytes, into: &list)
        }
        return list.endpoints
    }

    private static func parseLines(_ bytes: [UInt8], into list: inout List) throws(EndpointFileError) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            var end = line.endIndex
            for place in line.indices
            where line[place] == UInt8(ascii: "#") && (place == line.startIndex || isBlank(line[place - 1])) {
                end = place
                break
            }
            let text = line[..<end].drop(while: isBlank)
            guard let last = text.lastIndex(where: { !isBlank($0) }) else { continue }
            guard let url = String(validating: text[...last], as: UTF8.self) else { throw .notUTF8(line: index + 1) }
            try list.add(EndpointJSON.Entry(line: index + 1, url: url), bytes)
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    /// What was read so far.
    private struct List {
        var endpoints: [DiscoveredEndpoint] = []
        private var lines: [EndpointURL.Place: Int] = [:]

        mutating func add(_ entry: EndpointJSON.Entry, _ bytes: [UInt8]) throws(EndpointFileError) {
            let countMax = Upstream.endpointsMax
            guard endpoints.count < countMax else { throw .tooManyLines(line: entry.line, countMax: countMax) }
            let url: EndpointURL
            do throws(EndpointURLError) {
                url = try EndpointURL(parsing: entry.weight.map { "\(entry.url);weight=\($0)" } ?? entry.url)
            } catch {
                throw .endpoint(line: entry.line, error)
            }
            if let firstLine = lines.updateValue(entry.line, forKey: url.place) {
                throw .duplicate(line: entry.line, url: url.withoutWeight.description, firstLine: firstLine)
            }
            endpoints.append(DiscoveredEndpoint(url, zone: entry.zone, tags: entry.tags))
        }
    }
}
