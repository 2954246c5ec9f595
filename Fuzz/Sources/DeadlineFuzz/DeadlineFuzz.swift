// SPDX-License-Identifier: Apache-2.0
// Any bytes as a field's value that says how much time is left: what is read can be written, and reads as no more.

import FuzzSupport
import WeirFlow

@c(LLVMFuzzerTestOneInput)
public func fuzzDeadline(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let value = ExactCopy(unsafe Span(_unsafeStart: start, count: count))
    for form in DeadlineForm.allCases {
        guard let left = form.read(value.span) else { continue }
        precondition(left <= DeadlineForm.timeMax, "more than the most")
        for written in DeadlineForm.allCases {
            let text = DeadlineText(left, as: written)
            guard let read = written.read(text.span) else { preconditionFailure("what was written cannot be read") }
            precondition(read <= max(left, 1_000_000), "more is left than was")
            precondition((read == 0) == (left == 0), "nothing is left, or is it")
        }
    }
    return 0
}
