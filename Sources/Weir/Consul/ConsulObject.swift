// SPDX-License-Identifier: Apache-2.0
// Reads the fields of a JSON object as Consul does: names in any case, null as nothing, unknown ones refused. Pure.

/// An object that is being read.
///
/// Underscores in names do not matter: Consul takes some fields in both forms, and here all are.
struct ConsulObject {
    private var fields: [String: JSONValue] = [:]
    private var names: [String: String] = [:]

    init(_ value: JSONValue, _ what: String) throws(ConsulError) {
        guard case .object(let fields) = value else { throw Self.failed("\(what) is no object") }
        for field in fields {
            let name = Self.folded(field.name)
            names[name] = field.name
            if field.value != .null { self.fields[name] = field.value }
        }
    }

    static func failed(_ text: String) -> ConsulError { .badRequest("Request decode failed: \(text)") }

    private static func folded(_ name: String) -> String { name.lowercased().filter { $0 != "_" } }

    /// The value of the field, which counts as known from now on.
    mutating func take(_ name: String) -> JSONValue? {
        let name = Self.folded(name)
        names[name] = nil
        return fields.removeValue(forKey: name)
    }

    mutating func string(_ name: String) throws(ConsulError) -> String? {
        guard let value = take(name) else { return nil }
        guard case .string(let text) = value else { throw Self.failed("\(name) is no string") }
        return text
    }

    mutating func bool(_ name: String) throws(ConsulError) -> Bool {
        guard let value = take(name) else { return false }
        guard case .bool(let flag) = value else { throw Self.failed("\(name) is no bool") }
        return flag
    }

    mutating func integer(_ name: String) throws(ConsulError) -> Int? {
        guard let value = take(name) else { return nil }
        guard case .number(let number) = value, let integer = Int(exactly: number) else {
            throw Self.failed("\(name) is no integer")
        }
        return integer
    }

    /// Go's text, or a number of nanoseconds.
    mutating func duration(_ name: String) throws(ConsulError) -> Duration {
        switch take(name) {
        case nil: return .zero
        case .number(let number):
            guard let nanoseconds = Int64(exactly: number) else { throw Self.failed("\(name) is no duration") }
            return .nanoseconds(nanoseconds)
        case .string(let text):
            guard let duration = GoDuration.parse(text) else {
                throw Self.failed("time: invalid duration \(ConsulError.quoted(text))")
            }
            return duration
        default: throw Self.failed("\(name) is no duration")
        }
    }

    mutating func strings(_ name: String) throws(ConsulError) -> [String] {
        guard let value = take(name) else { return [] }
        guard case .array(let values) = value else { throw Self.failed("\(name) is no list of strings") }
        var strings: [String] = []
        for value in values {
            guard case .string(let text) = value else { throw Self.failed("\(name) is no list of strings") }
            strings.append(text)
        }
        return strings
    }

    mutating func array(_ name: String) throws(ConsulError) -> [JSONValue] {
        guard let value = take(name) else { return [] }
        guard case .array(let values) = value else { throw Self.failed("\(name) is no list") }
        return values
    }

    /// A map whose names are the client's.
    mutating func map(_ name: String) throws(ConsulError) -> [JSONValue.Field] {
        guard let value = take(name) else { return [] }
        guard case .object(let fields) = value else { throw Self.failed("\(name) is no object") }
        return fields
    }

    /// Fields that are known and mean nothing here.
    mutating func ignore(_ names: String...) {
        for name in names { _ = take(name) }
    }

    /// Fields that ask for what is not there: refused unless they say nothing.
    mutating func refuse(_ names: String...) throws(ConsulError) {
        for name in names {
            switch take(name) {
            case nil, .bool(false), .string(""), .number(0), .array([]), .object([]): continue
            default: throw .badRequest("\(name) is not supported")
            }
        }
    }

    /// Nothing else may be there.
    func end() throws(ConsulError) {
        guard let name = names.values.min() else { return }
        throw Self.failed("json: unknown field \(ConsulError.quoted(name))")
    }
}
