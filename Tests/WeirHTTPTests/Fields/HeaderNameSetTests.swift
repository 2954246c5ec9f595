// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("HeaderNameSet") struct HeaderNameSetTests {
    @Test("A set holds what was put in and nothing else", arguments: HeaderName.allCases)
    func contains(name: HeaderName) {
        let set = HeaderNameSet(name)
        #expect(HeaderName.allCases.filter { set.contains($0) } == [name])
        #expect(!HeaderNameSet().contains(name))
        let all = HeaderName.allCases.reduce(HeaderNameSet()) { $0.union(HeaderNameSet($1)) }
        #expect(all.contains(name))
        #expect(!all.isDisjoint(with: set))
        #expect(set.isDisjoint(with: HeaderNameSet()))
    }

    @Test("Nothing that is hop-by-hop may come as a trailer", arguments: HeaderName.allCases)
    func hopByHopTrailers(name: HeaderName) {
        #expect(!HeaderNameSet.hopByHop.contains(name) || name.isForbiddenInTrailers)
    }
}
