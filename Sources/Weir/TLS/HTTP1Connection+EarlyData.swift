// SPDX-License-Identifier: Apache-2.0
// Requests that come before a handshake is done (RFC 8470): those that change nothing are served, others wait.

import WeirEventLoop

extension HTTP1Connection {
    /// Whether a request begins with a method that is safe (RFC 9110 section 9.2.1). One whose method is not all there
    /// waits, too.
    func beginsSafely(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let methods: InlineArray<3, StaticString> = ["GET ", "HEAD ", "OPTIONS "]
        for index in methods.indices {
            let method = methods[index]
            let text = UnsafeRawBufferPointer(start: method.utf8Start, count: method.utf8CodeUnitCount)
            if bytes.starts(with: text) { return true }
        }
        return false
    }
}
