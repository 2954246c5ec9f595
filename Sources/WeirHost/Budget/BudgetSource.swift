// SPDX-License-Identifier: Apache-2.0
// One thing that tells how much of a resource this process may use, and what it said. Pure.

/// One thing that was looked at for a budget.
package struct BudgetSource: Sendable, Equatable {
    /// The path of a file, the name of a variable, or that of the system call's answer: `affinity`.
    package let name: String

    /// What part it has in the conclusion.
    package let role: Role

    /// What it said, word for word, on one line of at most ``textLengthMax`` scalars, and without control characters,
    /// as a broken file may hold anything; empty where it said nothing.
    package let text: String

    /// What that means.
    package let reading: Reading

    package init(_ name: String, _ role: Role, text: String = "", _ reading: Reading) {
        self.name = name
        self.role = role
        self.reading = reading
        self.text = Self.word(text) ?? Self.line(text)
    }

    /// The words of the first lines, each a blank behind the other.
    private static func line(_ text: String) -> String {
        var line = String.UnicodeScalarView()
        var count = 0
        var blanks = 0
        for scalar in text.unicodeScalars.prefix(4 * textLengthMax) {
            if isBlank(scalar) {
                blanks = min(count, 1)
                continue
            }
            if count + blanks >= textLengthMax { break }
            if blanks > 0 { line.append(" ") }
            line.append(isControl(scalar) ? "\u{FFFD}" : scalar)
            count += blanks + 1
            blanks = 0
        }
        return String(line)
    }

    // Files of the kernel are ASCII: Unicode's tables are read for the rest only.

    private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? scalar == " " || ("\t"..."\r").contains(scalar) : scalar.properties.isWhitespace
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? scalar < " " || scalar == "\u{7F}" : scalar.properties.generalCategory == .control
    }

    /// What most files hold, which is shown as it is: one word, and the end of its line.
    private static func word(_ text: String) -> String? {
        let word = text.utf8.last == UInt8(ascii: "\n") ? text.utf8.dropLast() : text.utf8[...]
        guard word.count <= textLengthMax, word.allSatisfy({ (UInt8(ascii: "!")...UInt8(ascii: "~")).contains($0) })
        else {
            return nil
        }
        return String(Substring(word))
    }

    /// The amount that it said, if it said one.
    package var amount: Double? {
        if case .amount(let amount) = reading { amount } else { nil }
    }

    /// How much of a file is kept as what it said: enough to recognise what stands there.
    package static let textLengthMax = 80

    /// Whether it could not be read for a reason that says nothing of it: this process or the kernel was short of something,
    /// and the next time it may be read. What it said before holds as much as ever.
    package var isUnread: Bool {
        if case .unreadable(let code) = reading { HostFile.passingFaults.contains(code) } else { false }
    }

    package enum Role: String, Sendable {
        /// How much the machine has: the budget is not above it.
        case capacity
        /// What the kernel enforces: the budget is not above it.
        case limit
        /// What the process was promised: it counts where there is no limit.
        case request
        /// It is shown, and does not count.
        case information
    }

    package enum Reading: Sendable, Equatable {
        /// An amount, in the unit of the resource; above 0.
        case amount(Double)
        /// That there is no limit.
        case unlimited
        /// In which group the process is, whose files are read.
        case group
        /// A group that no mount shows: the files at the mount points are read in its place.
        case hiddenGroup
        /// Nothing of the resource: it has no line of its controller, or no mount, or no value was given.
        case nothing
        /// Nothing, as it does not exist: the topmost group, for one, has no files of limits.
        case missing
        /// What is not of the documented form.
        case malformed
        /// Nothing, as it could not be read.
        case unreadable(errno: Int32)
    }
}

extension BudgetSource {
    /// What a file says.
    ///
    /// - Parameter parse: what its text means; nil where it is not of the documented form.
    init(_ file: HostFile, _ role: Role, parse: (String) -> Reading?) {
        switch file.read() {
        case .text(let text): self.init(file.path, role, text: text, parse(text) ?? .malformed)
        case .missing: self.init(file.path, role, .missing)
        case .unreadable(let code): self.init(file.path, role, .unreadable(errno: code))
        }
    }
}
