// SPDX-License-Identifier: Apache-2.0
// Names that stand as numbers in metrics and in the access log: route patterns and endpoints. Any thread.

import Synchronization

/// A list of different names that only grows, so that an index stays good across reloads.
package final class IndexedNames: Sendable {
    private struct State {
        var names: [String] = []
        var indices: [String: Int] = [:]
    }

    private let countMax: Int
    private let state = Mutex(State())

    /// - Parameter countMax: the most names; what comes later has no index, and what is said of it does without.
    package init(countMax: Int) {
        self.countMax = countMax
    }

    /// The index of `name`, which is kept from now on; -1 if there are too many. Allocates: not for each request.
    package func index(of name: String) -> Int {
        state.withLock { state in
            if let index = state.indices[name] { return index }
            guard state.names.count < countMax else { return -1 }
            let index = state.names.count
            state.names.append(name)
            state.indices[name] = index
            return index
        }
    }

    /// The name with this index; nil for none.
    package func name(at index: Int) -> String? {
        state.withLock { $0.names.indices.contains(index) ? $0.names[index] : nil }
    }

    /// The names with this index and behind it.
    package func names(from first: Int) -> ArraySlice<String> {
        state.withLock { $0.names.dropFirst(first) }
    }
}
