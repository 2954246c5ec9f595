// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Weir

/// A writer that outlives its stream.
final class KeptWriter: Sendable {
    private let writer = Mutex<ResponseWriter?>(nil)

    func set(_ writer: ResponseWriter) { self.writer.withLock { $0 = writer } }
    func take() -> ResponseWriter? { writer.withLock { $0.take() } }
}
