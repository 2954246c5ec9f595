// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request's path: what comes out of normalizing is safe, and every answer of the table is borne out by
// the patterns.

import FuzzSupport
import WeirRouting

@c(LLVMFuzzerTestOneInput)
public func fuzzRouteTable(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let path = unsafe Span(_unsafeStart: start, count: count)
    Lookup(0, hosts[0], path).checkThatNormalizedStays()
    for host in hosts {
        var methods: MethodSet = []
        var answers: [Lookup] = []
        for method in UInt8(0)..<10 {
            let lookup = Lookup(method, host, path)
            lookup.check(path)
            if lookup.outcome == .found { methods.insert(MethodSet(methodIndex: method)) }
            answers.append(lookup)
        }
        for (method, lookup) in answers.enumerated() {
            lookup.check(method: MethodSet(methodIndex: UInt8(method)), found: methods, as: answers[0])
        }
    }
    return 0
}

private let hosts = ["", "shop.example.com", "Shop.Example.com.:8080", "a.b.example.com", "[::1]:80", "elsewhere"]
    .map { Array($0.utf8) }
