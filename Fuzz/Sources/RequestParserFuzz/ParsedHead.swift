// SPDX-License-Identifier: Apache-2.0
// Everything that the parser says about a head, as a value that can be compared.

import FuzzSupport
import WeirHTTP

struct ParsedHead: Equatable {
    private var outcome = ParseOutcome.incomplete
    // After `.complete` only:
    private var method = HTTPMethod.other
    private var form = TargetForm.origin
    private var scheme: URIScheme?
    private var minorVersion: UInt8 = 0
    private var framing = BodyFraming.none
    private var flags: [Bool] = []
    private var byteCount = 0
    private var methodRange = ByteRange.empty
    private var target = ByteRange.empty
    private var path = ByteRange.empty
    private var query: ByteRange?
    private var authority = ByteRange.empty
    private var fields: [HeaderField] = []

    /// Parses `bytes`, first only those before `position`, in memory of their own as if they had moved since.
    init(_ bytes: Span<UInt8>, _ limits: HTTPLimits, cutAt position: Int? = nil) {
        var parser = RequestParser(limits: limits)
        if let position {
            let front = ExactCopy(bytes.extracting(0..<position))
            outcome = parser.parse(front.span)
        }
        if outcome == .incomplete { outcome = parser.parse(bytes) }
        take(parser)
    }

    /// Parses `bytes` as they come one at a time.
    init(byteByByte bytes: Span<UInt8>, _ limits: HTTPLimits) {
        var parser = RequestParser(limits: limits)
        var count = 0
        while outcome == .incomplete, count < bytes.count {
            count += 1
            outcome = parser.parse(bytes.extracting(0..<count))
        }
        take(parser)
    }

    private mutating func take(_ parser: borrowing RequestParser) {
        guard outcome == .complete else { return }
        let head = parser.head
        method = head.method
        form = head.form
        scheme = head.scheme
        minorVersion = head.minorVersion
        framing = head.framing
        flags = [head.keepsAlive, head.expectsContinue, head.hasUpgrade]
        byteCount = Int(head.byteCount)
        methodRange = head.methodRange
        target = head.target
        path = head.path
        query = head.query
        authority = head.authority
        for index in 0..<parser.fieldCount { fields.append(parser.field(index)) }
    }

    /// Traps unless what the parser said fits the bytes.
    func check(_ bytes: Span<UInt8>, _ limits: HTTPLimits) {
        switch outcome {
        case .incomplete:
            precondition(bytes.count < limits.requestLineBytesMax + limits.headerBytesMax + 2, "a limit is not kept")
        case .invalid(let fault):
            precondition(Int(fault.offset) <= bytes.count, "a fault beyond the input")
            precondition((400...599).contains(fault.status) && fault.reason.utf8CodeUnitCount > 0)
        case .complete:
            checkHead(bytes, limits)
        }
    }

    private func checkHead(_ bytes: Span<UInt8>, _ limits: HTTPLimits) {
        precondition(byteCount <= bytes.count && fields.count <= limits.headerFieldsMax)
        precondition(self == ParsedHead(bytes.extracting(0..<byteCount), limits), "bytes behind the head matter")
        checkBytes(bytes.extracting(0..<byteCount))
        for range in [methodRange, target, path, query ?? .empty] {
            precondition(range.end <= byteCount)
            for index in range.bounds { precondition(bytes[index] > 0x20 && bytes[index] < 0x7F) }
        }
        precondition(authority.end <= byteCount)
        precondition(path.isEmpty ? form != .origin : bytes[Int(path.start)] == UInt8(ascii: "/"))
        for field in fields {
            precondition(!field.name.isEmpty && field.value.end <= byteCount)
            for index in field.name.bounds { precondition(ByteClass.contains(ByteClass.token, bytes[index])) }
        }
        checkFraming()
    }

    /// No control byte but tabs and the CRLFs of the lines; the head ends with the first empty line behind a request
    /// line.
    private func checkBytes(_ head: Span<UInt8>) {
        for index in head.indices {
            switch head[index] {
            case 0x0D: precondition(index + 1 < head.count && head[index + 1] == 0x0A, "a CR alone")
            case 0x0A: precondition(index > 0 && head[index - 1] == 0x0D, "an LF alone")
            case 0x09: break
            case 0..<0x20, 0x7F: preconditionFailure("a control byte")
            default: break
            }
        }
        precondition(head.count >= 4 && head[head.count - 4] == 0x0D && head[head.count - 2] == 0x0D)
    }

    /// A body has one length only, and one host is asked for.
    private func checkFraming() {
        let lengths = fields.count { $0.known == .contentLength }
        let codings = fields.count { $0.known == .transferEncoding }
        let hosts = fields.count { $0.known == .host }
        switch framing {
        case .none: precondition(lengths == 0 && codings == 0)
        case .length: precondition(lengths == 1 && codings == 0)
        case .chunked: precondition(lengths == 0 && codings > 0 && minorVersion == 1)
        }
        precondition(hosts == 1 || hosts == 0 && minorVersion == 0)
    }
}
