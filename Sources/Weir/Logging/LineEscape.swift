// SPDX-License-Identifier: Apache-2.0
// Keeps text that came from outside on one line of a log or an error. Pure.

extension String {
    /// The text with everything escaped that would end the line, move a terminal's cursor or turn its direction, so
    /// that nobody can forge a line.
    ///
    /// - Parameter quotes: whether quotes and backslashes are escaped too, for text that stands between quotes.
    func escapedForLine(quotes: Bool) -> String {
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"" where quotes: escaped += "\\\""
            case "\\" where quotes: escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\r": escaped += "\\r"
            case "\t": escaped += "\\t"
            case _ where scalar.isUnsafeInLine: escaped += "\\u{\(String(scalar.value, radix: 16))}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension Unicode.Scalar {
    /// Controls, and what turns the direction of text or breaks lines.
    fileprivate var isUnsafeInLine: Bool {
        if isASCII { return value < 0x20 || value == 0x7F }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return false
        }
    }
}
