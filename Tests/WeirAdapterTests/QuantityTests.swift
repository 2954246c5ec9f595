// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirAdapter

@Suite struct QuantityTests {
    @Test(
        arguments: [
            (0, "0"), (1, "1"), (0.85, "850m"), (1.5, "1500m"), (0.0004, "0"), (0.0005, "1m"), (1234.5678, "1234568m"),
            (3.0000001, "3"), (1e12, "1000000000000"),
        ] as [(Double, String)]
    )
    func `a number is written to the thousandth`(value: Double, text: String) {
        #expect(Quantity(value)?.description == text)
    }

    @Test(arguments: [-0.001, .nan, -.infinity])
    func `what no signal can be is no quantity`(value: Double) {
        #expect(Quantity(value) == nil)
    }

    @Test func `what is larger than a quantity holds is the largest`() {
        for value in [1e300, .greatestFiniteMagnitude, .infinity] {
            #expect(Quantity(value)?.description == "1000000000000000")
        }
    }
}
