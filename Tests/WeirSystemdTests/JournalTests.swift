// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirSystemd

@Suite struct JournalTests {
    @Test func `a descriptor leads to the journal if its device and inode are those of JOURNAL_STREAM`() throws {
        var pipes: [Int32] = [-1, -1, -1, -1]
        try #require(pipe(&pipes) == 0)
        try #require(pipes.withUnsafeMutableBufferPointer { pipe($0.baseAddress! + 2) } == 0)
        defer { for descriptor in pipes { close(descriptor) } }
        var status = stat()
        try #require(fstat(pipes[1], &status) == 0)
        let stream = "\(status.st_dev):\(status.st_ino)"
        let environment = { (name: String) in name == "JOURNAL_STREAM" ? stream : nil }
        #expect(Journal.takes(pipes[1], environment: environment))
        #expect(!Journal.takes(pipes[3], environment: environment))
        #expect(!Journal.takes(-1, environment: environment))
    }

    @Test(arguments: [nil, "", ":", "8", "a:b", "1:2:3", "-1:2"])
    func `without a JOURNAL_STREAM that can be read there is no journal`(value: String?) {
        #expect(!Journal.takes(STDERR_FILENO) { _ in value })
    }
}
