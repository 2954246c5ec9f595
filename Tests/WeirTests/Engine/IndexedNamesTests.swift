// SPDX-License-Identifier: Apache-2.0
// Names and their numbers.

import Testing
import Weir

@Suite struct IndexedNamesTests {
    @Test func `a name has one index for ever`() {
        let names = IndexedNames(countMax: 3)
        #expect(["/a", "/b", "/a", "/c", "/b"].map(names.index) == [0, 1, 0, 2, 1])
        #expect(Array(names.names(from: 0)) == ["/a", "/b", "/c"])
        #expect(Array(names.names(from: 2)) == ["/c"])
        #expect(names.names(from: 3).isEmpty)
    }

    @Test func `names that are too many have none`() {
        let names = IndexedNames(countMax: 1)
        #expect(names.index(of: "/a") == 0)
        #expect(names.index(of: "/b") == -1)
        #expect(names.index(of: "/a") == 0)
        #expect(Array(names.names(from: 0)) == ["/a"])
    }
}
