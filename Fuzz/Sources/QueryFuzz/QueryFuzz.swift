// SPDX-License-Identifier: Apache-2.0
// Any bytes as a query: its pairs can be written, each byte escaped, and read as the same; and what Consul's API makes of
// them is refused with a word, or waits for a time that is one.

import Weir

@c(LLVMFuzzerTestOneInput)
public func fuzzQuery(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let query = Query(text: String(decoding: bytes, as: UTF8.self))
    let pairs = query.pairs
    let written = Query(text: pairs.map { "\(escaped($0.name))=\(escaped($0.value))" }.joined(separator: "&"))
    precondition(written.pairs.elementsEqual(pairs) { $0 == $1 }, "written, it is another query")
    // Each question reads all of it.
    for (name, value) in pairs.prefix(2) {
        precondition(query.all(name).contains(value), "a value that is not among its name's")
        precondition(query[name] == query.all(name).first, "a name whose first value is another")
    }
    do throws(ConsulError) {
        let options = try ConsulQueryOptions(query)
        precondition(GoDuration.parse(GoDuration.text(options.wait)) == options.wait, "a wait that is no duration")
        precondition(options.tags == query.all("tag"), "other tags than were asked for")
    } catch {
        precondition((400...599).contains(error.status) && !error.text.isEmpty, "a fault without a word")
    }
    return 0
}

private func escaped(_ text: String) -> String {
    let digits = Array("0123456789abcdef")
    return text.utf8.reduce(into: "") { $0 += "%\(digits[Int($1 >> 4)])\(digits[Int($1 & 15)])" }
}
