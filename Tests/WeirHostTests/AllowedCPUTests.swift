// SPDX-License-Identifier: Apache-2.0
// Which CPU a loop is pinned to, beside those that others have.

import Testing
import WeirHost

@Suite struct AllowedCPUTests {
    @Test func `each has one of its own as long as there are any, whatever its number`() throws {
        let all = Set((0..<4096).compactMap { AllowedCPU.number($0) })
        try #require(!all.isEmpty)
        var taken: [Int] = []
        for _ in all { taken.append(try #require(AllowedCPU.number(0, unlessIn: taken))) }
        #expect(Set(taken) == all)
        for index in 0..<all.count { #expect(AllowedCPU.number(index, unlessIn: taken) == AllowedCPU.number(index)) }
    }
}
