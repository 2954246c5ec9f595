// SPDX-License-Identifier: Apache-2.0
// A folder for sockets, removed with what is in it.

import Glibc
import Testing

/// A new folder under /tmp: the path of a Unix socket has to be short.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-test-XXXXXX\0".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink("\(path)/\(name)") }
            }
            closedir(folder)
        }
        rmdir(path)
    }
}
