// SPDX-License-Identifier: Apache-2.0
// Where the access log goes, as it is written in settings. Pure.

extension ValueForm where Value == Settings.AccessLogTarget {
    /// `off`, `stdout`, or an absolute path.
    static var accessLogTarget: Self {
        // PATH_MAX, with the zero at the end.
        let pathBytesMax = 4095
        return Self(
            unit: "name or path",
            range: "off, stdout, an absolute path",
            expected: "off, stdout or the absolute path of a file, of at most \(pathBytesMax) bytes",
            parse: { text in
                switch text.lowercased() {
                case "off": return .off
                case "stdout": return .standardOutput
                default:
                    let isPath = text.hasPrefix("/") && !text.hasSuffix("/") && !text.utf8.contains(0)
                    return isPath && text.utf8.count <= pathBytesMax ? .file(text) : nil
                }
            },
            format: { target in
                switch target {
                case .off: "off"
                case .standardOutput: "stdout"
                case .file(let path): path
                }
            }
        )
    }
}
