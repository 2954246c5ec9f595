// SPDX-License-Identifier: Apache-2.0
// The lines of a head: what reading a request and reading a response have in common. Owned by the parser.

/// Finds the lines of a head as its bytes arrive, and keeps the table of its fields.
///
/// The table is allocated once and costs 20 bytes for each of `HTTPLimits.headerFieldsMax` fields.
@safe
@usableFromInline
package struct FieldSection: ~Copyable {
    /// How many fields were found so far.
    @usableFromInline package private(set) var count = 0

    let limits: HTTPLimits
    /// The field that is taken for `HeaderName.deadline`.
    private let deadlineName: ChosenName?
    /// `limits.headerFieldsMax` slots, owned; the first `count` belong to this head.
    @usableFromInline let table: UnsafeMutablePointer<HeaderField>

    /// Where the first line that is not finished begins.
    var lineStart = 0
    /// Up to here there is no LF behind `lineStart`: each byte is searched once.
    var searchedCount = 0
    /// Where the field lines begin.
    var start = 0
    /// The names that were seen.
    package internal(set) var seen = HeaderNameSet()
    var connection = ConnectionOptions()
    /// What Content-Length or Transfer-Encoding says.
    var framing = BodyFraming.none

    /// What never goes on to the other side of a gateway: see `ForwardedRuns`.
    var withheld = HeaderNameSet.hopByHop

    /// What a call of `next` found.
    enum Step {
        /// The last in the table now; `isRepeated` if it is known and not the first of its name.
        case field(HeaderName, isRepeated: Bool)
        /// The empty line; the head ends before this offset.
        case end(Int)
        case incomplete
        case invalid(RequestFault)
    }

    init(limits: HTTPLimits, deadlineName: ChosenName? = nil) {
        limits.check()
        self.limits = limits
        self.deadlineName = deadlineName
        unsafe table = .allocate(capacity: limits.headerFieldsMax)
        let unused = HeaderField(name: .empty, value: .empty, known: .other)
        unsafe table.initialize(repeating: unused, count: limits.headerFieldsMax)
    }

    deinit {
        // Allocated in `init`, never handed out; `HeaderField` is trivial.
        unsafe table.deallocate()
    }

    /// Makes ready for the next head. Cheap: the table keeps its old contents.
    mutating func reset() {
        count = 0
        lineStart = 0
        searchedCount = 0
        start = 0
        seen = HeaderNameSet()
        connection.reset()
        framing = .none
        withheld = .hopByHop
    }

    /// Reads the next line of the section, which begins at `start`.
    @inline(__always)
    mutating func next(_ bytes: Span<UInt8>) -> Step {
        let limit = start &+ limits.headerBytesMax
        let lineFeed = nextLineFeed(bytes, before: limit)
        if lineFeed < 0 {
            return searchedCount < limit ? .incomplete : .invalid(RequestFault(.headerTooLarge, at: limit))
        }
        // For an empty line that is a bare LF, the byte before it is the LF of the line before.
        let end = lineFeed &- 1
        guard bytes[end] == ByteScan.carriageReturn else {
            return .invalid(RequestFault(.bareLineFeed, at: lineFeed))
        }
        if end == lineStart { return .end(lineFeed &+ 1) }
        guard count < limits.headerFieldsMax else { return .invalid(RequestFault(.tooManyFields, at: lineStart)) }
        switch FieldLine.parse(bytes, from: lineStart, to: end) {
        case .invalid(let fault):
            return .invalid(fault)
        case .field(var field):
            if field.known == .other, let deadlineName, deadlineName.matches(bytes, field.name) {
                field.known = .deadline
            }
            // The count was just seen to be below the capacity.
            unsafe table[count] = field
            count &+= 1
            lineStart = lineFeed &+ 1
            let isRepeated = seen.contains(field.known)
            seen.insert(field.known)
            return .field(field.known, isRepeated: isRepeated)
        }
    }

    /// The offset of the LF that ends the line at `lineStart`, or -1 if there is none before `limit` yet.
    @inline(__always)
    mutating func nextLineFeed(_ bytes: Span<UInt8>, before limit: Int) -> Int {
        let upper = bytes.count < limit ? bytes.count : limit
        let lineFeed = ByteScan.firstLineFeed(in: bytes, from: searchedCount, to: upper)
        searchedCount = lineFeed < 0 ? upper : lineFeed &+ 1
        return lineFeed
    }

    /// The field that `next` has just found.
    var last: HeaderField { field(count &- 1) }

    /// A field by its place on the wire, from 0. Traps outside `0..<count`.
    // Inlined into other modules: a call there copies the parser that the section is part of.
    @inlinable @inline(__always)
    package func field(_ index: Int) -> HeaderField {
        precondition(index >= 0 && index < count, "no such field")
        // Below the count, so below the capacity, and written by this head.
        return unsafe table[index]
    }
}
