// SPDX-License-Identifier: Apache-2.0
// Any bytes as a name server's answer to a question for services: what is read can be used as endpoints.

import WeirDNS
import WeirEventLoop

@c(LLVMFuzzerTestOneInput)
public func fuzzServiceAnswer(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let answer = ServiceAnswer(parsing: bytes) else { return 0 }
    let groups = ServiceSelection.groups(answer.records)
    precondition(groups.reduce(0) { $0 + $1.count } <= answer.records.count, "more is used than was read")
    precondition(groups.allSatisfy { !$0.isEmpty }, "a priority without a record")
    for group in groups {
        let addresses = Dictionary(group.map { ($0.target, [SocketAddress.ipv4(0x0A00_0001, port: 0)]) }) { first, _ in
            first
        }
        let endpoints = ServiceSelection.endpoints(group, addresses: addresses)
        precondition(endpoints.count == group.count, "a record without its endpoint")
    }
    return 0
}
