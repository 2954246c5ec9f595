// SPDX-License-Identifier: Apache-2.0
// A machine made of files in a temporary folder.

import Glibc

/// A folder that stands for `/` while it lives.
final class FixtureRoot {
    let path: String

    /// Creates the folder with these files by path.
    init(_ files: [String: String]) {
        var template = Array("/tmp/weir-host-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "a temporary folder is needed")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for (name, content) in files { write(name, content) }
    }

    deinit {
        system("rm -rf '\(path)'")
    }

    /// What may stand in place of a file.
    enum Fault: CaseIterable {
        case folder
        /// A symbolic link to itself: what even root cannot open.
        case loop
        /// A pipe that nobody writes to.
        case pipe
    }

    /// Puts a fault in the place of a file that is there.
    func replace(_ name: String, by fault: Fault) {
        let real = path + name
        precondition(unlink(real) == 0, "there is no \(name)")
        let result =
            switch fault {
            case .folder: mkdir(real, 0o755)
            case .loop: symlink(real, real)
            case .pipe: mkfifo(real, 0o600)
            }
        precondition(result == 0, "cannot make a \(fault) at \(name)")
    }

    private func write(_ name: String, _ content: String) {
        let names = name.split(separator: "/")
        var folder = path
        for part in names.dropLast() {
            folder += "/" + part
            mkdir(folder, 0o755)
        }
        guard let file = fopen(path + name, "w") else { preconditionFailure("cannot write \(name)") }
        fputs(content, file)
        fclose(file)
    }
}
