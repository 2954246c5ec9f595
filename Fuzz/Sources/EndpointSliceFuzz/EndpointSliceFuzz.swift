// SPDX-License-Identifier: Apache-2.0
// Any bytes as what an API server says of slices: the first line as a list, the others as events behind it. What is read
// becomes a list of endpoints, each place once.

import WeirUpstream

private let services = ["shop/orders", "shop/orders:http", "shop/orders:8080"].compactMap {
    KubernetesService(parsing: $0)
}

@c(LLVMFuzzerTestOneInput)
public func fuzzEndpointSlices(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
    var table = EndpointSliceTable()
    if let list = EndpointSliceJSON.list(lines[0]) {
        guard table.add(list) else { return 0 }
        precondition(table.resourceVersion == list.resourceVersion, "a list without its version")
    }
    check(table)
    for line in lines.dropFirst() {
        guard let event = EndpointSliceJSON.event(line) else { continue }
        let before = table
        switch table.apply(event) {
        case .changed: precondition(table.slices != before.slices, "a change that is none")
        case .unchanged: precondition(table.slices == before.slices, "a change without a word")
        case .expired, .failed: precondition(table == before, "an error that changes something")
        case .tooMany: return 0
        }
        check(table)
    }
    _ = EndpointSliceJSON.status(bytes)
    return 0
}

private func check(_ table: EndpointSliceTable) {
    for service in services {
        do throws(KubernetesProblem) {
            let all = try table.endpoints(of: service)
            precondition(Set(all.map(\.url.place)).count == all.count, "a place twice")
            let near = try table.endpoints(of: service, zone: "eu-1")
            precondition(near.isEmpty == all.isEmpty, "a zone that takes all away")
            precondition(near.allSatisfy { all.contains($0) }, "a zone that brings one")
        } catch {
            precondition(!error.description.isEmpty, "a fault without a word")
        }
    }
    precondition(table.readyCount <= table.slices.values.reduce(0) { $0 + $1.endpoints.count }, "more than there are")
}
