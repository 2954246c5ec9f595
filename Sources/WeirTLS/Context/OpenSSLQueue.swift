// SPDX-License-Identifier: Apache-2.0
// OpenSSL's errors of the calling thread. Whatever reads one first cleared what earlier calls left.

import COpenSSL

/// The thread's queue of errors.
enum OpenSSLQueue {
    static func clear() { ERR_clear_error() }

    /// The code of the error that came last; 0 for none.
    static var lastReason: Int32 { ERR_GET_REASON(ERR_peek_last_error()) }

    /// The reason of the error that came first, which is the nearest to the cause; empties the queue.
    static func takeText() -> String {
        let code = ERR_get_error()
        clear()
        guard code != 0 else { return "unknown" }
        guard let text = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    static func error(in call: String) -> TLSError { .library(call: call, reason: takeText()) }
}
