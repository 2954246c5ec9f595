// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of endpoints: what is read can be written, one endpoint on a line, and reads as the same.

import WeirUpstream

@c(LLVMFuzzerTestOneInput)
public func fuzzEndpointFile(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    do throws(EndpointFileError) {
        let urls = try EndpointFile.parse(bytes).map(\.url)
        // A socket's path may begin a comment there.
        guard !urls.contains(where: { $0.description.contains("#") || $0.description.hasSuffix(" ") }) else { return 0 }
        let text = urls.map { "\($0)\n" }.joined()
        guard let read = try? EndpointFile.parse(Array(text.utf8)) else {
            preconditionFailure("written, it is no list")
        }
        precondition(read.map(\.url) == urls, "written, it is another list")
    } catch {
        precondition(!error.description.isEmpty, "a fault without a word")
    }
    return 0
}
