// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a Consul server answers to a question for a service: no answer, or endpoints within their bounds.

import WeirUpstream

@c(LLVMFuzzerTestOneInput)
public func fuzzConsulAnswer(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard let endpoints = ConsulAnswer.endpoints(bytes) else { return 0 }
    for endpoint in endpoints {
        precondition((1...EndpointURL.weightMax).contains(endpoint.url.weight), "a weight that is none")
        precondition((0...EndpointURL.weightMax).contains(endpoint.warningWeight ?? 0), "a warning weight that is none")
        precondition((try? EndpointURL(parsing: "\(endpoint.url)")) == endpoint.url, "written, it is another place")
    }
    return 0
}
