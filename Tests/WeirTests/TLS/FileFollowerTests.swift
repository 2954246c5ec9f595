// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite struct FileFollowerTests {
    private let folder: ScratchFolder
    private let paths: [String]

    init() throws {
        folder = try ScratchFolder()
        paths = ["\(folder.path)/tls.crt", "\(folder.path)/tls.key"]
        for path in paths { write("old", path) }
    }

    private func write(_ text: String, _ path: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    private func look(_ follower: inout FileFollower, _ count: Int) -> [Bool] {
        var looks: [Bool] = []
        for _ in 0..<count { looks.append(follower.hasSettled()) }
        return looks
    }

    private func follower() -> FileFollower { FileFollower(paths, start: paths.map { FileVersion(path: $0) }) }

    @Test func `files that stay as they are are not read again`() {
        var follower = follower()
        #expect(look(&follower, 3) == [false, false, false])
    }

    @Test func `a change is told once, when two looks have found the same`() {
        var follower = follower()
        write("newer", paths[0])
        var looks = look(&follower, 1)
        // The key follows its certificate.
        write("newest", paths[1])
        looks += look(&follower, 3)
        #expect(looks == [false, false, true, false])
    }

    @Test func `a link that is swapped on the way to a file is a change of the file`() {
        for version in ["1", "2"] {
            mkdir("\(folder.path)/\(version)", 0o700)
            write("of \(version)", "\(folder.path)/\(version)/tls.crt")
        }
        symlink("1", "\(folder.path)/..data")
        let path = "\(folder.path)/..data/tls.crt"
        var follower = FileFollower([path], start: [FileVersion(path: path)])
        symlink("2", "\(folder.path)/..next")
        rename("\(folder.path)/..next", "\(folder.path)/..data")
        #expect(look(&follower, 2) == [false, true])
    }

    @Test func `a file that is gone and comes back unchanged is no change`() {
        var follower = follower()
        rename(paths[0], "\(folder.path)/aside")
        var looks = look(&follower, 1)
        rename("\(folder.path)/aside", paths[0])
        looks += look(&follower, 2)
        #expect(looks == [false, false, false])
    }

    @Test func `what was at fault is read again when it changes, also back to what it was`() {
        var follower = follower()
        rename(paths[0], "\(folder.path)/aside")
        write("wrong", paths[0])
        #expect(look(&follower, 2) == [false, true])
        follower.noteFailed()
        rename("\(folder.path)/aside", paths[0])
        #expect(look(&follower, 3) == [false, true, false])
        #expect((0..<200).allSatisfy { _ in !follower.isRetryDue() })
    }

    @Test func `what was at fault is read once more after a while, and again for as long as it is`() {
        var follower = follower()
        #expect((0..<200).allSatisfy { _ in !follower.isRetryDue() })
        for _ in 0..<2 {
            follower.noteFailed()
            #expect((0..<200).count { _ in follower.isRetryDue() } == 1)
        }
    }
}
