// SPDX-License-Identifier: Apache-2.0
// How a field says how much a request matters.

import Testing
import WeirFlow

@Suite("The class that a field names")
struct PriorityTests {
    @Test(
        "is read in any case, and nothing else is one",
        arguments: [
            ("critical", .critical), ("Default", .default), ("SHEDDABLE", .sheddable), ("sHEDDABLe", .sheddable),
            ("", nil), ("critica", nil), ("criticall", nil), (" default", nil), ("urgent", nil),
            // Each differs by the bit of the case from a letter, or in a byte that is none.
            ("defau\u{0C}t", nil), ("defau,t", nil), ("default\u{0}", nil), ("shedd\u{E1}ble", nil),
        ] as [(String, Priority?)]
    )
    func field(text: String, priority: Priority?) {
        #expect(Priority(field: Array(text.utf8).span) == priority)
    }
}
