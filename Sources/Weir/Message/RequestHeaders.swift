// SPDX-License-Identifier: Apache-2.0
// The header fields of a request, found when they are asked for.

import WeirHTTP

/// The fields of a request in the order in which they were sent; names are compared without regard to case.
public struct RequestHeaders: Sendable, Sequence {
    let exchange: Exchange

    public var count: Int { exchange.parser.pointee.fieldCount }

    /// The first value of `name`.
    /// - Complexity: linear in the number of fields, at most `WEIR_HEADER_FIELDS`.
    public subscript(name: String) -> String? {
        for index in 0..<exchange.parser.pointee.fieldCount where matches(index, name) {
            return exchange.string(exchange.parser.pointee.field(index).value)
        }
        return nil
    }

    /// All values of `name`, in order.
    public func all(_ name: String) -> [String] {
        (0..<exchange.parser.pointee.fieldCount).filter { matches($0, name) }.map {
            exchange.string(exchange.parser.pointee.field($0).value)
        }
    }

    public func makeIterator() -> AnyIterator<(name: String, value: String)> {
        var index = 0
        let exchange = exchange
        return AnyIterator {
            guard index < exchange.parser.pointee.fieldCount else { return nil }
            let field = exchange.parser.pointee.field(index)
            index += 1
            return (exchange.string(field.name), exchange.string(field.value))
        }
    }

    private func matches(_ index: Int, _ name: String) -> Bool {
        Headers.matches(exchange.bytes(exchange.parser.pointee.field(index).name), name.utf8)
    }
}
