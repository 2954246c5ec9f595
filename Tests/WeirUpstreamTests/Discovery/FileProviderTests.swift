// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct FileProviderTests {
    private let folder: ScratchFolder
    private let test: DiscoveryInHand

    init() throws {
        folder = try ScratchFolder()
        test = try DiscoveryInHand(.file)
    }

    private func write(_ name: String, _ text: String) throws { _ = try folder.write(name, Array(text.utf8)) }

    private func start(_ name: String = "endpoints") {
        test.start(FileProvider(path: "\(folder.path)/\(name)", feed: test.feed, on: test.loop))
    }

    @Test func `what is written is read without waiting, in place or moved there`() throws {
        try write("endpoints", "http://a")
        start()
        #expect(test.listed == ["http://a"])
        try write("endpoints", "http://b")
        test.turn(until: "the file is read again") { test.listed == ["http://b"] }
        try write("new", "http://c")
        #expect(rename("\(folder.path)/new", "\(folder.path)/endpoints") == 0)
        test.turn(until: "the file is read again") { test.listed == ["http://c"] }
    }

    @Test func `the link of a mounted ConfigMap is followed when it is swapped`() throws {
        for (version, text) in [("one", "http://a"), ("two", "http://b")] {
            #expect(mkdir("\(folder.path)/\(version)", 0o700) == 0)
            try write("\(version)/endpoints", text)
        }
        func link(_ target: String, _ name: String) { #expect(symlink(target, "\(folder.path)/\(name)") == 0) }
        link("one", "..data")
        link("..data/endpoints", "endpoints")
        start()
        #expect(test.listed == ["http://a"])
        link("two", "..data_tmp")
        #expect(rename("\(folder.path)/..data_tmp", "\(folder.path)/..data") == 0)
        test.turn(until: "the other version is read") { test.listed == ["http://b"] }
        for version in ["one", "two"] { unlink("\(folder.path)/\(version)/endpoints") }
    }

    @Test func `a broken file keeps the last good list, and the line is named`() throws {
        try write("endpoints", "http://a\n")
        start()
        try write("endpoints", "http://b\nhttp//c\n")
        test.turn(until: "the fault is reported") { test.failure != nil }
        #expect(test.listed == ["http://a"])
        #expect(test.failure?.contains("endpoints: line 2: endpoint \"http//c\" has no scheme") == true)
        #expect(test.failure?.hasSuffix("; 1 are kept") == true)
        try write("endpoints", "http://b\n")
        test.turn(until: "the file is read again") { test.listed == ["http://b"] }
        #expect(test.news.last == .recovered("upstream orders: discovery by file lists 1 endpoint again"))
    }

    @Test func `a file that is not there yet is found, and one that goes is missed`() throws {
        start("later/endpoints")
        #expect(test.failure?.hasSuffix("it cannot be read: No such file or directory; none is known yet") == true)
        #expect(mkdir("\(folder.path)/later", 0o700) == 0)
        try write("later/endpoints", "http://a")
        test.turn(5)
        #expect(test.listed.isEmpty)
        test.advance(by: FileProvider.pollInterval)
        #expect(test.listed == ["http://a"])
        // The folder that came later is watched, too.
        try write("later/endpoints", "http://b")
        test.turn(until: "the file is read again") { test.listed == ["http://b"] }
        unlink("\(folder.path)/later/endpoints")
        test.advance(by: FileProvider.pollInterval)
        #expect(test.listed == ["http://b"])
        #expect(test.failure?.hasSuffix("No such file or directory; 1 are kept") == true)
    }

    @Test func `a file that nobody tells of is looked at now and then, and read where it has changed`() throws {
        try write("endpoints", "http://a")
        #expect(mkdir("\(folder.path)/mount", 0o700) == 0)
        #expect(symlink("../endpoints", "\(folder.path)/mount/endpoints") == 0)
        start("mount/endpoints")
        test.advance(by: FileProvider.pollInterval)
        #expect(test.feed.counts[.unchanged] == 0)
        try write("endpoints", "http://b, and more")
        test.advance(by: FileProvider.pollInterval - 2_000_000)
        #expect(test.failure == nil)
        test.advance(by: 2_000_000)
        #expect(test.failure?.contains("line 1") == true)
        test.advance(by: FileProvider.pollInterval)
        #expect(test.feed.counts[.failed] == 1)
        unlink("\(folder.path)/mount/endpoints")
    }

    @Test func `nothing is read behind the end`() throws {
        try write("endpoints", "http://a")
        let provider = FileProvider(path: "\(folder.path)/endpoints", feed: test.feed, on: test.loop)
        test.start(provider)
        provider.stop()
        try write("endpoints", "http://b")
        test.advance(by: 2 * FileProvider.pollInterval)
        #expect(test.listed == ["http://a"])
        provider.start()
        #expect(test.listed == ["http://b"])
    }
}
