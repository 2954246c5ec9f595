// SPDX-License-Identifier: Apache-2.0
// Takes credentials out of what people wrote as a URL, before it stands in an error or a log. Pure.

extension String {
    /// The text with `***` for what stands before an `@` as a URL's user and password, well-formed or not: passwords
    /// have slashes and commas that nobody has escaped. So it goes from the first `://`, or else from the beginning, to
    /// the last `@`. A Unix socket's path is left alone.
    package var withoutUserInfo: String {
        guard let at = lastIndex(of: "@") else { return self }
        if let scheme = firstRange(of: "://"), scheme.upperBound <= at {
            return "\(self[..<scheme.upperBound])***\(self[at...])"
        }
        guard !hasPrefix("unix:"), self[..<at].contains(":") else { return self }
        return "***\(self[at...])"
    }
}
