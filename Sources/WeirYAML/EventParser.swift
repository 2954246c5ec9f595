// SPDX-License-Identifier: Apache-2.0
// libyaml's parser over bytes in memory, one event after the other, with its errors as values. On the caller's thread.

import CYAML
import WeirDocument

/// What libyaml reports, copied out of its memory.
struct ParserEvent {
    enum Kind {
        case streamEnd
        case documentStart
        case documentEnd
        case scalar(String, isPlain: Bool)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        case alias(String)
    }

    let kind: Kind
    var anchor: String?
    var tag: String?
    let position: TextPosition
}

/// The parser and the bytes that it reads.
@safe
struct EventParser: ~Copyable {
    /// libyaml keeps the address of the parser's input, so it lives in one place.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ text: [UInt8]) throws(YAMLFault) {
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            throw YAMLFault(.outOfMemory, at: TextPosition(line: 1, column: 1))
        }
        unsafe self.parser = unsafe parser
        unsafe bytes = .allocate(capacity: text.count)
        _ = unsafe bytes.initialize(fromContentsOf: text)
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe bytes.deallocate()
    }

    /// The next event.
    mutating func next() throws(YAMLFault) -> ParserEvent {
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw fault() }
            // What is taken from the event is copied before this runs.
            defer { unsafe yaml_event_delete(&event) }
            if let event = unsafe Self.copy(event) { return event }
        }
    }

    /// Nil for what says nothing of the document.
    private static func copy(_ event: yaml_event_t) -> ParserEvent? {
        let position = unsafe TextPosition(event.start_mark)
        switch unsafe event.type {
        case YAML_STREAM_END_EVENT: return ParserEvent(kind: .streamEnd, position: position)
        case YAML_DOCUMENT_START_EVENT: return ParserEvent(kind: .documentStart, position: position)
        case YAML_DOCUMENT_END_EVENT: return ParserEvent(kind: .documentEnd, position: position)
        case YAML_SEQUENCE_END_EVENT: return ParserEvent(kind: .sequenceEnd, position: position)
        case YAML_MAPPING_END_EVENT: return ParserEvent(kind: .mappingEnd, position: position)
        case YAML_ALIAS_EVENT:
            return ParserEvent(kind: .alias(unsafe text(event.data.alias.anchor) ?? ""), position: position)
        case YAML_SEQUENCE_START_EVENT:
            let data = unsafe event.data.sequence_start
            return unsafe ParserEvent(
                kind: .sequenceStart,
                anchor: text(data.anchor),
                tag: text(data.tag),
                position: position
            )
        case YAML_MAPPING_START_EVENT:
            let data = unsafe event.data.mapping_start
            return unsafe ParserEvent(
                kind: .mappingStart,
                anchor: text(data.anchor),
                tag: text(data.tag),
                position: position
            )
        case YAML_SCALAR_EVENT:
            let data = unsafe event.data.scalar
            // libyaml says how long the value is; it may hold zeros.
            let value = unsafe String(
                decoding: UnsafeBufferPointer(start: data.value, count: data.length),
                as: UTF8.self
            )
            let isPlain = unsafe data.style == YAML_PLAIN_SCALAR_STYLE
            return unsafe ParserEvent(
                kind: .scalar(value, isPlain: isPlain),
                anchor: text(data.anchor),
                tag: text(data.tag),
                position: position
            )
        default: return nil
        }
    }

    /// A C string of libyaml's; nil for none.
    private static func text(_ bytes: UnsafeMutablePointer<UInt8>?) -> String? {
        unsafe bytes.map { unsafe String(cString: $0) }
    }

    private func fault() -> YAMLFault {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "not understood"
        switch unsafe parser.pointee.error {
        case YAML_MEMORY_ERROR: return YAMLFault(.outOfMemory, at: TextPosition(line: 1, column: 1))
        case YAML_READER_ERROR: return YAMLFault(.notUTF8, at: unsafe position(ofByte: parser.pointee.problem_offset))
        default: break
        }
        let mark = unsafe parser.pointee.problem_mark
        if unsafe mark.index < bytes.count, byte(at: mark) == UInt8(ascii: "\t") {
            return YAMLFault(.tab, at: TextPosition(mark))
        }
        var text = problem
        if let context = unsafe parser.pointee.context {
            let line = unsafe parser.pointee.context_mark.line + 1
            unsafe text += " " + String(cString: context) + " that begins on line \(line)"
        }
        return YAMLFault(.syntax(text), at: TextPosition(mark))
    }

    /// The byte at a mark, whose index counts characters.
    private func byte(at mark: yaml_mark_t) -> UInt8? {
        var left = Int(mark.index)
        return unsafe bytes.first { byte in
            if byte & 0xC0 == 0x80 { return false }
            left -= 1
            return left < 0
        }
    }

    private func position(ofByte offset: Int) -> TextPosition {
        let before = unsafe bytes.prefix(offset)
        let line = unsafe before.count { $0 == UInt8(ascii: "\n") }
        let start = unsafe before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let column = unsafe bytes[start..<before.endIndex].count { $0 & 0xC0 != 0x80 }
        return TextPosition(line: line + 1, column: column + 1)
    }
}

extension TextPosition {
    init(_ mark: yaml_mark_t) {
        self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }
}
