// SPDX-License-Identifier: Apache-2.0
// Lists of CPUs as the kernel writes them: `0-3,8` (Documentation/core-api/cpu_hotplug.rst). Pure.

enum CPUList {
    /// How many CPUs a list has; nil if it is none.
    static func count(_ text: String) -> Double? {
        let words = text.words
        guard words.count == 1 else { return nil }
        var count = 0.0
        for item in words[0].split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = item.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = bounds[0], let last = bounds[bounds.count - 1], bounds.count <= 2, 0 <= first,
                first <= last
            else { return nil }
            // As a floating-point number: what a broken file says may not fit into an integer when one is added.
            count += Double(last) - Double(first) + 1
        }
        return count
    }
}
