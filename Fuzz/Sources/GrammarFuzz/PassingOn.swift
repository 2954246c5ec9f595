// SPDX-License-Identifier: Apache-2.0
// What of a message goes on, by the RFC, and how the comparisons have it written.

import WeirHTTP

extension SlowField {
    /// RFC 9110 sections 7.6.1 and 11.7: what is meant for one connection, or for a proxy, does not go on; nor does what
    /// Connection names, unless it is a name that is meant for all. The coding is the writer's own.
    func goesOn(_ connectionOptions: [[UInt8]]) -> Bool {
        let hopByHop = [
            "connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
            "proxy-connection", "te", "transfer-encoding", "upgrade",
        ]
        if hopByHop.contains(where: isNamed) { return false }
        let name = lowercase(name[...])
        let isKnown = HeaderName.allCases.contains { Array("\($0.text)".utf8) == name }
        return isKnown || !connectionOptions.contains(name)
    }

    /// The fields that one of our parsers has found.
    static func all(_ section: borrowing FieldSection, in bytes: [UInt8]) -> [SlowField] {
        (0..<section.count).map { index in
            let field = section.field(index)
            return SlowField(name: Array(bytes[field.name.bounds]), value: Array(bytes[field.value.bounds]))
        }
    }
}

/// What `body` writes.
func written(byteCount: Int, _ body: (inout HeadWriter) -> Void) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 1)
    defer { unsafe memory.deallocate() }
    // The memory is the writer's alone until it is copied.
    var writer = unsafe HeadWriter(memory)
    body(&writer)
    precondition(!writer.overflowed, "more is written than was read")
    return unsafe Array(memory[..<writer.count])
}
